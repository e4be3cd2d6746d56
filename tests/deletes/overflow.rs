//! A delete that the watcher has dropped is no delete: nothing tells it from a file that was lost.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::database::Kind;
use crate::support::program::wait_until;
use crate::{follow, restored, stored, trashed};

/// As in [`follow`].
const GRACE: Duration = Duration::from_secs(1);

/// The kernel's queue, which is one for the whole machine.
fn kernel_queue() -> u32 {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    limit.trim().parse().unwrap()
}

#[test]
fn what_an_overflow_has_swallowed_is_kept() {
    let sandbox = stored(Kind::Postgres, 3);
    let mut running = follow(&sandbox);
    running.wait_for_log("event=scan_finished");
    running.freeze();
    // It is in the queue before that is full, and so it is heard.
    fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
    // By turns, since the kernel puts equal events that follow each other together.
    for n in 0..=kernel_queue() {
        fs::write(sandbox.uploads.join(["a.tmp", "b.tmp"][n as usize % 2]), "x").unwrap();
    }
    fs::remove_file(sandbox.uploads.join("1.jpg")).unwrap();
    running.thaw();
    running.wait_for_log("event=rescan");
    // What was heard and what was not: nobody knows any more which deletes were meant.
    let told = running.wait_for_log("event=delete_brake");
    assert!(told.contains("the watcher has missed events"), "{told}");
    // For the grace time nothing counts, and what is deleted in it prolongs it: one at a time, seldom.
    sandbox.write("stays.jpg", b"not deleted");
    let mut later = 0;
    wait_until("a delete that counts again", || {
        let name = format!("later-{later}.jpg");
        later += 1;
        sandbox.write(&name, name.as_bytes());
        wait_until("the later file", || sandbox.paths().contains(&name));
        fs::remove_file(sandbox.uploads.join(&name)).unwrap();
        let deleted = Instant::now();
        while deleted.elapsed() < 8 * GRACE && trashed(&sandbox).is_empty() {}
        !trashed(&sandbox).is_empty()
    });
    assert!(trashed(&sandbox).iter().all(|name| name.starts_with("later-")));
    let restored = restored(&sandbox);
    for n in 0..3 {
        assert_eq!(restored[&format!("{n}.jpg")], format!("content {n}").as_bytes());
    }
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
    sandbox.remove();
}
