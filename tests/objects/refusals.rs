//! A store that refuses, or is away: files go into the database instead, and nothing is lost.

use crate::cloudinary_server::{CloudinaryServer, Fault};
use crate::place::{Place, entries};
use crate::support::database::Kind;
use crate::{count_lines, noise, peak_memory};

/// Uploads large and small files; none of them may reach the store, and all must be safe.
fn all_in_the_database(shown: &str, place: &Place) {
    let sandbox = place.sandbox(Kind::Postgres);
    let mut watch = sandbox.watch();
    sandbox.write("large.bin", &noise(1, 6 << 20));
    watch.wait_for_log("path=large.bin");
    for n in 0..40 {
        sandbox.write(&format!("{n}.jpg"), &noise(2 + n, 3_000));
    }
    sandbox.write("larger.bin", &noise(50, 20 << 20));
    sandbox.wait_for_entries(42);
    let peak = peak_memory(watch.pid());
    let (status, log) = watch.stop();
    assert!(status.success(), "{shown}: {log}");
    let told = count_lines(&log, &["event=object_refused"]);
    println!("{shown}: told {told} times, peak memory {} MiB", peak >> 20);
    assert!((1..=10).contains(&told), "{shown}: {log}");
    assert!(!log.contains("s3cret"), "{shown}: {log}");
    assert!(peak < 96 << 20, "{shown}: {} MiB", peak >> 20);
    assert_eq!(entries(&sandbox, "chunks"), 42, "{shown}: {}", sandbox.ok(&["list"]));
    let files = sandbox.files();
    // A later run finds all of them stored, and asks the store for nothing.
    let told = sandbox.ok(&["cache-all"]);
    assert!(told.starts_with("0 cached, 42 unchanged"), "{shown}: {told}");
    sandbox.wipe();
    sandbox.ok(&["restore"]);
    assert!(sandbox.files() == files, "{shown}");
    sandbox.remove();
}

#[test]
fn a_closed_port() {
    all_in_the_database("a closed port", &Place::dead().with("IMAGECACHED_REMOTE", "all"));
}

#[test]
fn wrong_credentials() {
    let endpoint =
        std::env::var("IMAGECACHED_TEST_S3_FS").expect("run this by tests/with-services");
    let place = Place::s3_at(&endpoint, "wr0ng-s3cret").with("IMAGECACHED_REMOTE", "all");
    all_in_the_database("wrong credentials", &place);
}

fn cloudinary_answers(shown: &str, status: u16, message: &str) {
    let server = CloudinaryServer::start();
    let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
    for _ in 0..1_000 {
        server.fault("raw/upload", Fault::Answer(status, Vec::new(), body.clone()));
    }
    all_in_the_database(shown, &Place::cloudinary(&server).with("IMAGECACHED_REMOTE", "all"));
    assert_eq!(server.assets(), 0);
}

#[test]
fn cloudinary_throttles() {
    cloudinary_answers("Cloudinary 420", 420, "Rate Limit Exceeded. Limit of 500 api operations");
}

#[test]
fn cloudinary_is_asked_too_much() {
    cloudinary_answers("Cloudinary 429", 429, "Too many concurrent uploads");
}

#[test]
fn cloudinary_is_out_of_order() {
    cloudinary_answers("Cloudinary 500", 500, "General Error");
}

/// What is too large for the plan goes into chunks, and the others into the store all the same.
#[test]
fn cloudinary_s_plan_has_a_limit() {
    let server = CloudinaryServer::start();
    server.largest(10 << 20);
    let place = Place::cloudinary(&server).with("IMAGECACHED_REMOTE", "all");
    let sandbox = place.sandbox(Kind::MariaDb);
    sandbox.write("too large.bin", &noise(1, 12 << 20));
    sandbox.write("large.bin", &noise(2, 8 << 20));
    sandbox.write("small.jpg", &noise(3, 5_000));
    let output = sandbox.output(&["cache-all"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    assert_eq!(
        count_lines(&log, &["event=object_refused", "too large.bin", "Maximum is"]),
        1,
        "{log}"
    );
    assert_eq!((entries(&sandbox, "chunks"), entries(&sandbox, "url")), (1, 2), "{log}");
    assert_eq!(server.assets(), 2);
    let files = sandbox.files();
    sandbox.wipe();
    sandbox.ok(&["restore"]);
    assert!(sandbox.files() == files);
    sandbox.remove();
}
