//! A directory that is moved gives no events for the files in it.

use std::fs;

use crate::file_systems;
use crate::support::database::Kind;
use crate::support::program::Sandbox;

#[test]
fn t05_a_moved_directory_s_files_are_stored_under_their_new_paths() {
    for place in file_systems() {
        let sandbox = Sandbox::beneath(Kind::Postgres, &place);
        let watch = sandbox.watch_with(&["scan_interval=1d"]);
        for n in 0..100 {
            // Some of them deeper: a directory inside of the moved one tells nothing either.
            let path = if n % 4 == 0 { format!("a/deep/er/{n}.jpg") } else { format!("a/{n}.jpg") };
            sandbox.write(&path, format!("content {n}").as_bytes());
        }
        sandbox.wait_for_entries(100);
        fs::rename(sandbox.uploads.join("a"), sandbox.uploads.join("b")).unwrap();
        sandbox.wait_for_entries(200);
        let moved = sandbox.paths().iter().filter(|path| path.starts_with("b/")).count();
        assert_eq!(moved, 100);

        // Uploads into it are seen as before.
        sandbox.write("b/later.jpg", b"later");
        sandbox.write("b/deep/er/later.jpg", b"later and deep");
        sandbox.wait_for_entries(202);
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        let mut stored = sandbox.contents();
        stored.retain(|path, _| path.starts_with("b/"));
        assert_eq!(stored, sandbox.files());
        sandbox.remove();
    }
}

#[test]
fn t05_a_directory_moved_in_from_outside_is_stored() {
    for place in file_systems() {
        let sandbox = Sandbox::beneath(Kind::Postgres, &place);
        let watch = sandbox.watch_with(&["scan_interval=1d"]);
        let outside = sandbox.beside().join("unpacked");
        fs::create_dir_all(outside.join("x/y")).unwrap();
        for n in 0..50 {
            fs::write(outside.join(format!("{n}.jpg")), format!("{n}")).unwrap();
            fs::write(outside.join(format!("x/y/{n}.jpg")), format!("deep {n}")).unwrap();
        }
        fs::rename(&outside, sandbox.uploads.join("gallery")).unwrap();
        sandbox.wait_for_entries(100);
        sandbox.write("gallery/x/y/later.jpg", b"later");
        sandbox.wait_for_entries(101);
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert_eq!(sandbox.contents(), sandbox.files());
        sandbox.remove();
    }
}
