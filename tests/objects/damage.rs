//! Entries that lead elsewhere, and objects that are gone or altered.

use std::fs;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{DATABASES, count_lines, noise};

/// Counts who comes by.
fn listener() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let visitors = Arc::new(AtomicUsize::new(0));
    let counted = visitors.clone();
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (address, visitors)
}

fn filled(place: &Place, kind: Kind, files: u64) -> Sandbox {
    let sandbox = place.sandbox(kind);
    for n in 0..files {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 4_000));
    }
    sandbox.ok(&["cache-all"]);
    sandbox
}

/// Restores; all but `damaged` must come back, and those must be named.
fn restores_the_rest(sandbox: &Sandbox, damaged: &[&str]) -> String {
    let mut expected = sandbox.files();
    sandbox.wipe();
    let output = sandbox.output(&["restore"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{log}");
    for path in damaged {
        expected.remove(*path).expect("it was there");
        let line = ["event=restore_damaged", &format!("path={path} ")];
        assert_eq!(count_lines(&log, &line), 1, "{path}: {log}");
        let output = sandbox.output(&["get", path]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "get {path}: {told}");
        assert!(told.contains("is damaged"), "get {path}: {told}");
    }
    assert_eq!(count_lines(&log, &["event=restore_damaged"]), damaged.len(), "{log}");
    assert!(sandbox.files() == expected, "{log}");
    log
}

#[test]
fn an_entry_cannot_send_the_program_elsewhere() {
    let (address, visitors) = listener();
    for kind in DATABASES {
        let place = Place::s3("IMAGECACHED_TEST_S3_FS").with("IMAGECACHED_REMOTE", "all");
        let sandbox = filled(&place, kind, 8);
        let key = place.objects(&sandbox)[0].url.clone();
        let key = key.strip_prefix(&place.base_url).expect("below the prefix").to_owned();
        let base = &place.base_url;
        let urls = [
            format!("http://{address}{key}"),
            format!("s3://another-bucket{key}"),
            format!("http://{address}/{base}{key}"),
            format!("{base}/..{key}"),
            "file:///etc/passwd".to_owned(),
        ];
        for (n, url) in urls.iter().enumerate() {
            sandbox.sql(&format!(
                "UPDATE image_cache SET image_url = '{url}' WHERE original_path = '{n}.jpg'"
            ));
        }
        restores_the_rest(&sandbox, &["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg"]);
        sandbox.remove();
    }
    assert_eq!(visitors.load(Ordering::SeqCst), 0);
}

#[test]
fn objects_that_are_gone_or_altered_are_named() {
    let place = Place::directory().with("IMAGECACHED_REMOTE", "all");
    let sandbox = filled(&place, Kind::Sqlite, 6);
    let object = |path: &str| {
        let json = sandbox.ok(&["list", "--json"]);
        let list: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let list = list.as_array().expect("a list").iter();
        let entry = list.clone().find(|entry| entry["original_path"] == path).expect("an entry");
        place.file(entry["image_url"].as_str().expect("a URL"))
    };
    fs::remove_file(object("0.jpg")).expect("it is there");
    let mut altered = noise(1, 4_000);
    altered[1_234] ^= 1;
    fs::write(object("1.jpg"), &altered).expect("it can be written");
    fs::write(object("2.jpg"), &altered[..3_999]).expect("it can be written");
    fs::write(object("3.jpg"), [&altered[..], b"more"].concat()).expect("it can be written");
    restores_the_rest(&sandbox, &["0.jpg", "1.jpg", "2.jpg", "3.jpg"]);

    // Whoever has the files stores them again, as the message says; then nothing is damaged.
    for n in 0..4 {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 4_000));
    }
    let files = sandbox.files();
    sandbox.ok(&["cache", "0.jpg", "1.jpg", "2.jpg", "3.jpg"]);
    sandbox.wipe();
    sandbox.ok(&["restore"]);
    assert!(sandbox.files() == files);
    sandbox.remove();
}
