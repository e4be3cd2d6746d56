//! What the app deletes while the daemon watches, and the way back.

use std::fs;

use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{
    DATABASES, follow, follow_with, restored, stored, trashed, wait_for_a_later_delete,
    wait_for_trash,
};

#[test]
fn a_deleted_file_is_no_longer_restored_and_can_be_taken_back() {
    for kind in DATABASES {
        let sandbox = stored(kind, 3);
        let mut running = follow(&sandbox);
        fs::remove_file(sandbox.uploads.join("1.jpg")).unwrap();
        let line = running.wait_for_log("event=trashed");
        assert!(line.contains("count=1") && line.contains("1.jpg"), "{line}");
        assert_eq!(sandbox.paths(), ["0.jpg", "2.jpg"]);
        assert_eq!(trashed(&sandbox), ["1.jpg"]);
        assert_eq!(restored(&sandbox).len(), 2);

        let back = sandbox.ok(&["undelete", "1.jpg"]);
        assert!(back.starts_with("1 entries are back, 1 files"), "{back}");
        assert_eq!(sandbox.paths().len(), 3);
        assert_eq!(fs::read(sandbox.uploads.join("1.jpg")).unwrap(), b"content 1");
        assert_eq!(restored(&sandbox).len(), 3);
        assert!(trashed(&sandbox).is_empty());
        running.stop();
        sandbox.remove();
    }
}

/// The new name is safe before the old one goes.
#[test]
fn a_renamed_file_is_kept_under_its_new_name() {
    for kind in DATABASES {
        let sandbox = stored(kind, 2);
        let running = follow(&sandbox);
        fs::rename(sandbox.uploads.join("0.jpg"), sandbox.uploads.join("new.jpg")).unwrap();
        wait_for_trash(&sandbox, &["0.jpg"]);
        assert_eq!(sandbox.paths(), ["1.jpg", "new.jpg"]);
        assert_eq!(restored(&sandbox)["new.jpg"], b"content 0");
        running.stop();
        sandbox.remove();
    }
}

#[test]
fn a_directory_goes_with_everything_in_it_deleted_or_moved_away() {
    let sandbox = Sandbox::new(Kind::Postgres);
    for n in 0..3 {
        sandbox.write(&format!("deleted/deep/{n}.jpg"), b"1");
        sandbox.write(&format!("moved/deep/{n}.jpg"), b"2");
        sandbox.write(&format!("renamed/deep/{n}.jpg"), b"3");
    }
    // Its name begins like one of those that go.
    sandbox.write("moved.jpg", b"stays");
    sandbox.ok(&["cache-all"]);
    let running = follow(&sandbox);
    fs::remove_dir_all(sandbox.uploads.join("deleted")).unwrap();
    fs::rename(sandbox.uploads.join("moved"), sandbox.beside().join("out")).unwrap();
    fs::rename(sandbox.uploads.join("renamed"), sandbox.uploads.join("new")).unwrap();
    let mut gone = Vec::new();
    for directory in ["deleted", "moved", "renamed"] {
        gone.extend((0..3).map(|n| format!("{directory}/deep/{n}.jpg")));
    }
    wait_for_trash(&sandbox, &gone.iter().map(String::as_str).collect::<Vec<_>>());
    let left = ["moved.jpg", "new/deep/0.jpg", "new/deep/1.jpg", "new/deep/2.jpg"];
    assert_eq!(sandbox.paths(), left);
    running.stop();
    sandbox.remove();
}

/// Editors save by deleting and making anew, by renaming over, by moving away and back.
#[test]
fn what_comes_back_within_the_grace_time_is_not_deleted() {
    for kind in DATABASES {
        let sandbox = stored(kind, 4);
        // Long enough for a machine that is busy with something else between two of the steps.
        let mut running = follow_with(&sandbox, "5s");
        let file = |name: &str| sandbox.uploads.join(name);
        fs::remove_file(file("0.jpg")).unwrap();
        fs::write(file("0.jpg"), "made anew").unwrap();
        fs::rename(file("1.jpg"), file("1.jpg~")).unwrap();
        fs::rename(file("1.jpg~"), file("1.jpg")).unwrap();
        fs::write(file("2.new"), "renamed over").unwrap();
        fs::rename(file("2.new"), file("2.jpg")).unwrap();
        // Another volume in place of a file: the app finds it as before.
        fs::rename(file("3.jpg"), sandbox.beside().join("3.jpg")).unwrap();
        std::os::unix::fs::symlink(sandbox.beside().join("3.jpg"), file("3.jpg")).unwrap();
        wait_for_a_later_delete(&sandbox, &mut running);
        assert_eq!(trashed(&sandbox), ["later.jpg"]);
        let restored = restored(&sandbox);
        assert_eq!(restored["0.jpg"], b"made anew");
        assert_eq!(restored["1.jpg"], b"content 1");
        assert_eq!(restored["2.jpg"], b"renamed over");
        assert_eq!(restored["3.jpg"], b"content 3");
        running.stop();
        sandbox.remove();
    }
}

/// A content that another instance has stored meanwhile is not what was deleted.
#[test]
fn what_another_instance_has_stored_meanwhile_stays() {
    let sandbox = stored(Kind::Postgres, 2);
    let mut running = follow_with(&sandbox, "5s");
    fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
    // It asks at once what is stored, and decides later.
    running.wait_for_log("event=deletes_heard");
    let other = tempfile::tempdir_in(sandbox.beside()).unwrap();
    fs::write(other.path().join("0.jpg"), "from another container").unwrap();
    let mut cache = sandbox.command(&["cache-all"]);
    let status = cache.env("IMAGECACHED_UPLOAD_DIR", other.path()).status().unwrap();
    assert!(status.success());
    wait_for_a_later_delete(&sandbox, &mut running);
    assert_eq!(restored(&sandbox)["0.jpg"], b"from another container");
    running.stop();
    sandbox.remove();
}
