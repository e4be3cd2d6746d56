//! An upload directory that vanishes under the daemon: wiped, unmounted, or with something mounted over it. An
//! empty disk is not a wish to delete.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::{DATABASES, file_systems, noise, started_by};

const FILES: u64 = 100;

fn upload(sandbox: &Sandbox) {
    for n in 0..FILES {
        sandbox.write(&format!("{}/deep/{n}.jpg", n % 7), &noise(n, 3_000));
    }
    // In chunks.
    sandbox.write("large.bin", &noise(FILES, 6 << 20));
    sandbox.wait_for_entries(FILES as usize + 1);
}

fn wiped_while_watched(kind: Kind, place: &Path) {
    let sandbox = Sandbox::beneath(kind, place);
    let mut watch = sandbox.watch_with(&["scan_interval=1d"]);
    upload(&sandbox);
    let stored = sandbox.files();

    // As an operator's mistake does it, and with uploads going on.
    for round in 0..3 {
        let wiped = Command::new("rm").arg("-rf").arg(&sandbox.uploads).status().unwrap();
        assert!(wiped.success());
        let told = watch.wait_for_log("event=degraded");
        assert!(told.contains("nothing is deleted from the cache"), "{told}");
        assert!(sandbox.contents() == stored_with(&stored, round), "{kind:?}: entries were lost");
        // The daemon writes its state down once a second.
        wait_until("the state of the daemon", || sandbox.ok(&["status"]).contains("DEGRADED"));

        fs::create_dir(&sandbox.uploads).unwrap();
        watch.wait_for_log("event=watching");
        watch.wait_for_log("event=scan_finished");
        // No scan is due for a day: this is the watcher's.
        sandbox.write(&format!("later/{round}.jpg"), b"later");
        sandbox.wait_for_content(&format!("later/{round}.jpg"), b"later");
    }
    // The tree alone goes, and its root stays.
    for entry in fs::read_dir(&sandbox.uploads).unwrap() {
        fs::remove_dir_all(entry.unwrap().path()).unwrap();
    }
    sandbox.write("last.jpg", b"last");
    sandbox.wait_for_content("last.jpg", b"last");
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");

    // The next start brings everything back.
    let mut wanted = stored_with(&stored, 3);
    wanted.insert("last.jpg".to_owned(), b"last".to_vec());
    assert!(sandbox.contents() == wanted, "{kind:?}: entries were lost");
    let (status, log) = Running::start(sandbox.run(&[], "exit 0")).wait();
    assert!(status.success(), "{log}");
    assert!(sandbox.files() == wanted, "{kind:?}");
    sandbox.remove();
}

type Files = std::collections::BTreeMap<String, Vec<u8>>;

/// What is stored when so many rounds are over.
fn stored_with(stored: &Files, rounds: usize) -> Files {
    let later = (0..rounds).map(|n| (format!("later/{n}.jpg"), b"later".to_vec()));
    stored.clone().into_iter().chain(later).collect()
}

#[test]
fn t09_a_live_tree_is_wiped_on_disk() {
    for kind in DATABASES {
        wiped_while_watched(kind, &file_systems()[0]);
    }
}

#[test]
fn t09_a_live_tree_is_wiped_on_tmpfs() {
    wiped_while_watched(Kind::Postgres, &file_systems()[1]);
}

/// The daemon in a mount namespace of its own, with a file system of its own as the upload directory. Nobody
/// else on the machine sees any of it.
struct Mounted {
    sandbox: Sandbox,
    watch: Running,
}

