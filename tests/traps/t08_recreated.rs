//! A file that is deleted and made again before anybody has looked.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};
use crate::{file_systems, noise};

fn new_content_counts(place: &Path) {
    let sandbox = Sandbox::beneath(Kind::Postgres, place);
    let watch = sandbox.watch_with(&["scan_interval=1d"]);
    let file = |n: u64| sandbox.uploads.join(format!("{n}.jpg"));
    for round in 0..6 {
        for n in 0..60 {
            if round > 0 {
                fs::remove_file(file(n)).unwrap();
                // From at once to 50 ms: before, during and after the look at the old file.
                thread::sleep(Duration::from_millis([0, 0, 0, 1, 5, 20][(n % 6) as usize]));
            }
            // The same size, so that only the content tells.
            fs::write(file(n), noise(round * 1_000 + n, 5_000)).unwrap();
        }
    }
    wait_until("the new contents", || sandbox.contents() == sandbox.files());
    assert_eq!(sandbox.paths().len(), 60);

    // The same with the directory around the file.
    for round in 0..30 {
        sandbox.write("again/deep/a.jpg", format!("round {round:03}").as_bytes());
        if round < 29 {
            fs::remove_dir_all(sandbox.uploads.join("again")).unwrap();
        }
    }
    sandbox.wait_for_content("again/deep/a.jpg", b"round 029");
    assert_eq!(sandbox.paths().len(), 61);
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    sandbox.remove();
}

#[test]
fn t08_deleted_and_made_again_on_disk() {
    new_content_counts(&file_systems()[0]);
}

#[test]
fn t08_deleted_and_made_again_on_tmpfs() {
    new_content_counts(&file_systems()[1]);
}
