//! An object store, or a database, that does not answer while payloads are moved.

use crate::place::Place;
use crate::support::database::Kind;
use crate::{lone_chunks, moved, moves, noise, spread};

/// After a few files it gives up: each of the others would take as long to fail.
#[test]
fn a_store_that_is_away_ends_the_move_and_nothing_is_lost() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MariaDb] {
        let gone = Place::dead();
        let sandbox = gone.sandbox(kind);
        for n in 0..40 {
            sandbox.write(&format!("{n}.jpg"), &noise(n, 3_000));
        }
        sandbox.ok(&["cache-all"]);
        let (told, log) = moves(&sandbox, &["--to", "remote"], 5);
        let failed = told["failed"].as_u64().expect("a number");
        assert!((3..12).contains(&failed), "{kind:?}: {told}");
        assert!(
            told["stopped"].as_str().is_some_and(|why| why.contains("check the store")),
            "{told}"
        );
        let named = log.lines().filter(|line| line.contains("event=move_failed")).count() as u64;
        assert_eq!(named, failed, "{kind:?}: {log}");
        assert_eq!((spread(&sandbox), lone_chunks(&sandbox)), ([40, 0, 0, 0], 0), "{kind:?}");
        assert!(sandbox.contents() == sandbox.files(), "{kind:?}");
        sandbox.remove();
    }
}

/// What is in the store that is gone can be read once it is back.
#[test]
fn a_store_that_goes_away_in_the_middle_is_told() {
    let (place, gone) = (Place::directory(), Place::dead());
    let mut sandbox = place.sandbox(Kind::Postgres);
    for n in 0..40 {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 300_000));
    }
    sandbox.ok(&["cache-all"]);
    moved(&sandbox, &["--to", "remote", "1*.jpg"]);
    let there = spread(&sandbox)[2];
    // Those that were moved are in the store that is gone now; the others are not.
    sandbox.sql(&format!(
        "UPDATE image_cache SET image_url = replace(image_url, '{}', '{}') WHERE image_url <> ''",
        place.base_url, gone.base_url
    ));
    sandbox.environment = gone.environment.clone();
    let (told, log) = moves(&sandbox, &["--to", "chunks"], 5);
    assert!(told["stopped"].is_string(), "{told} {log}");
    assert_eq!(spread(&sandbox)[2], there, "{log}");
    sandbox.sql(&format!(
        "UPDATE image_cache SET image_url = replace(image_url, '{}', '{}') WHERE image_url <> ''",
        gone.base_url, place.base_url
    ));
    sandbox.environment = place.environment.clone();
    moved(&sandbox, &["--to", "chunks"]);
    assert_eq!(spread(&sandbox), [0, 40, 0, 0]);
    assert!(sandbox.contents() == sandbox.files());
    sandbox.remove();
}

/// Connections that are cut are replaced, and the move goes on.
#[test]
fn a_database_that_cuts_its_connections_does_not_end_a_move() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let sandbox = Place::directory().sandbox(kind);
        for n in 0..200 {
            sandbox.write(&format!("{n}.jpg"), &noise(n, 100_000));
        }
        sandbox.write("large.bin", &noise(999, 20 << 20));
        sandbox.ok(&["cache-all"]);
        for to in ["remote", "chunks"] {
            let mut moving = sandbox.start(&["move", "--to", to]);
            for _ in 0..5 {
                // Four that are under way at a cut may have been told of before it.
                moving.log();
                for _ in 0..6 {
                    moving.wait_for_log("event=moved ");
                }
                // It must not come to its end before the last cut, however slow this test is.
                moving.freeze();
                sandbox.block_on(sandbox.database.cut_connections());
                moving.thaw();
            }
            let (status, log) = moving.wait();
            assert!(status.success(), "{kind:?} to {to}: {log}");
            assert!(!log.contains("move_failed"), "{kind:?} to {to}: {log}");
        }
        assert_eq!((spread(&sandbox), lone_chunks(&sandbox)), ([0, 201, 0, 0], 0), "{kind:?}");
        assert!(sandbox.contents() == sandbox.files(), "{kind:?}");
        sandbox.remove();
    }
}
