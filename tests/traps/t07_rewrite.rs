//! A rewrite in place, of the same size, within the grain of the file system's clock.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};
use crate::{file_systems, noise};

const FILES: u64 = 120;
const ROUNDS: u64 = 6;

/// Into the same inode, without a moment at which it is empty.
fn rewrite(file: &Path, content: &[u8]) {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(file).unwrap();
    file.write_all(content).unwrap();
}

fn last_content_counts(place: &Path) {
    let sandbox = Sandbox::beneath(Kind::Postgres, place);
    // No scan helps: what is lost here is lost.
    let watch = sandbox.watch_with(&["scan_interval=1d"]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Other uploads keep readers and writers busy.
        scope.spawn(|| {
            for n in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                sandbox.write(&format!("load/{}.jpg", n % 300), &noise(n, 20_000));
            }
        });
        for round in 0..ROUNDS {
            for n in 0..FILES {
                let file = sandbox.uploads.join(format!("{n}.jpg"));
                // The second one follows at once, well within 10 ms.
                rewrite(&file, &noise(round * 1_000 + n, 8_000));
                rewrite(&file, &noise(round * 1_000 + n + 500, 8_000));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    wait_until("the last contents", || sandbox.contents() == sandbox.files());
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t07_rewritten_in_place_on_disk() {
    last_content_counts(&file_systems()[0]);
}

#[test]
fn t07_rewritten_in_place_on_tmpfs() {
    last_content_counts(&file_systems()[1]);
}
