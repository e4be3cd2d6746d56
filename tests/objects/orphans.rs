//! Objects that no entry refers to: found by the doctor, removed when somebody asks for it.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::cloudinary_server::CloudinaryServer;
use crate::place::{Place, entries};
use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{DATABASES, loose, noise, told};

/// As if the objects had been stored two days ago.
fn age(place: &Place, sandbox: &Sandbox) {
    let past = SystemTime::now() - Duration::from_secs(2 * 24 * 3600);
    for object in place.objects(sandbox) {
        let file = File::options().write(true).open(place.file(&object.url)).expect("an object");
        file.set_modified(past).expect("a file of ours");
    }
}

fn doctor(sandbox: &Sandbox) -> String {
    told(sandbox, &["doctor"]).1
}

fn orphans_are_found_and_removed(kind: Kind, place: &Place, age: impl Fn(&Sandbox)) {
    let sandbox = place.sandbox(kind);
    for n in 0..5 {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 2_000));
    }
    sandbox.write("copy of 1.jpg", &noise(1, 2_000));
    sandbox.ok(&["cache-all"]);
    age(&sandbox);
    let said = doctor(&sandbox);
    assert!(!said.contains("objects.orphans"), "{kind:?}: {said}");
    // An app that deletes rows itself.
    sandbox.sql("DELETE FROM image_cache WHERE original_path IN ('0.jpg', '1.jpg', '2.jpg')");
    let said = doctor(&sandbox);
    assert!(said.contains("2 objects are referred to by no entry"), "{kind:?}: {said}");
    assert!(said.contains("cure: imagecached cleanup --orphans"), "{kind:?}: {said}");

    let (code, shown) = told(&sandbox, &["cleanup", "--orphans"]);
    assert_eq!(code, Some(0), "{kind:?}: {shown}");
    assert!(shown.contains("2 of 5 objects (3.9 KiB)"), "{kind:?}: {shown}");
    assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (5, 0), "{kind:?}");
    let (code, done) = told(&sandbox, &["cleanup", "--orphans", "--yes"]);
    assert_eq!(code, Some(0), "{kind:?}: {done}");
    assert!(done.contains("2 objects removed from "), "{kind:?}: {done}");
    assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (3, 0), "{kind:?}");
    assert_eq!(entries(&sandbox, "url"), 3, "{kind:?}: no entry goes");
    assert_eq!(sandbox.content("copy of 1.jpg"), noise(1, 2_000), "{kind:?}");
    let again = sandbox.ok(&["cleanup", "--orphans", "--yes"]);
    assert!(again.starts_with("0 objects removed"), "{kind:?}: {again}");
    sandbox.remove();
}

#[test]
fn on_every_database() {
    for kind in DATABASES {
        let place = Place::directory().with("IMAGECACHED_REMOTE", "all");
        orphans_are_found_and_removed(kind, &place, |sandbox| age(&place, sandbox));
    }
}

#[test]
fn in_cloudinary() {
    let server = CloudinaryServer::start();
    let place = Place::cloudinary(&server).with("IMAGECACHED_REMOTE", "all");
    // Its assets were all made long ago.
    orphans_are_found_and_removed(Kind::Postgres, &place, |_| ());
}

/// They may belong to an upload that is under way.
#[test]
fn young_objects_are_no_orphans() {
    let place = Place::s3("IMAGECACHED_TEST_S3_FS").with("IMAGECACHED_REMOTE", "all");
    let sandbox = place.sandbox(Kind::Sqlite);
    sandbox.write("a.jpg", &noise(1, 2_000));
    sandbox.ok(&["cache-all"]);
    sandbox.sql("DELETE FROM image_cache");
    let said = doctor(&sandbox);
    assert!(!said.contains("objects.orphans"), "{said}");
    let done = sandbox.ok(&["cleanup", "--orphans", "--yes"]);
    assert!(done.starts_with("0 objects removed"), "{done}");
    assert_eq!(place.objects(&sandbox).len(), 1);
    sandbox.remove();
}

/// Entries come by the page: more than one of them.
#[test]
fn many_entries_are_compared() {
    let place = Place::directory().with("IMAGECACHED_REMOTE", "all");
    let sandbox = place.sandbox(Kind::Sqlite);
    sandbox.write("a.jpg", &noise(1, 2_000));
    sandbox.write("last.jpg", &noise(2, 2_000));
    sandbox.ok(&["cache", "a.jpg"]);
    let columns = "content_type, object_id, image_url, file_size, content_type_header, created_at,
        updated_at, last_accessed, sha256, mtime_ns, mode";
    sandbox.sql(&format!(
        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2500)
         INSERT INTO image_cache (original_path, {columns})
         SELECT 'copies/' || n, {columns} FROM image_cache, n"
    ));
    sandbox.ok(&["cache", "last.jpg"]);
    age(&place, &sandbox);
    let shown = sandbox.ok(&["cleanup", "--orphans"]);
    assert!(shown.starts_with("0 of 2 objects"), "{shown}");
    // Their object is lost, and all of them say so.
    let list: serde_json::Value =
        serde_json::from_str(&sandbox.ok(&["list", "--json", "--search", "a.jpg"])).expect("JSON");
    let url = list[0]["image_url"].as_str().expect("a URL");
    std::fs::remove_file(place.file(url)).expect("it is there");
    let said = doctor(&sandbox);
    assert!(said.contains("2501 entries have their bytes in file://"), "{said}");
    sandbox.remove();
}
