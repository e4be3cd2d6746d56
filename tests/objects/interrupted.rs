//! Removals that do not come to their end: a kill, a store that is away.

use crate::cloudinary_server::{CloudinaryServer, Fault};
use crate::place::{Place, entries};
use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};
use crate::{DATABASES, claims, let_go, loose, noise, told};

/// As if the removals under way had begun two hours ago.
fn an_hour_later(sandbox: &Sandbox) {
    let past = sandbox.database.kind.hours_ago(2);
    sandbox.sql(&format!(
        "UPDATE image_cache_loose_object SET removing_since = {past}
         WHERE removing_since IS NOT NULL"
    ));
}

#[test]
fn a_kill_before_the_delete_leaves_it_to_the_next_hour() {
    for kind in DATABASES {
        let server = CloudinaryServer::start();
        let place = Place::cloudinary(&server).with("IMAGECACHED_REMOTE", "all");
        let sandbox = place.sandbox(kind);
        let content = noise(1, 3_000);
        sandbox.write("a.jpg", &content);
        sandbox.ok(&["cache-all"]);
        let_go(&sandbox, "a.jpg");
        server.fault("raw/destroy", Fault::Silence);
        let cleanup = sandbox.start(&["cleanup", "--yes"]);
        wait_until("the delete", || server.seen().iter().any(|call| call.ends_with("/destroy")));
        cleanup.signal(9);
        cleanup.wait();
        assert_eq!((server.assets(), loose(&sandbox)), (1, 1), "{kind:?}");

        // Nobody knows whether the delete will come: the same content is kept in the database.
        sandbox.write("b.jpg", &content);
        let (code, log) = told(&sandbox, &["cache-all"]);
        assert_eq!(code, Some(0), "{kind:?}: {log}");
        assert!(log.contains("is just being removed"), "{kind:?}: {log}");
        assert_eq!((entries(&sandbox, "chunks"), claims(&sandbox)), (1, 0), "{kind:?}: {log}");
        // And nobody else removes it meanwhile.
        sandbox.ok(&["cleanup", "--yes"]);
        assert_eq!((server.assets(), loose(&sandbox)), (1, 1), "{kind:?}");

        an_hour_later(&sandbox);
        let mut watch = sandbox.watch();
        watch.wait_for_log("event=objects_removed");
        watch.stop();
        assert_eq!((server.assets(), loose(&sandbox)), (0, 0), "{kind:?}");
        sandbox.wipe();
        sandbox.ok(&["restore"]);
        assert_eq!(sandbox.files()["b.jpg"], content, "{kind:?}");
        sandbox.remove();
    }
}

/// The object is there, nobody refers to it yet, and somebody is just about to.
#[test]
fn an_upload_that_is_under_way_keeps_its_object() {
    for kind in DATABASES {
        let server = CloudinaryServer::start();
        let place = Place::cloudinary(&server).with("IMAGECACHED_REMOTE", "all");
        let mut sandbox = place.sandbox(kind);
        let content = noise(1, 3_000);
        sandbox.write("a.jpg", &content);
        sandbox.ok(&["cache-all"]);
        let_go(&sandbox, "a.jpg");
        let environment = std::mem::take(&mut sandbox.environment);
        sandbox.ok(&["cleanup", "--yes", "--for-good"]);
        sandbox.environment = environment;
        assert_eq!((server.assets(), loose(&sandbox)), (1, 1), "{kind:?}");

        let uploads = || server.seen().iter().filter(|call| call.ends_with("/upload")).count();
        let before = uploads();
        // The first one is the mark, and is answered as ever.
        server.fault("raw/upload", Fault::Lie("etag", "".into()));
        server.fault("raw/upload", Fault::Silence);
        sandbox.write("b.jpg", &content);
        let uploading = sandbox.start(&["cache-all"]);
        wait_until("mark and upload", || uploads() == before + 2);
        assert_eq!(claims(&sandbox), 1, "{kind:?}: claimed before the store is asked");
        let (code, done) = told(&sandbox, &["cleanup", "--yes"]);
        assert_eq!(code, Some(0), "{kind:?}: {done}");
        assert!(done.contains("1 object left for later"), "{kind:?}: {done}");
        assert_eq!((server.assets(), loose(&sandbox)), (1, 1), "{kind:?}");

        // A claim that nobody gives back ends at last.
        uploading.signal(9);
        uploading.wait();
        let past = kind.hours_ago(3 * 24);
        sandbox.sql(&format!("UPDATE image_cache_claim SET since = {past}"));
        let done = sandbox.ok(&["cleanup", "--yes"]);
        assert!(done.contains("1 object removed"), "{kind:?}: {done}");
        assert_eq!((server.assets(), loose(&sandbox)), (0, 0), "{kind:?}");
        sandbox.remove();
    }
}

