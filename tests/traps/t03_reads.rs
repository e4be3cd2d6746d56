//! An app that serves its uploads reads them all the time: none of that may fill the kernel's queue.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};
use crate::{count_lines, file_systems, noise};

const SERVED: u64 = 200;
const READERS: u64 = 4;
const READS: u64 = 100_000;

/// Reads the served files in turn, so that no two events that follow each other would be alike, and
/// be counted as one.
fn read(uploads: &Path, n: u64) {
    let content = fs::read(uploads.join(format!("served/{}.jpg", n % SERVED))).unwrap();
    assert_eq!(content.len(), 2_000);
}

fn reads_lose_nothing(place: &Path) {
    let sandbox = Sandbox::beneath(Kind::Postgres, place);
    for n in 0..SERVED {
        sandbox.write(&format!("served/{n}.jpg"), &noise(n, 2_000));
    }
    let mut watch = sandbox.watch_with(&["scan_interval=1d"]);
    sandbox.wait_for_entries(SERVED as usize);

    // While the daemon works: uploads among the reads.
    let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    read(&sandbox.uploads, reads.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        for n in 0..200 {
            sandbox.write(&format!("during/{}/{n}.jpg", n % 10), &noise(1_000 + n, 5_000));
        }
        wait_until("the reads", || reads.load(Ordering::Relaxed) >= READS);
        stop.store(true, Ordering::Relaxed);
    });
    sandbox.wait_for_entries(SERVED as usize + 200);

    // While it stands still, nothing empties the kernel's queue: six times what it holds.
    watch.freeze();
    thread::scope(|scope| {
        for reader in 0..READERS {
            let uploads = &sandbox.uploads;
            scope.spawn(move || (0..READS / READERS).for_each(|n| read(uploads, n + 50 * reader)));
        }
    });
    for n in 0..50 {
        sandbox.write(&format!("stalled/{n}.jpg"), &noise(2_000 + n, 5_000));
    }
    watch.thaw();
    sandbox.wait_for_entries(SERVED as usize + 250);
    let log = watch.log();
    assert_eq!(count_lines(&log, &["event=rescan"]), 0, "reads have filled the queue:\n{log}");
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(count_lines(&log, &["event=captured"]), SERVED as usize + 250);
    assert!(sandbox.contents() == sandbox.files());
    sandbox.remove();
}

#[test]
fn t03_a_hundred_thousand_reads_on_disk() {
    reads_lose_nothing(&file_systems()[0]);
}

#[test]
fn t03_a_hundred_thousand_reads_on_tmpfs() {
    reads_lose_nothing(&file_systems()[1]);
}
