//! Cleanup must not take the last copy of what is in use.

use std::fs;

use crate::DATABASES;
use crate::support::database::Kind;
use crate::support::program::Sandbox;

fn what_is_on_disk_is_kept(kind: Kind) {
    let sandbox = Sandbox::new(kind);
    for n in 0..5 {
        sandbox.write(&format!("used/{n}.jpg"), b"on disk");
        sandbox.write(&format!("gone/{n}.jpg"), b"deleted by the app");
    }
    sandbox.write("fresh.jpg", b"not on disk, but used lately");
    sandbox.ok(&["cache-all"]);
    let past = kind.hours_ago(400 * 24);
    sandbox.sql(&format!(
        "UPDATE image_cache SET created_at = {past}, updated_at = {past}, last_accessed = {past}
         WHERE original_path <> 'fresh.jpg'"
    ));
    let uploads = &sandbox.uploads;
    fs::remove_dir_all(uploads.join("gone")).unwrap();
    fs::remove_file(uploads.join("fresh.jpg")).unwrap();

    let shown = sandbox.ok(&["cleanup", "--days", "90"]);
    assert!(shown.contains("gone/0.jpg") && !shown.contains("used/0.jpg"), "{shown}");
    assert_eq!(sandbox.paths().len(), 11, "it has acted without --yes");

    // Without the directory nobody knows what is in use: nothing goes.
    fs::rename(uploads, sandbox.beside().join("unmounted")).unwrap();
    let output = sandbox.output(&["cleanup", "--days", "90", "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    fs::rename(sandbox.beside().join("unmounted"), uploads).unwrap();
    assert_eq!(sandbox.paths().len(), 11);

    let done = sandbox.ok(&["cleanup", "--days", "90", "--yes"]);
    assert!(done.starts_with("5 entries removed"), "{done}");
    let kept: Vec<_> = (0..5).map(|n| format!("used/{n}.jpg")).collect();
    assert_eq!(sandbox.paths(), [&["fresh.jpg".to_owned()][..], &kept].concat());
    // That they are in use is noted now.
    let again = sandbox.ok(&["cleanup", "--days", "90"]);
    assert!(again.starts_with("0 entries") && again.contains("0 are on disk"), "{again}");
    sandbox.remove();
}

#[test]
fn t27_a_file_on_disk_that_nobody_has_touched_for_400_days_is_kept() {
    for kind in DATABASES {
        what_is_on_disk_is_kept(kind);
    }
}
