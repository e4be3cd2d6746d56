//! The trash by hand, through cleanup, and its end.

use std::fs;

use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{DATABASES, stored, trashed};

/// Makes everything in the history, or every entry, so many days older.
fn age(sandbox: &Sandbox, kind: Kind, table: &str, columns: &[&str], days: u32) {
    let past = kind.hours_ago(days * 24);
    let set: Vec<String> = columns.iter().map(|column| format!("{column} = {past}")).collect();
    sandbox.sql(&format!("UPDATE {table} SET {}", set.join(", ")));
}

#[test]
fn an_entry_goes_to_the_trash_by_hand_and_comes_back() {
    let sandbox = stored(Kind::Sqlite, 2);
    let on_disk = sandbox.output(&["trash", "0.jpg", "none.jpg"]);
    assert_eq!(on_disk.status.code(), Some(5));
    let said = String::from_utf8_lossy(&on_disk.stderr);
    assert!(said.contains("0.jpg is on disk") && said.contains("none.jpg is not in the cache"));
    assert_eq!(sandbox.paths().len(), 2);

    fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
    let done = sandbox.ok(&["trash", "0.jpg"]);
    assert!(done.starts_with("1 entries moved") && done.contains("kept in the trash until"));
    assert_eq!(trashed(&sandbox), ["0.jpg"]);

    let not_there = sandbox.output(&["undelete", "1.jpg", "none.jpg"]);
    assert_eq!(not_there.status.code(), Some(5));
    let said = String::from_utf8_lossy(&not_there.stderr);
    assert!(said.contains("1.jpg has an entry already"), "{said}");
    assert!(said.contains("none.jpg is not in the trash"), "{said}");
    sandbox.ok(&["undelete", "0.jpg"]);
    assert_eq!(fs::read(sandbox.uploads.join("0.jpg")).unwrap(), b"content 0");
    sandbox.remove();
}

#[test]
fn a_disk_without_a_single_file_is_not_taken_for_deletes() {
    let sandbox = stored(Kind::Sqlite, 2);
    sandbox.wipe();
    let output = sandbox.output(&["trash", "--missing", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("fresh or unmounted disk"));
    assert_eq!(sandbox.paths().len(), 2);
    sandbox.remove();
}

#[test]
fn cleanup_goes_through_the_trash_and_the_trash_ends() {
    for kind in DATABASES {
        let sandbox = stored(kind, 4);
        for n in 0..3 {
            fs::remove_file(sandbox.uploads.join(format!("{n}.jpg"))).unwrap();
        }
        let columns = ["created_at", "updated_at", "last_accessed"];
        age(&sandbox, kind, "image_cache", &columns, 400);
        let done = sandbox.ok(&["cleanup", "--yes"]);
        assert!(done.starts_with("3 entries removed"), "{done}");
        assert!(done.contains("kept in the trash until"), "{done}");
        assert_eq!(sandbox.paths(), ["3.jpg"]);
        assert_eq!(trashed(&sandbox), ["0.jpg", "1.jpg", "2.jpg"]);
        sandbox.ok(&["undelete", "0.jpg"]);
        // Not yet.
        age(&sandbox, kind, "image_cache_history", &["ended_at"], 29);
        sandbox.ok(&["cleanup", "--yes"]);
        assert_eq!(trashed(&sandbox), ["1.jpg", "2.jpg"]);
        age(&sandbox, kind, "image_cache_history", &["ended_at"], 31);
        let done = sandbox.ok(&["cleanup", "--yes"]);
        assert!(done.contains("2 in the trash"), "{done}");
        assert!(trashed(&sandbox).is_empty());

        // For good, by a flag or by the setting.
        fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
        age(&sandbox, kind, "image_cache", &columns, 400);
        sandbox.ok(&["cleanup", "--yes", "--for-good"]);
        fs::remove_file(sandbox.uploads.join("3.jpg")).unwrap();
        age(&sandbox, kind, "image_cache", &columns, 400);
        sandbox.ok(&["cleanup", "--yes", "--set", "keep_deleted=0s"]);
        assert!(sandbox.paths().is_empty() && trashed(&sandbox).is_empty());
        sandbox.remove();
    }
}

/// The daemon's upkeep ends what the cleanup need not.
#[test]
fn the_daemon_purges_by_itself() {
    let sandbox = stored(Kind::Postgres, 2);
    fs::remove_file(sandbox.uploads.join("0.jpg")).unwrap();
    sandbox.ok(&["trash", "0.jpg"]);
    age(&sandbox, Kind::Postgres, "image_cache_history", &["ended_at"], 31);
    let mut running = sandbox.watch();
    let line = running.wait_for_log("event=purged");
    assert!(line.contains("trashed=1"), "{line}");
    assert!(trashed(&sandbox).is_empty());
    running.stop();
    sandbox.remove();
}
