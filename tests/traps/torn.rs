//! A machine that stops in the moments after a restore: files are torn that were not flushed yet. The next start
//! finds them, and nothing else.

use std::collections::BTreeMap;
use std::fs::{self, File};

use rustix::fs::XattrFlags;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::{DATABASES, app_is_up, file_systems, noise};

/// The extended attribute which says that restored files are not flushed yet.
const UNFLUSHED: &str = "user.imagecached.unflushed";

const APP: &str = "trap 'exit 0' TERM; : > \"$BESIDE/up\"; while :; do sleep 0.05; done";

/// A tenth of the usual, so that files become chunks sooner.
const SETTINGS: [&str; 2] = ["--set", "inline_limit=512KiB"];

fn ok(sandbox: &Sandbox, command: &str) -> String {
    let mut run = sandbox.command(&[command]);
    let output = run.args(SETTINGS).output().expect("the program starts");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    log
}

/// Files of each kind are stored, lost and restored.
fn restored(kind: Kind) -> (Sandbox, BTreeMap<String, Vec<u8>>) {
    let sandbox = Sandbox::beneath(kind, &file_systems()[0]);
    for name in ["whole", "short", "empty", "holes", "changed", "gone"] {
        sandbox.write(&format!("a/{name}.jpg"), &noise(name.len() as u64, 40_000));
        sandbox.write(&format!("b/c/{name}.bin"), &noise(name.len() as u64 + 20, 1_500_000));
    }
    ok(&sandbox, "cache-all");
    let stored = sandbox.files();
    sandbox.wipe();
    ok(&sandbox, "restore");
    assert!(sandbox.files() == stored);
    (sandbox, stored)
}

/// The note: of which boot it is, and since when.
fn note(sandbox: &Sandbox) -> Option<(String, u128)> {
    let mut note = [0; 100];
    let length = rustix::fs::getxattr(&sandbox.uploads, UNFLUSHED, &mut note).ok()?;
    let note = str::from_utf8(&note[..length]).expect("text");
    let (boot, since) = note.split_once(' ').expect("two words");
    Some((boot.to_owned(), since.parse().expect("nanoseconds")))
}

fn boot_of_note(sandbox: &Sandbox) -> String {
    note(sandbox).expect("a note").0
}