#[test]
fn a_store_that_is_away_gets_its_removals_later() {
    for kind in DATABASES {
        let place = Place::s3("IMAGECACHED_TEST_S3_FS").with("IMAGECACHED_REMOTE", "all");
        let mut sandbox = place.sandbox(kind);
        for n in 0..3 {
            sandbox.write(&format!("{n}.jpg"), &noise(n, 3_000));
        }
        sandbox.ok(&["cache-all"]);
        for n in 0..3 {
            let_go(&sandbox, &format!("{n}.jpg"));
        }
        let dead = Place::dead();
        let endpoint = dead.environment.into_iter().find(|(name, _)| name == "AWS_ENDPOINT");
        sandbox.environment.extend(endpoint);
        let (code, shown) = told(&sandbox, &["cleanup"]);
        assert_eq!(code, Some(0), "{kind:?}: {shown}");
        assert!(
            shown.contains("up to 3 objects in ") && shown.contains("objects stay: "),
            "{shown}"
        );
        let (code, done) = told(&sandbox, &["cleanup", "--yes"]);
        assert_eq!(code, Some(5), "{kind:?}: {done}");
        assert!(done.contains("3 entries removed") && done.contains("objects stay: "), "{done}");
        assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (3, 3), "{kind:?}");
        sandbox.environment.pop();
        let done = sandbox.ok(&["cleanup", "--yes"]);
        assert!(done.contains("3 objects removed"), "{kind:?}: {done}");
        assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (0, 0), "{kind:?}");
        sandbox.remove();
    }
}

/// It answers, and then no longer: at most what was begun waits for an hour.
#[test]
fn a_store_that_goes_away_in_the_middle_ends_the_removal() {
    let server = CloudinaryServer::start();
    let place = Place::cloudinary(&server).with("IMAGECACHED_REMOTE", "all");
    let sandbox = place.sandbox(Kind::Postgres);
    for n in 0..60 {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 3_000));
    }
    sandbox.ok(&["cache-all"]);
    for n in 0..60 {
        let_go(&sandbox, &format!("{n}.jpg"));
    }
    // As many removals are under way at a time, and each is tried as often.
    let (at_a_time, tries) = (8, 4);
    for _ in 0..at_a_time * tries {
        let body = r#"{"error":{"message":"General Error"}}"#;
        server.fault("raw/destroy", Fault::Answer(503, Vec::new(), body.into()));
    }
    let (code, done) = told(&sandbox, &["cleanup", "--yes"]);
    assert_eq!(code, Some(5), "{done}");
    assert!(done.contains("not removed, tried again in an hour"), "{done}");
    assert_eq!((place.objects(&sandbox).len(), loose(&sandbox)), (60, 60));
    let begun = "SELECT count(*) FROM image_cache_loose_object WHERE removing_since IS NOT NULL";
    assert_eq!(sandbox.numbers(begun), [at_a_time], "{done}");
    an_hour_later(&sandbox);
    let done = sandbox.ok(&["cleanup", "--yes"]);
    assert!(done.contains("60 objects removed"), "{done}");
    assert_eq!((server.assets(), loose(&sandbox)), (0, 0));
    sandbox.remove();
}
