//! An object goes with the last entry that refers to it, and not before.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cloudinary_server::CloudinaryServer;
use crate::place::{Place, entries};
use crate::support::database::Kind;
use crate::{DATABASES, claims, let_go, loose, noise, told};

fn objects_go_with_their_last_entry(kind: Kind, place: &Place) {
    let sandbox = place.sandbox(kind);
    let shared = noise(1, 4_000);
    sandbox.write("one.jpg", &shared);
    sandbox.write("two.jpg", &shared);
    sandbox.write("other.jpg", &noise(2, 4_000));
    sandbox.ok(&["cache-all"]);
    assert_eq!((entries(&sandbox, "url"), place.objects(&sandbox).len()), (3, 2), "{kind:?}");
    assert_eq!(claims(&sandbox), 0, "{kind:?}: what is stored is claimed no longer");

    let_go(&sandbox, "other.jpg");
    let shown = sandbox.ok(&["cleanup"]);
    assert!(shown.contains("up to 1 object in "), "{kind:?}: {shown}");
    assert_eq!(place.objects(&sandbox).len(), 2, "{kind:?}: it has acted without --yes");
    let (code, done) = told(&sandbox, &["cleanup", "--yes"]);
    assert_eq!(code, Some(0), "{kind:?}: {done}");
    assert!(done.contains("1 entries removed") && done.contains("1 object removed"), "{done}");
    assert_eq!(place.objects(&sandbox).len(), 1, "{kind:?}");

    let_go(&sandbox, "one.jpg");
    let (code, done) = told(&sandbox, &["cleanup", "--yes"]);
    assert_eq!(code, Some(0), "{kind:?}: {done}");
    assert!(!done.contains("object removed"), "{kind:?}: {done}");
    assert_eq!(place.objects(&sandbox).len(), 1, "{kind:?}: another entry refers to it");
    assert_eq!(sandbox.content("two.jpg"), shared, "{kind:?}");

    let_go(&sandbox, "two.jpg");
    let done: serde_json::Value =
        serde_json::from_str(&sandbox.ok(&["cleanup", "--yes", "--json"])).expect("JSON");
    assert_eq!((&done["removed"], &done["objects"]["removed"]), (&1.into(), &1.into()), "{done}");
    assert_eq!(place.objects(&sandbox).len(), 0, "{kind:?}");
    assert_eq!((loose(&sandbox), claims(&sandbox)), (0, 0), "{kind:?}");

    // It may come again.
    sandbox.write("three.jpg", &shared);
    sandbox.ok(&["cache-all"]);
    assert_eq!((entries(&sandbox, "url"), place.objects(&sandbox).len()), (1, 1), "{kind:?}");
    sandbox.remove();
}

#[test]
fn on_every_database() {
    for kind in DATABASES {
        objects_go_with_their_last_entry(
            kind,
            &Place::directory().with("IMAGECACHED_REMOTE", "all"),
        );
    }
}

#[test]
fn in_moto() {
    let place = Place::s3("IMAGECACHED_TEST_S3_MOTO").with("IMAGECACHED_REMOTE", "all");
    objects_go_with_their_last_entry(Kind::Postgres, &place);
}

#[test]
fn in_s3s_fs() {
    let place = Place::s3("IMAGECACHED_TEST_S3_FS").with("IMAGECACHED_REMOTE", "all");
    objects_go_with_their_last_entry(Kind::MariaDb, &place);
}

#[test]
fn in_cloudinary() {
    let server = CloudinaryServer::start();
    let place = Place::cloudinary(&server).with("IMAGECACHED_REMOTE", "all");
    objects_go_with_their_last_entry(Kind::Postgres, &place);
    assert_eq!(server.assets(), 1);
}

/// Large files have a way of their own into the store.
#[test]
fn a_replaced_content_s_object_goes() {
    for kind in DATABASES {
        let place = Place::s3("IMAGECACHED_TEST_S3_FS").with("IMAGECACHED_REMOTE", "all");
        let sandbox = place.sandbox(kind);
        // Its own upkeep may come late, and meet the first of them already.
        let mut watch = sandbox.watch_with(&["remove_objects=false"]);
        for (path, length) in [("small.jpg", 4_000), ("large.mp4", 9 << 20)] {
            for seed in [1, 2] {
                let content = noise(seed + length as u64, length);
                sandbox.write(path, &content);
                watch.wait_for_log(&format!("path={path} "));
                sandbox.wait_for_content(path, &content);
            }
        }
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (4, 2), "{kind:?}: {log}");
        // The next daemon does it by itself.
        let mut watch = sandbox.watch();
        let line = watch.wait_for_log("event=objects_removed");
        assert!(line.contains("count=2"), "{line}");
        let (_, log) = watch.stop();
        crate::no_secret(&sandbox, &log);
        assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (2, 0), "{kind:?}: {log}");
        let files = sandbox.files();
        assert!(sandbox.contents() == files, "{kind:?}");
        sandbox.remove();
    }
}

