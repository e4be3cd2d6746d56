//! `versions` and `get`: the contents of one path.

use std::time::Duration;

use serde_json::{Value, json};

use crate::story::{CHANGED, DELETED, Story, before};
use crate::support::database::Kind;

fn every_content_of_a_path_is_listed_and_read(kind: Kind) {
    let story = Story::tell(kind);
    let kept = story.kept(CHANGED);
    let listed: Value =
        serde_json::from_str(&story.sandbox.ok(&["versions", "--json", CHANGED])).expect("JSON");
    let listed = listed.as_array().expect("a list");
    let places: Vec<_> = listed.iter().map(|it| it["payload"].as_str().unwrap()).collect();
    assert_eq!(places, ["inline", "url", "chunks", "chunks", "inline"], "{kind:?}");
    assert_eq!((&listed[0]["until"], &listed[0]["version"]), (&Value::Null, &Value::Null));
    assert!(listed[1..].iter().all(|it| it["why"] == "replaced"), "{kind:?} {listed:?}");
    for (newer, older) in listed.iter().zip(&listed[1..]) {
        assert_eq!(newer["since"], older["until"], "{kind:?}");
    }
    for (number, bytes) in story.contents.iter().enumerate() {
        let row = &listed[4 - number];
        assert_eq!(row["file_size"], bytes.len());
        let mut times = vec![row["since"].as_str().unwrap().to_owned()];
        // Until the last moment before the next content.
        times.extend(kept[4 - number].ended.map(|(until, _)| before(until).exact()));
        for time in times {
            let (code, read, said) = story.run(&["get", CHANGED, "--as-of", &time]);
            assert_eq!(code, 0, "{kind:?} {number} at {time}: {said}");
            assert!(read == *bytes, "{kind:?} {number} at {time}");
        }
        if let Some(version) = row["version"].as_i64() {
            let (_, read, said) = story.run(&["get", CHANGED, "--version", &version.to_string()]);
            assert!(read == *bytes, "{kind:?} {number} by its number: {said}");
        }
    }
    // For people, a line each.
    let lines = story.sandbox.ok(&["versions", CHANGED]);
    let first: Vec<_> = lines.lines().next().expect("a line").split('\t').collect();
    assert_eq!((first[1], first[2], first[3], first[5]), ("-", "present", "-", "inline"));
    assert_eq!(lines.lines().count(), 5);
    let deleted = story.sandbox.ok(&["versions", DELETED]);
    assert!(deleted.lines().count() == 1 && deleted.contains("\tdeleted\t"), "{deleted}");
    story.end();
}

#[test]
fn every_content_of_a_path_is_listed_and_read_with_sqlite() {
    every_content_of_a_path_is_listed_and_read(Kind::Sqlite);
}

#[test]
fn every_content_of_a_path_is_listed_and_read_with_postgresql() {
    every_content_of_a_path_is_listed_and_read(Kind::Postgres);
}

#[test]
fn every_content_of_a_path_is_listed_and_read_with_mariadb() {
    every_content_of_a_path_is_listed_and_read(Kind::MariaDb);
}

#[test]
fn what_a_path_did_not_have_is_told() {
    let story = Story::tell(Kind::Sqlite);
    let first = story.since(0);
    let refused = |args: &[&str], code: i32, why: &str| {
        let (ended, read, said) = story.run(args);
        assert_eq!((ended, read.len()), (code, 0), "{args:?}: {said}");
        assert!(said.contains(why), "{args:?}: {said}");
    };
    let exact = before(first).exact();
    refused(&["get", CHANGED, "--as-of", &exact], 1, "it was stored first at");
    refused(&["get", DELETED, "--as-of", "0s"], 1, "had no content at");
    refused(&["get", DELETED], 1, "imagecached versions");
    refused(&["get", CHANGED, "--version", "99999"], 1, "has no version 99999");
    refused(&["get", "never.jpg", "--as-of", "0s"], 1, "never.jpg is not in the cache");
    refused(&["versions", "never.jpg"], 1, "never.jpg is not in the cache");
    refused(&["versions", "../x"], 2, "../x");
    refused(&["get", CHANGED, "--as-of", "yesterday"], 2, "write 2026-11-20");
    // Once the versions are purged, what was there is known, and what it was is not.
    let purge = story.store.purge(Duration::ZERO, Duration::from_secs(3600));
    assert_eq!(story.sandbox.block_on(purge).expect("a purge").versions, 4);
    refused(&["get", CHANGED, "--as-of", &first.exact()], 1, "is not kept");
    let listed = story.sandbox.ok(&["versions", "--json", CHANGED]);
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["why"]), (1, &json!(null)));
    story.end();
}

#[test]
fn a_content_is_written_to_a_new_file() {
    let story = Story::tell(Kind::Sqlite);
    let (file, name) = story.beside("then.jpg");
    let time = story.since(3).exact();
    let args = ["get", CHANGED, "--as-of", &time, "-o", &name];
    assert_eq!(story.run(&args).0, 0);
    assert!(std::fs::read(&file).expect("the file") == story.contents[3]);
    let (code, _, said) = story.run(&args);
    assert!(code == 1 && said.contains("name a new file"), "{said}");
    // Reading a former content does not count as an access to the present one.
    let present = story.kept(CHANGED)[0].entry.clone();
    assert_eq!(present.last_accessed, present.updated_at);
    story.end();
}
