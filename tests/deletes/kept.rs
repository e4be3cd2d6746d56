//! What never counts as a delete.

use std::fs;

use crate::support::database::Kind;
use crate::{DATABASES, follow, follow_with, stored, trashed, wait_for_a_later_delete};

#[test]
fn nothing_counts_with_keep() {
    let sandbox = stored(Kind::Sqlite, 3);
    let mut running = sandbox.watch_with(&["delete_grace=1s", "scan_interval=1s"]);
    fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
    for _ in 0..4 {
        running.wait_for_log("event=scan_finished");
    }
    let (_, log) = running.stop();
    assert!(!log.contains("event=trashed"), "{log}");
    assert_eq!(sandbox.paths().len(), 3);
    assert!(!sandbox.uploads.join(".imagecached").exists());
    sandbox.remove();
}

/// Trap 9: an empty disk is not a wish to delete, with `on_delete = "trash"` as without.
#[test]
fn t09_a_start_marks_nothing_whatever_is_missing() {
    for kind in DATABASES {
        let sandbox = stored(kind, 20);
        // The daemon does not watch: whatever happens now means nothing.
        sandbox.wipe();
        let mut running = follow(&sandbox);
        wait_for_a_later_delete(&sandbox, &mut running);
        running.stop();
        fs::remove_file(sandbox.uploads.join(".imagecached")).unwrap();
        let mut running = follow(&sandbox);
        wait_for_a_later_delete(&sandbox, &mut running);
        running.stop();
        assert_eq!(trashed(&sandbox), ["later.jpg", "later.jpg"]);
        assert_eq!(sandbox.paths().len(), 21);
        sandbox.remove();
    }
}

/// At a stop the platform may wipe the disk under the daemon's eyes.
#[test]
fn what_is_pending_at_a_stop_is_kept() {
    let sandbox = stored(Kind::Sqlite, 3);
    let mut running = follow_with(&sandbox, "1h");
    fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
    running.wait_for_log("event=deletes_heard");
    running.stop();
    let mut running = follow(&sandbox);
    wait_for_a_later_delete(&sandbox, &mut running);
    running.stop();
    assert_eq!(trashed(&sandbox), ["later.jpg"]);
    assert_eq!(sandbox.paths().len(), 4);
    sandbox.remove();
}

/// The marker is ours, whatever the settings exclude.
#[test]
fn the_marker_is_never_stored() {
    let sandbox = stored(Kind::Sqlite, 1);
    let running = sandbox.watch_with(&["on_delete=trash", "exclude=", "scan_interval=1s"]);
    sandbox.write("new.jpg", b"new");
    sandbox.wait_for_entries(2);
    running.stop();
    assert!(sandbox.uploads.join(".imagecached").exists());
    assert_eq!(sandbox.paths(), ["0.jpg", "new.jpg"]);
    // It does not tell anybody who fetches it where the database is.
    let marker = fs::read_to_string(sandbox.uploads.join(".imagecached")).unwrap();
    assert!(!marker.contains("sqlite"), "{marker}");
    sandbox.remove();
}
