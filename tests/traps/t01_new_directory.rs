//! The first file in a new directory gives no event.

use std::path::Path;

use crate::support::database::Kind;
use crate::support::program::Sandbox;

fn first_files_of_new_directories(parent: &Path) {
    let sandbox = Sandbox::beneath(Kind::Postgres, parent);
    let watch = sandbox.watch();
    for n in 0..250 {
        sandbox.write(&format!("flat{n}/a.jpg"), format!("flat {n}").as_bytes());
        sandbox.write(&format!("deep/{n}/x/y/z/a.jpg"), format!("deep {n}").as_bytes());
    }
    sandbox.wait_for_entries(500);
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t01_first_file_of_a_new_directory_on_tmpfs() {
    first_files_of_new_directories(Path::new("/dev/shm"));
}

#[test]
fn t01_first_file_of_a_new_directory_on_disk() {
    first_files_of_new_directories(&std::env::temp_dir());
}
