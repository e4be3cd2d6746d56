//! Payloads that are damaged are not moved: they stay as they are, and are named.

use std::fs;

use crate::place::Place;
use crate::support::database::Kind;
use crate::{lone_chunks, moved, moves, noise, spread};

#[test]
fn damaged_payloads_stay_and_are_named() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MariaDb] {
        let place = Place::directory();
        let sandbox = place.sandbox(kind);
        for path in ["a", "b", "c", "d", "e", "sound"] {
            sandbox.write(
                &format!("{path}.jpg"),
                &noise(path.len() as u64 + u64::from(path.as_bytes()[0]), 3 << 20),
            );
        }
        sandbox.ok(&["cache-all"]);
        moved(&sandbox, &["--to", "chunks", "a.jpg", "b.jpg"]);
        moved(&sandbox, &["--to", "remote", "c.jpg", "d.jpg"]);
        let set = "(SELECT chunk_set FROM image_cache WHERE original_path =";
        sandbox.sql(&format!(
            "UPDATE image_cache_chunk SET data = 'x' WHERE seq = 1 AND chunk_set = {set} 'a.jpg')"
        ));
        sandbox.sql(&format!(
            "DELETE FROM image_cache_chunk WHERE seq = 2 AND chunk_set = {set} 'b.jpg')"
        ));
        sandbox.sql("UPDATE image_cache SET image_data = 'Zm9v' WHERE original_path = 'e.jpg'");
        for (object, damage) in place.objects(&sandbox).iter().zip(["gone", "altered"]) {
            let file = place.file(&object.url);
            match damage {
                "gone" => fs::remove_file(file).expect("it was there"),
                _ => fs::write(file, noise(1, 3 << 20)).expect("it can be written"),
            }
        }
        let rows = "SELECT count(*) FROM image_cache_chunk";
        let before = (spread(&sandbox), sandbox.numbers(rows));
        for to in ["chunks", "inline", "remote"] {
            // Only those that are not there already are read.
            let (told, log) = moves(&sandbox, &["--to", to, "[a-e].jpg"], 5);
            let failed = told["failed"].as_u64().expect("a number");
            assert_eq!(
                (failed, &told["moved"]),
                (if to == "chunks" || to == "remote" { 3 } else { 4 }, &0.into()),
                "{kind:?} to {to}: {log}"
            );
            let named = log
                .lines()
                .filter(|line| line.contains("event=move_failed") && line.contains("damaged"));
            assert_eq!(named.count() as u64, failed, "{kind:?} to {to}: {log}");
            assert_eq!((spread(&sandbox), sandbox.numbers(rows)), before, "{kind:?} to {to}");
            assert_eq!(lone_chunks(&sandbox), 0, "{kind:?} to {to}");
        }
        // The sound one moves all the same, and whoever has the files mends the others.
        let (told, _) = moves(&sandbox, &["--to", "remote"], 5);
        assert_eq!(told["moved"], 1, "{kind:?}");
        sandbox.ok(&["cache", "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]);
        moved(&sandbox, &["--to", "remote"]);
        assert!(sandbox.contents() == sandbox.files(), "{kind:?}");
        sandbox.remove();
    }
}

/// An object that somebody has altered is found out before anything refers to it, and replaced.
#[test]
fn an_altered_object_is_not_believed() {
    let place = Place::directory();
    let sandbox = place.sandbox(Kind::Sqlite);
    sandbox.write("a.jpg", &noise(1, 3_000));
    sandbox.write("copy.jpg", &noise(1, 3_000));
    sandbox.ok(&["cache-all"]);
    moved(&sandbox, &["--to", "remote", "a.jpg"]);
    let object = place.objects(&sandbox).remove(0);
    fs::write(place.file(&object.url), noise(2, 3_000)).expect("it can be written");
    moved(&sandbox, &["--to", "remote", "copy.jpg"]);
    assert_eq!(fs::read(place.file(&object.url)).expect("it is there"), noise(1, 3_000));
    assert!(sandbox.contents() == sandbox.files());
    sandbox.remove();
}

/// What is in another store cannot be read: that is said, with what to do.
#[test]
fn a_url_of_another_store_stays() {
    let (one, other) = (Place::directory(), Place::directory());
    let mut sandbox = one.sandbox(Kind::Sqlite);
    sandbox.write("a.mp4", &noise(1, 6 << 20));
    sandbox.ok(&["cache-all"]);
    sandbox.environment = other.environment.clone();
    for args in [&[][..], &["--to", "chunks"]] {
        let (_, log) = moves(&sandbox, args, 5);
        assert!(
            log.contains("not the configured one") && log.contains("move --to chunks"),
            "{log}"
        );
    }
    sandbox.environment = one.environment.clone();
    moved(&sandbox, &["--to", "chunks"]);
    sandbox.environment = other.environment.clone();
    assert_eq!(moved(&sandbox, &[]), (1, 0));
    assert!(sandbox.contents() == sandbox.files());
    sandbox.remove();
}
