//! What the brake holds: then nothing goes to the trash, and an error says how to go on.

use std::fs;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::{DATABASES, follow, stored, trashed};

/// Waits for the brake; gives what it tells.
fn braked(running: &mut Running) -> String {
    let line = running.wait_for_log("event=delete_brake");
    assert!(line.contains("level=error"), "{line}");
    line
}

fn nothing_was_marked(sandbox: &Sandbox, files: usize) {
    assert!(trashed(sandbox).is_empty());
    assert_eq!(sandbox.paths().len(), files);
}

#[test]
fn too_many_at_once_are_an_accident_until_somebody_says_otherwise() {
    for kind in DATABASES {
        let sandbox = Sandbox::new(kind);
        for n in 0..30 {
            sandbox.write(&format!("many/{n}.jpg"), format!("{n}").as_bytes());
        }
        sandbox.write("other.jpg", b"stays");
        sandbox.ok(&["cache-all"]);
        let mut running = follow(&sandbox);
        // All of them in one moment, whatever the machine does.
        fs::rename(sandbox.uploads.join("many"), sandbox.beside().join("out")).unwrap();
        let line = braked(&mut running);
        assert!(line.contains("30 of 31 files vanished at once"), "{line}");
        assert!(line.contains("imagecached trash --missing --yes"), "{line}");
        nothing_was_marked(&sandbox, 31);
        wait_until("the status", || sandbox.ok(&["status"]).contains("30 of 31 files vanished"));

        let shown = sandbox.ok(&["trash", "--missing"]);
        assert!(shown.contains("30 of 31 entries (") && shown.contains("add --yes"), "{shown}");
        nothing_was_marked(&sandbox, 31);
        let done = sandbox.ok(&["trash", "--missing", "--yes"]);
        assert!(done.starts_with("30 entries moved to the trash"), "{done}");
        assert_eq!(sandbox.paths(), ["other.jpg"]);
        let back = sandbox.ok(&["undelete", "--all", "--within", "1h"]);
        assert!(back.starts_with("30 entries are back, 30 files"), "{back}");
        running.stop();
        sandbox.remove();
    }
}

#[test]
fn a_directory_that_was_emptied_was_not_emptied_by_the_app() {
    let sandbox = stored(Kind::Sqlite, 3);
    let mut running = follow(&sandbox);
    // All within the grace time of the first one, whatever the machine does.
    running.freeze();
    for n in 0..3 {
        fs::remove_file(sandbox.uploads.join(format!("{n}.jpg"))).unwrap();
    }
    running.thaw();
    assert!(braked(&mut running).contains("is empty"));
    nothing_was_marked(&sandbox, 3);
    running.stop();
    sandbox.remove();
}

#[test]
fn a_root_that_is_gone_or_another_one_deletes_nothing() {
    let sandbox = stored(Kind::Sqlite, 3);
    let mut running = follow(&sandbox);
    // Within the grace time of the delete, whatever the machine does.
    running.freeze();
    fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
    fs::rename(&sandbox.uploads, sandbox.beside().join("unmounted")).unwrap();
    fs::create_dir(&sandbox.uploads).unwrap();
    sandbox.write("fresh.jpg", b"in the directory beneath the mount");
    running.thaw();
    braked(&mut running);
    let (_, log) = running.stop();
    assert!(!log.contains("event=trashed"), "{log}");
    assert!(trashed(&sandbox).is_empty());
    sandbox.remove();
}

#[test]
fn without_the_marker_nothing_counts() {
    let sandbox = stored(Kind::Sqlite, 3);
    let mut running = follow(&sandbox);
    wait_until("the marker", || sandbox.uploads.join(".imagecached").exists());
    fs::remove_file(sandbox.uploads.join(".imagecached")).unwrap();
    fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
    assert!(braked(&mut running).contains("the marker .imagecached is missing"));
    nothing_was_marked(&sandbox, 3);
    running.stop();
    sandbox.remove();
}

#[test]
fn the_marker_of_another_cache_is_respected() {
    let sandbox = stored(Kind::Sqlite, 3);
    fs::write(sandbox.uploads.join(".imagecached"), "somebody else's\n").unwrap();
    let mut running = Running::start(sandbox.command(&["watch", "--set", "on_delete=trash"]));
    assert!(braked(&mut running).contains("names another cache"));
    running.stop();
    let marker = fs::read_to_string(sandbox.uploads.join(".imagecached")).unwrap();
    assert_eq!(marker, "somebody else's\n");
    sandbox.remove();
}
