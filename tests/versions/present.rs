//! `versions PATH --restore NUMBER`: a former content becomes the present one again.

use std::fs;
use std::fs::OpenOptions;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::noise::noise;
use crate::support::program::Sandbox;

const PATH: &str = "shop/a cat.jpg";

/// The numbers of the former contents of [`PATH`], newest first.
fn versions(sandbox: &Sandbox) -> Vec<i64> {
    let told = sandbox.ok(&["versions", "--json", PATH]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    told.as_array().expect("a list").iter().filter_map(|it| it["version"].as_i64()).collect()
}

fn restore(sandbox: &Sandbox, settings: &[&str], version: i64) -> (Option<i32>, String) {
    let version = version.to_string();
    let output = sandbox.output(&[&["versions", PATH, "--restore", &version], settings].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Wherever the bytes of the two are.
fn every_content_can_be_made_present(kind: Kind) {
    let objects = Place::directory();
    let mut sandbox = objects.sandbox(kind);
    sandbox.environment.retain(|(name, _)| !name.contains("KEEP_"));
    let file = sandbox.uploads.join(PATH);
    let chunks: [&str; 4] = ["--set", "large_files=chunks", "--set", "inline_limit=1KiB"];
    let remote = ["--set", "remote=all"];
    let contents = [3_000, (2 << 20) + 500, 2_000, 900].map(|length| noise(length as u64, length));
    for (content, settings) in contents.iter().zip([&[][..], &chunks, &remote, &[]]) {
        sandbox.write(PATH, content);
        sandbox.ok(&[&["cache"], settings, &["--", PATH]].concat());
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let known = versions(&sandbox);
    let before = fs::metadata(&file).unwrap().modified().unwrap();
    for (version, content) in known.iter().zip(contents.iter().rev().skip(1)) {
        let (code, told) = restore(&sandbox, &remote, *version);
        assert_eq!(code, Some(0), "{kind:?}: {told}");
        assert!(fs::read(&file).unwrap() == *content, "{kind:?}");
        assert!(sandbox.contents()[PATH] == *content, "{kind:?}");
    }
    // Whoever keeps thumbnails by the mtime makes them anew.
    assert!(fs::metadata(&file).unwrap().modified().unwrap() >= before);
    // What was present each time is a version since: the first and the last, and two in between.
    assert_eq!(versions(&sandbox).len(), 6, "{kind:?}");
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
    assert_eq!(restore(&sandbox, &remote, 99_999).0, Some(1));
    sandbox.remove();
}

#[test]
fn every_content_can_be_made_present_in_sqlite() {
    every_content_can_be_made_present(Kind::Sqlite);
}

#[test]
fn every_content_can_be_made_present_in_postgresql() {
    every_content_can_be_made_present(Kind::Postgres);
}

#[test]
fn every_content_can_be_made_present_in_mariadb() {
    every_content_can_be_made_present(Kind::MariaDb);
}

#[test]
fn what_nobody_has_stored_yet_is_not_lost_by_it() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    for content in ["first", "second"] {
        sandbox.write(PATH, content.as_bytes());
        sandbox.ok(&["cache", "--", PATH]);
    }
    let file = sandbox.uploads.join(PATH);
    let first = versions(&sandbox)[0];
    // A third, which no daemon has seen: it is stored before the first takes its place.
    sandbox.write(PATH, b"third");
    assert_eq!(restore(&sandbox, &[], first).0, Some(0));
    assert_eq!(fs::read(&file).unwrap(), b"first");
    let third = versions(&sandbox)[0].to_string();
    assert_eq!(sandbox.ok(&["get", PATH, "--version", &third]), "third");
    // One that the settings leave out would be lost.
    sandbox.write(PATH, &[7; 3_000]);
    let skip = ["--set", "inline_limit=1KiB", "--set", "large_files=skip"];
    let (code, told) = restore(&sandbox, &skip, first);
    assert_eq!((code, fs::read(&file).unwrap().len()), (Some(5), 3_000), "{told}");
    assert!(told.contains("would be lost"), "{told}");
    // A damaged one takes nothing's place, and neither does any while the file is being written.
    sandbox.write(PATH, b"present");
    sandbox.ok(&["cache", "--", PATH]);
    sandbox.sql(&format!("UPDATE image_cache_history SET image_data = 'AAAA' WHERE id = {first}"));
    let (code, told) = restore(&sandbox, &[], first);
    assert_eq!((code, fs::read(&file).unwrap()), (Some(5), b"present".to_vec()), "{told}");
    // Nothing on disk is in nobody's way.
    fs::remove_file(&file).unwrap();
    let third = third.parse().expect("a number");
    assert_eq!(restore(&sandbox, &[], third).0, Some(0));
    assert_eq!(fs::read(&file).unwrap(), b"third");
    let writer = OpenOptions::new().append(true).open(&file).unwrap();
    let started = sandbox.output(&[
        "versions",
        PATH,
        "--restore",
        &third.to_string(),
        "--set",
        "quiet=100ms",
        "--set",
        "held_open=200ms",
    ]);
    drop(writer);
    assert_eq!(started.status.code(), Some(5), "{started:?}");
    sandbox.remove();
}