/// Makes the note one of another boot.
fn set_note(sandbox: &Sandbox, boot: &str) {
    let note = format!("{boot} {}", note(sandbox).expect("a note").1);
    let set = XattrFlags::REPLACE;
    rustix::fs::setxattr(&sandbox.uploads, UNFLUSHED, note.as_bytes(), set).expect("another note");
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

/// Writes into a file as a crash does: its time is what it was.
fn tear(sandbox: &Sandbox, path: &str, how: impl Fn(&File)) {
    let file = File::options().write(true).open(sandbox.uploads.join(path)).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    how(&file);
    file.set_modified(time).unwrap();
}

/// What a crash may leave of files, and what the app has done with others until then.
fn crash(sandbox: &Sandbox) {
    use std::os::unix::fs::FileExt;
    for name in [("a", "jpg"), ("b/c", "bin")] {
        let path = |stem: &str| format!("{}/{stem}.{}", name.0, name.1);
        tear(sandbox, &path("short"), |file| file.set_len(8_192).unwrap());
        tear(sandbox, &path("empty"), |file| file.set_len(0).unwrap());
        tear(sandbox, &path("holes"), |file| file.write_all_at(&[0; 8_192], 12_288).unwrap());
        fs::remove_file(sandbox.uploads.join(path("gone"))).unwrap();
        sandbox.write(&path("changed"), b"by the app");
    }
    set_note(sandbox, "another");
}

fn with_changes(stored: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let changed = |path: &str| path.contains("changed");
    let content = |(path, content): (&String, &Vec<u8>)| {
        let content = if changed(path) { b"by the app".to_vec() } else { content.clone() };
        (path.clone(), content)
    };
    stored.iter().map(content).collect()
}

#[test]
fn torn_files_are_restored_again_and_changed_ones_stay() {
    for kind in DATABASES {
        let (sandbox, stored) = restored(kind);
        assert_eq!(boot_of_note(&sandbox), boot());
        crash(&sandbox);
        let log = ok(&sandbox, "restore");
        assert!(log.contains("event=torn files=6"), "{log}");
        assert!(log.contains("event=restore_finished restored=8"), "{log}");
        assert!(sandbox.files() == with_changes(&stored), "{kind:?}");
        // What was restored now is not flushed either.
        assert_eq!(boot_of_note(&sandbox), boot());
        sandbox.remove();
    }
}

#[test]
fn files_of_this_boot_are_whole_whatever_they_look_like() {
    let (sandbox, _) = restored(Kind::Sqlite);
    crash(&sandbox);
    set_note(&sandbox, &boot());
    let before = sandbox.files();
    let log = ok(&sandbox, "restore");
    assert!(!log.contains("event=torn"), "{log}");
    assert!(log.contains("event=restore_finished restored=2"), "{log}");
    let mut after = sandbox.files();
    after.retain(|path, _| !path.contains("gone"));
    assert!(after == before);
    sandbox.remove();
}

#[test]
fn an_app_finds_no_torn_file_and_the_note_goes() {
    let (sandbox, stored) = restored(Kind::Postgres);
    crash(&sandbox);
    let seen = "cp -r . \"$BESIDE/seen\"\n";
    let mut run = Running::start(sandbox.run(&["inline_limit=512KiB"], &format!("{seen}{APP}")));
    app_is_up(&sandbox);
    let seen = crate::support::program::files_beneath(&sandbox.beside().join("seen"));
    assert!(seen == with_changes(&stored));
    wait_until("the flush", || note(&sandbox).is_none());
    sandbox.wait_for_content("a/changed.jpg", b"by the app");
    let log = run.log();
    assert!(log.contains("event=torn files=6"), "{log}");
    let (status, log) = run.stop();
    assert!(status.success(), "{log}");
    assert!(!sandbox.paths().iter().any(|path| path.contains(".imagecached")));
    sandbox.remove();
}

/// Who only watches, or stores, restores what is torn, and nothing that is gone.
#[test]
fn nobody_takes_a_torn_file_for_an_upload() {
    for command in ["watch", "cache-all"] {
        let (sandbox, stored) = restored(Kind::Postgres);
        crash(&sandbox);
        let log = if command == "watch" {
            let mut watch = sandbox.watch_with(&["scan_interval=1s", "inline_limit=512KiB"]);
            watch.wait_for_log("event=restore_finished");
            watch.wait_for_log("event=scan_finished");
            watch.wait_for_log("event=scan_finished");
            wait_until("the flush", || note(&sandbox).is_none());
            let (status, log) = watch.stop();
            assert!(status.success(), "{log}");
            log
        } else {
            ok(&sandbox, "cache-all")
        };
        assert!(log.contains("event=torn files=6"), "{command}: {log}");
        let all = with_changes(&stored);
        let mut there = all.clone();
        there.retain(|path, _| !path.contains("gone"));
        assert!(sandbox.files() == there, "{command}: {log}");
        assert!(sandbox.contents() == all, "{command}: a torn file was stored: {log}");
        sandbox.remove();
    }
}

#[test]
fn there_is_no_note_where_nobody_needs_one() {
    let [disk, memory] = file_systems();
    for (place, durable) in [(&disk, "always"), (&disk, "never"), (&memory, "auto")] {
        let sandbox = Sandbox::beneath(Kind::Sqlite, place);
        sandbox.write("a/b.jpg", &noise(1, 30_000));
        sandbox.ok(&["cache-all"]);
        let stored = sandbox.files();
        sandbox.wipe();
        sandbox.ok(&["restore", "--set", &format!("durable={durable}")]);
        assert!(sandbox.files() == stored);
        assert!(note(&sandbox).is_none(), "{durable}");
        sandbox.remove();
    }
}