#[test]
fn objects_stay_where_the_settings_want_it() {
    let place = Place::directory().with("IMAGECACHED_REMOTE", "all");
    let mut sandbox = place.sandbox(Kind::Sqlite);
    sandbox.environment.push(("IMAGECACHED_REMOVE_OBJECTS".into(), "false".into()));
    sandbox.write("a.jpg", &noise(1, 4_000));
    sandbox.ok(&["cache-all"]);
    let_go(&sandbox, "a.jpg");
    let (code, done) = told(&sandbox, &["cleanup", "--yes"]);
    assert_eq!(code, Some(0), "{done}");
    assert!(done.contains("objects stay: remove_objects = false"), "{done}");
    assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (1, 1));
    sandbox.environment.pop();
    sandbox.ok(&["cleanup", "--yes"]);
    assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (0, 0));
    sandbox.remove();
}

#[test]
fn without_its_store_an_object_stays_and_it_is_said_where() {
    let place = Place::s3("IMAGECACHED_TEST_S3_MOTO").with("IMAGECACHED_REMOTE", "all");
    let mut sandbox = place.sandbox(Kind::Postgres);
    for n in 0..3 {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 4_000));
    }
    sandbox.ok(&["cache-all"]);
    let_go(&sandbox, "0.jpg");
    sandbox.environment.clear();
    for args in [&["cleanup"] as &[_], &["cleanup", "--yes", "--for-good"]] {
        let (code, said) = told(&sandbox, args);
        assert_eq!(code, Some(0), "{said}");
        let expected = format!("1 object of these entries stay in {}", place.base_url);
        assert!(said.contains(&expected), "{said}");
    }
    assert_eq!(place.objects(&sandbox).len(), 3);
    // With another store, what is loose in the first one is nobody's matter any more.
    let other = Place::directory().with("IMAGECACHED_REMOTE", "all");
    sandbox.environment.clone_from(&other.environment);
    let (code, said) = told(&sandbox, &["cleanup", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 object that no entry refers to are not in file://"), "{said}");
    assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (3, 0));
    // As loose as before, once its own store is back: what was let go of meanwhile goes.
    sandbox.environment.clear();
    let_go(&sandbox, "1.jpg");
    sandbox.ok(&["cleanup", "--yes", "--for-good"]);
    sandbox.environment.clone_from(&place.environment);
    sandbox.ok(&["cleanup", "--yes"]);
    assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (2, 0));
    sandbox.remove();
}

/// The app changes its mind about the same contents all the time, while others clean up.
#[test]
fn what_is_uploaded_while_it_is_removed_is_safe() {
    for (kind, place) in [
        (Kind::Postgres, Place::s3("IMAGECACHED_TEST_S3_FS")),
        (Kind::MariaDb, Place::directory()),
        (Kind::Sqlite, Place::directory()),
    ] {
        let place = place.with("IMAGECACHED_REMOTE", "all");
        let sandbox = place.sandbox(kind);
        let watch = sandbox.watch_with(&["scan_interval=1s"]);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        let output = sandbox.output(&["cleanup", "--yes"]);
                        let log = String::from_utf8_lossy(&output.stderr);
                        assert!(output.status.success(), "{kind:?}: {log}");
                    }
                });
            }
            for round in 0..60 {
                for file in 0..4 {
                    let content = noise((round + file) % 3, 3_000);
                    sandbox.write(&format!("{file}.jpg"), &content);
                }
                std::thread::sleep(std::time::Duration::from_millis(40));
            }
            done.store(true, Ordering::Relaxed);
        });
        let (status, log) = watch.stop();
        assert!(status.success(), "{kind:?}: {log}");
        assert!(sandbox.contents() == sandbox.files(), "{kind:?}: {log}");
        // Three contents at most; those in use are all there, and the others are not.
        sandbox.ok(&["cleanup", "--yes"]);
        let doctor = sandbox.output(&["doctor"]);
        let doctor = String::from_utf8_lossy(&doctor.stdout);
        assert!(!doctor.contains("objects.gone"), "{kind:?}: {doctor}");
        assert_eq!(loose(&sandbox), 0, "{kind:?}: {log}");
        sandbox.remove();
    }
}
