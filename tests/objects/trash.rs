//! Deletes that can be taken back, with the bytes in an object store: the object stays for as long as the entry
//! can come back.

use std::collections::BTreeMap;
use std::fs;

use crate::noise;
use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::wait_until;

fn a_delete_can_be_taken_back(place: &Place, kind: Kind) {
    let mut sandbox = place.sandbox(kind);
    sandbox.environment.retain(|(name, _)| !name.contains("KEEP_"));
    let names = ["0.jpg", "1.jpg", "2.jpg"];
    for (n, name) in names.into_iter().enumerate() {
        sandbox.write(name, &noise(n as u64, 3_000));
    }
    sandbox.ok(&["cache-all"]);
    assert_eq!(place.objects(&sandbox).len(), 3);
    let mut running =
        sandbox.watch_with(&["on_delete=trash", "delete_grace=1s", "scan_interval=1h"]);
    fs::remove_file(sandbox.uploads.join("1.jpg")).unwrap();
    let line = running.wait_for_log("event=trashed");
    assert!(line.contains("count=1") && line.contains("1.jpg"), "{line}");
    assert_eq!(sandbox.paths(), ["0.jpg", "2.jpg"]);
    // Nobody takes the object for one that is not needed any more.
    sandbox.ok(&["cleanup", "--yes"]);
    assert_eq!((place.objects(&sandbox).len(), crate::loose(&sandbox)), (3, 0));

    let back = sandbox.ok(&["undelete", "1.jpg"]);
    assert!(back.starts_with("1 entries are back, 1 files"), "{back}");
    assert_eq!(fs::read(sandbox.uploads.join("1.jpg")).unwrap(), noise(1, 3_000));
    // A new content under the same name is a delete of nothing.
    sandbox.write("1.jpg", &noise(9, 2_000));
    sandbox.wait_for_content("1.jpg", &noise(9, 2_000));
    wait_until("its object", || place.objects(&sandbox).len() == 4);
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
    assert!(sandbox.ok(&["list", "--trashed"]).is_empty());
    let expected =
        [("0.jpg", noise(0, 3_000)), ("1.jpg", noise(9, 2_000)), ("2.jpg", noise(2, 3_000))];
    let expected: BTreeMap<_, _> =
        expected.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    assert!(sandbox.contents() == expected);
    sandbox.remove();
}

#[test]
fn in_moto() {
    let place = Place::s3("IMAGECACHED_TEST_S3_MOTO").with("IMAGECACHED_REMOTE", "all");
    a_delete_can_be_taken_back(&place, Kind::MariaDb);
}

#[test]
fn in_s3s_fs() {
    let place = Place::s3("IMAGECACHED_TEST_S3_FS").with("IMAGECACHED_REMOTE", "all");
    a_delete_can_be_taken_back(&place, Kind::Postgres);
}
