//! Payloads on the move: the real program, real databases, and stores that others wrote.

#[path = "../remote/cloudinary_server.rs"]
#[allow(dead_code, reason = "shared with the tests of the stores alone")]
mod cloudinary_server;
#[path = "../objects/place.rs"]
#[allow(dead_code, reason = "shared with the tests of object stores")]
mod place;
#[path = "../support/mod.rs"]
mod support;
#[path = "../remote/web.rs"]
mod web;

mod all_ways;
mod by_settings;
mod damage;
mod interrupted;
mod large;
mod reader;
mod readers;
mod replaced;
mod store_away;

use std::collections::BTreeMap;

use serde_json::Value;
use support::database::Kind;
use support::noise::noise;
use support::program::Sandbox;

use place::{Place, entries};

/// Each database, with an object store of another kind.
fn pairs() -> [(Kind, Place); 3] {
    [
        (Kind::Sqlite, Place::directory()),
        (Kind::Postgres, Place::s3("IMAGECACHED_TEST_S3_MOTO")),
        (Kind::MariaDb, Place::s3("IMAGECACHED_TEST_S3_FS")),
    ]
}

/// How many entries have their bytes in the row, in chunks, in the store, and nowhere.
fn spread(sandbox: &Sandbox) -> [usize; 4] {
    ["inline", "chunks", "url", "none"].map(|payload| entries(sandbox, payload))
}

/// All entries by their paths, without what a move is to change.
fn looks(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let listed: Value = serde_json::from_str(&sandbox.ok(&["list", "--json"])).expect("JSON");
    let entries = listed.as_array().expect("a list").iter().cloned();
    entries
        .map(|mut entry| {
            for key in ["payload", "image_url", "last_accessed"] {
                entry.as_object_mut().expect("an entry").remove(key);
            }
            (entry["original_path"].as_str().expect("a path").to_owned(), entry)
        })
        .collect()
}

/// Moves, which must end with this exit code; what it has told as JSON, and its log.
fn moves(sandbox: &Sandbox, args: &[&str], code: i32) -> (Value, String) {
    let output = sandbox.output(&[&["move", "--json"], args].concat());
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "move {args:?}: {log}");
    (serde_json::from_slice(&output.stdout).expect("JSON"), log)
}

/// As [`moves`], which must succeed: how many were moved, and how many were there.
fn moved(sandbox: &Sandbox, args: &[&str]) -> (u64, u64) {
    let (told, log) = moves(sandbox, args, 0);
    assert!(
        told["stopped"].is_null() && told["failed"] == 0 && told["changed"] == 0,
        "{told} {log}"
    );
    let number = |key: &str| told[key].as_u64().expect("a number");
    (number("moved"), number("already_there"))
}

/// Chunk rows that no entry refers to.
fn lone_chunks(sandbox: &Sandbox) -> i64 {
    let sql = "SELECT count(*) FROM image_cache_chunk c WHERE NOT EXISTS
        (SELECT 1 FROM image_cache e WHERE e.chunk_set = c.chunk_set)";
    sandbox.numbers(sql)[0]
}

/// Chunk rows.
fn chunks(sandbox: &Sandbox) -> i64 {
    sandbox.numbers("SELECT count(*) FROM image_cache_chunk")[0]
}