impl Mounted {
    fn start() -> Self {
        let sandbox = Sandbox::new(Kind::Postgres);
        let watching = sandbox.command(&["watch", "--set", "scan_interval=1s"]);
        let script = "mount -t tmpfs uploads \"$IMAGECACHED_UPLOAD_DIR\" && exec \"$0\" \"$@\"";
        let there = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script];
        let mut watch = Running::start(started_by(&there, &watching));
        watch.wait_for_log("event=watching");
        Self { sandbox, watch }
    }

    /// The upload directory as the daemon sees it.
    fn uploads(&self) -> PathBuf {
        let seen = format!("/proc/{}/root", self.watch.pid());
        Path::new(&seen).join(self.sandbox.uploads.strip_prefix("/").unwrap())
    }

    /// Runs a command where the daemon is; `$1` is the upload directory.
    fn there(&self, script: &str) {
        let pid = self.watch.pid().to_string();
        let done = Command::new("nsenter")
            .args(["--user", "--mount", "--preserve-credentials", "--target", &pid])
            .args(["sh", "-c", script, "sh"])
            .arg(&self.sandbox.uploads)
            .output()
            .expect("this test needs `nsenter` of util-linux");
        assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn write(&self, name: &str, content: &[u8]) {
        let file = self.uploads().join(name);
        crate::make_parents(&file);
        fs::write(file, content).unwrap();
    }
}

#[test]
fn t09_the_root_is_unmounted_and_mounted_over() {
    let mut mounted = Mounted::start();
    for n in 0..FILES {
        mounted.write(&format!("{}/{n}.jpg", n % 7), &noise(n, 3_000));
    }
    mounted.sandbox.wait_for_entries(FILES as usize);
    let stored = mounted.sandbox.contents();

    // What is beneath the mount is an empty directory.
    mounted.there("umount --lazy \"$1\"");
    mounted.watch.wait_for_log("event=degraded");
    mounted.watch.wait_for_log("event=watching");
    mounted.write("beneath/1.jpg", b"beneath the mount");
    mounted.sandbox.wait_for_entries(FILES as usize + 1);

    // An empty file system over it, of which the kernel tells nothing.
    mounted.there("mount -t tmpfs uploads \"$1\"");
    mounted.watch.wait_for_log("event=degraded");
    mounted.watch.wait_for_log("event=watching");
    mounted.write("over/1.jpg", b"mounted over it");
    mounted.sandbox.wait_for_entries(FILES as usize + 2);

    let mut wanted = stored;
    wanted.insert("beneath/1.jpg".to_owned(), b"beneath the mount".to_vec());
    wanted.insert("over/1.jpg".to_owned(), b"mounted over it".to_vec());
    assert!(mounted.sandbox.contents() == wanted, "entries were lost");
    wait_until("the end of scans", || mounted.watch.log().contains("event=scan_finished"));
    let (status, log) = mounted.watch.stop();
    assert!(status.success(), "{log}");
    assert!(mounted.sandbox.contents() == wanted, "entries were lost at the end");
    mounted.sandbox.remove();
}

/// Files of the same names in another directory, which takes the place of the one that is being read.
#[test]
fn t09_another_directory_in_the_middle_of_reading() {
    const MANY: u64 = 1_500;
    for place in file_systems() {
        let sandbox = Sandbox::beneath(Kind::Postgres, &place);
        let other = sandbox.uploads.with_extension("other");
        for n in 0..MANY {
            // The same sizes, so that only the contents tell.
            let path = format!("{}/{n}.jpg", n % 5);
            sandbox.write(&path, &noise(n, 20_000));
            fs::create_dir_all(other.join((n % 5).to_string())).unwrap();
            fs::write(other.join(path), noise(n + MANY, 20_000)).unwrap();
        }
        let watch = sandbox.watch_with(&["scan_interval=1s"]);
        wait_until("the first entries", || sandbox.paths().len() > 100);
        for _ in 0..3 {
            swap(&sandbox.uploads, &other);
            std::thread::sleep(std::time::Duration::from_millis(40));
        }
        wait_until("the files that are there", || {
            sandbox.paths().len() == MANY as usize && sandbox.contents() == sandbox.files()
        });
        let wanted = noise(MANY, 20_000);
        assert!(sandbox.content("0/0.jpg") == wanted, "the other one is there in the end");
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert!(sandbox.contents() == sandbox.files());
        fs::remove_dir_all(other).unwrap();
        sandbox.remove();
    }
}

/// Lets two directories change their places in one step.
fn swap(one: &Path, other: &Path) {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}
