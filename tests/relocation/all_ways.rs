//! From each place to each other, on each database.

use crate::cloudinary_server::CloudinaryServer;
use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{lone_chunks, looks, moved, moves, noise, pairs, spread};

const MIB: usize = 1 << 20;

/// Nothing; a byte; the inline limit and one more; a chunk and one more; and a name that looks odd.
fn fill(sandbox: &Sandbox) -> usize {
    let files = [
        ("empty.txt", 0),
        ("one.bin", 1),
        ("a/b/at the limit.jpg", 5 * MIB),
        ("a/b/over the limit.mp4", 5 * MIB + 1),
        ("chunk.bin", MIB),
        ("chunk and one.bin", MIB + 1),
        ("گربه [1]'\".jpg", 70_000),
    ];
    for (seed, (path, length)) in (1..).zip(files) {
        sandbox.write(path, &noise(seed, length));
    }
    // One content under two names is one object.
    sandbox.write("copy.bin", &noise(5, MIB));
    sandbox.ok(&["cache-all"]);
    files.len() + 1
}

fn every_way(kind: Kind, place: &Place) {
    let sandbox = place.sandbox(kind);
    let files = fill(&sandbox);
    assert_eq!(spread(&sandbox), [files - 1, 0, 1, 0], "{kind:?}");
    let (expected, before) = (sandbox.contents(), looks(&sandbox));
    assert!(expected == sandbox.files(), "{kind:?}");
    let higher = ["--set", "inline_limit=6MiB"];
    // All six ways between the three.
    for (round, (to, spread_after)) in [
        ("chunks", [0, files, 0, 0]),
        ("inline", [files, 0, 0, 0]),
        // There is nothing in an empty file that could be uploaded.
        ("remote", [1, 0, files - 1, 0]),
        ("chunks", [0, files, 0, 0]),
        ("remote", [0, 1, files - 1, 0]),
        ("inline", [files, 0, 0, 0]),
        ("chunks", [0, files, 0, 0]),
    ]
    .into_iter()
    .enumerate()
    {
        let args = ["--to", to, higher[0], higher[1]];
        moved(&sandbox, &args);
        assert_eq!(spread(&sandbox), spread_after, "{kind:?} to {to}");
        assert_eq!(lone_chunks(&sandbox), 0, "{kind:?} to {to}");
        assert!(sandbox.contents() == expected, "{kind:?} to {to}");
        assert_eq!(looks(&sandbox), before, "{kind:?} to {to}");
        // The first three rounds have been to every place.
        for (path, content) in expected.iter().filter(|_| round < 3) {
            assert!(sandbox.content(path) == *content, "{kind:?} to {to}: get {path}");
        }
        assert_eq!(moved(&sandbox, &args), (0, files as u64), "{kind:?} to {to} again");
    }
    // Nothing that a move has left is seen by those that look.
    let told = sandbox.ok(&["cache-all"]);
    assert!(told.starts_with(&format!("0 cached, {files} unchanged")), "{kind:?}: {told}");
    sandbox.remove();
}

#[test]
fn every_way_with_sqlite_and_a_directory() {
    let [(kind, place), _, _] = pairs();
    every_way(kind, &place);
}

#[test]
fn every_way_with_postgresql_and_moto() {
    let [_, (kind, place), _] = pairs();
    every_way(kind, &place);
}

#[test]
fn every_way_with_mariadb_and_s3s_fs() {
    let [_, _, (kind, place)] = pairs();
    every_way(kind, &place);
}

#[test]
fn every_way_through_pgbouncer() {
    every_way(Kind::PgBouncer, &Place::directory());
}

#[test]
fn to_cloudinary_and_back() {
    let server = CloudinaryServer::start();
    let sandbox = Place::cloudinary(&server).sandbox(Kind::Postgres);
    let files = fill(&sandbox) as u64;
    let expected = sandbox.contents();
    assert_eq!(moved(&sandbox, &["--to", "remote"]), (files - 2, 2));
    assert!(sandbox.contents() == expected);
    assert_eq!(moved(&sandbox, &["--to", "chunks"]), (files, 0));
    assert!(sandbox.contents() == expected);
    sandbox.remove();
}

#[test]
fn rows_take_no_more_than_the_inline_limit() {
    let sandbox = Place::directory().sandbox(Kind::Sqlite);
    let files = fill(&sandbox);
    moved(&sandbox, &["--to", "chunks"]);
    let (told, _) = moves(&sandbox, &["--to", "inline"], 0);
    assert_eq!((&told["moved"], &told["failed"]), (&(files - 1).into(), &0.into()), "{told}");
    assert_eq!(told["skipped"]["over_inline_limit"], 1, "{told}");
    assert_eq!(spread(&sandbox), [files - 1, 1, 0, 0]);
    let told = sandbox.ok(&["move", "--to", "inline"]);
    assert!(told.contains("1 are over inline_limit"), "{told}");
    let last = told.lines().last().expect("a line");
    assert_eq!(last, format!("0 moved, {} already there, 1 skipped, 0 failed", files - 1));
    sandbox.remove();
}
