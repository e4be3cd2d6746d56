//! remote = "all": every file goes to the object store, of whatever size.

use crate::place::{Place, entries};
use crate::support::database::Kind;
use crate::support::program::Running;
use crate::{DATABASES, count_lines, noise};

const FILES: usize = 60;

/// Every file in the store, and nothing removed from it: how long objects live is told in `lifetime.rs`.
fn all_remote(place: Place) -> Place {
    place.with("IMAGECACHED_REMOTE", "all").with("IMAGECACHED_REMOVE_OBJECTS", "false")
}

fn every_file(kind: Kind, place: &Place) {
    let sandbox = place.sandbox(kind);
    let mut watch = sandbox.watch();
    for n in 0..FILES {
        sandbox.write(&format!("{}/{n}.jpg", n % 7), &noise(n as u64, 100 + 997 * n));
    }
    // No bytes at all, and the same content a second time.
    sandbox.write("empty.txt", b"");
    sandbox.write("copy.jpg", &noise(7, 100 + 997 * 7));
    sandbox.wait_for_entries(FILES + 2);
    let log = watch.log();
    assert!(!log.contains("object_refused"), "{kind:?}: {log}");
    assert_eq!(entries(&sandbox, "inline"), 1, "{kind:?}: no bytes need no object");
    assert_eq!(entries(&sandbox, "url"), FILES + 1, "{kind:?}: {}", sandbox.ok(&["list"]));
    let first = place.objects(&sandbox);
    assert_eq!(first.len(), FILES, "{kind:?}: one content is stored once");

    // The same content under another time; then another content.
    sandbox.write("0/0.jpg", &noise(0, 100));
    sandbox.write("1/1.jpg", b"something else");
    sandbox.wait_for_content("1/1.jpg", b"something else");
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    let second = place.objects(&sandbox);
    assert_eq!(second.len(), FILES + 1, "{kind:?}: a changed content is a new object");
    for object in &first {
        let kept = second.iter().find(|other| other.url == object.url).expect("it stays");
        assert_eq!(kept.modified, object.modified, "{kind:?}: it was written again");
    }

    let files = sandbox.files();
    sandbox.wipe();
    let (_, log) = {
        let mut run = Running::start(sandbox.run(&[], "exec sleep 600"));
        run.wait_for_log("event=restore_finished");
        run.stop()
    };
    assert!(sandbox.files() == files, "{kind:?}: {log}");
    assert_eq!(count_lines(&log, &["event=captured"]), 0, "{log}");
    assert_eq!(place.objects(&sandbox).len(), second.len());
    sandbox.remove();
}

#[test]
fn every_file_goes_to_the_store_on_every_database() {
    for kind in DATABASES {
        every_file(kind, &all_remote(Place::directory()));
    }
}

#[test]
fn every_file_goes_to_s3() {
    for server in ["IMAGECACHED_TEST_S3_FS", "IMAGECACHED_TEST_S3_MOTO"] {
        every_file(Kind::Postgres, &all_remote(Place::s3(server)));
    }
}
