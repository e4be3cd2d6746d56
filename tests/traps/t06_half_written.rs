//! A file that somebody is in the middle of writing must not be stored.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{file_systems, noise};

/// Eager settings: what is read too early is read here.
const EAGER: [&str; 2] = ["scan_interval=1s", "quiet=50ms"];

/// Writes a file in parts, with a pause after each but the last, and keeps it open all the while.
fn write_slowly(path: &Path, content: &[u8], part: usize, pause: Duration) {
    let mut file = File::create_new(path).unwrap();
    for (n, part) in content.chunks(part).enumerate() {
        if n > 0 {
            thread::sleep(pause);
        }
        file.write_all(part).unwrap();
    }
}

fn never_partial(place: &Path) {
    let sandbox = Sandbox::beneath(Kind::Postgres, place);
    sandbox.ok(&["migrate"]);
    let watch = sandbox.watch_with(&EAGER);
    let (paused, slow) = (noise(1, 300_000), noise(2, 4 << 20));
    let uploads = sandbox.uploads.clone();
    let writers = [
        (uploads.join("paused.jpg"), paused, 200_000, Duration::from_millis(10_500)),
        (uploads.join("slow.jpg"), slow, 64 << 10, Duration::from_millis(50)),
    ]
    .map(|(path, content, part, pause)| {
        thread::spawn(move || write_slowly(&path, &content, part, pause))
    });
    // What the database says all the while.
    let mut sizes = BTreeSet::new();
    while !writers.iter().all(thread::JoinHandle::is_finished) {
        sizes.extend(sandbox.numbers("SELECT file_size FROM image_cache"));
        thread::sleep(Duration::from_millis(20));
    }
    for writer in writers {
        writer.join().unwrap();
    }
    sandbox.wait_for_entries(2);
    sizes.extend(sandbox.numbers("SELECT file_size FROM image_cache"));
    assert_eq!(sizes, BTreeSet::from([300_000, 4 << 20]), "a part of a file was stored");
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t06_a_writer_that_pauses_on_disk() {
    never_partial(&file_systems()[0]);
}

#[test]
fn t06_a_writer_that_pauses_on_tmpfs() {
    never_partial(&file_systems()[1]);
}

#[test]
fn t06_a_stop_does_not_store_half_a_file_and_says_so() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let watch = sandbox.watch_with(&EAGER);
    sandbox.write("whole.jpg", b"whole");
    let mut open = File::create_new(sandbox.uploads.join("half.jpg")).unwrap();
    open.write_all(b"the first half").unwrap();
    sandbox.wait_for_entries(1);
    let (status, log) = watch.stop();
    assert_eq!(status.code(), Some(5), "{log}");
    assert!(log.contains("event=drained") && log.contains("unsaved=1"), "{log}");
    assert!(log.contains("half.jpg"), "{log}");
    assert_eq!(sandbox.paths(), ["whole.jpg"]);

    // The next start stores it, once it is whole.
    open.write_all(b", and the second").unwrap();
    drop(open);
    let watch = sandbox.watch();
    sandbox.wait_for_entries(2);
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t06_cache_all_leaves_out_a_file_that_is_being_written() {
    let sandbox = Sandbox::new(Kind::Postgres);
    sandbox.write("whole.jpg", b"whole");
    let open = File::create_new(sandbox.uploads.join("half.jpg")).unwrap();
    fs::write(sandbox.uploads.join("half.jpg"), b"the first half").unwrap();
    // It waits for the writer, so the writer has to go on at some time: after the other file.
    let caching = sandbox.start(&["cache-all", "--set", "quiet=50ms"]);
    sandbox.wait_for_entries(1);
    assert_eq!(sandbox.paths(), ["whole.jpg"]);
    fs::write(sandbox.uploads.join("half.jpg"), b"the first half, and the second").unwrap();
    drop(open);
    let (status, log) = caching.wait();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}
