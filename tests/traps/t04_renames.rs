//! A file that is renamed into the tree gives neither a create nor a close-write.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{count_lines, file_systems, make_parents, noise};

/// As Django's `file_move_safe` and mv(1) do it: a rename, or else a copy.
fn mv(from: &Path, to: &Path) {
    make_parents(to);
    let status = Command::new("mv").arg("--").arg(from).arg(to).status();
    assert!(status.expect("mv runs").success(), "{}", from.display());
}

#[test]
fn t04_a_file_moved_into_the_tree_is_stored_once() {
    let [disk, memory] = file_systems();
    for (here, there) in [(&disk, &memory), (&memory, &disk)] {
        let sandbox = Sandbox::beneath(Kind::Postgres, here);
        let elsewhere = TempDir::new_in(there).unwrap();
        let watch = sandbox.watch_with(&["scan_interval=1d"]);
        for n in 0..12 {
            // Small and large in turn: a large one takes its time to be copied.
            let content = noise(n, if n % 2 == 0 { 30_000 } else { 1_500_000 });
            let name = format!("temporary-{n}");
            fs::write(sandbox.beside().join(&name), &content).unwrap();
            mv(&sandbox.beside().join(&name), &sandbox.uploads.join(format!("same/{n}/a.jpg")));
            fs::write(elsewhere.path().join(&name), &content).unwrap();
            mv(&elsewhere.path().join(&name), &sandbox.uploads.join(format!("other/{n}.jpg")));
        }
        sandbox.wait_for_entries(24);
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert_eq!(sandbox.contents(), sandbox.files());
        assert_eq!(count_lines(&log, &["event=captured"]), 24, "stored more than once:\n{log}");
        sandbox.remove();
    }
}

#[test]
fn t04_a_file_renamed_inside_the_tree_is_stored_under_its_new_name() {
    for place in file_systems() {
        let sandbox = Sandbox::beneath(Kind::Postgres, &place);
        let watch = sandbox.watch_with(&["scan_interval=1d"]);
        sandbox.write("a/one.jpg", b"one");
        sandbox.write("a/target.jpg", b"of before");
        sandbox.wait_for_entries(2);
        fs::rename(sandbox.uploads.join("a/one.jpg"), sandbox.uploads.join("a/two.jpg")).unwrap();
        sandbox.wait_for_entries(3);
        // Over a file that is there: the way in which careful programs save.
        let target = sandbox.uploads.join("a/target.jpg");
        fs::rename(sandbox.uploads.join("a/two.jpg"), target).unwrap();
        sandbox.wait_for_content("a/target.jpg", b"one");
        assert_eq!(sandbox.paths(), ["a/one.jpg", "a/target.jpg", "a/two.jpg"]);
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        sandbox.remove();
    }
}
