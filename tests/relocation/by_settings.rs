//! Where the settings want payloads, what is chosen, and what a dry run shows.

use crate::place::Place;
use crate::support::database::Kind;
use crate::{moved, moves, noise, pairs, spread};

#[test]
fn what_is_not_where_the_settings_want_it_moves_there() {
    for (kind, place) in pairs() {
        let mut sandbox = place.sandbox(kind);
        let with_store = std::mem::take(&mut sandbox.environment);
        for n in 0..40 {
            sandbox.write(&format!("small/{n}.jpg"), &noise(n, 2_000));
        }
        sandbox.write("large.mp4", &noise(100, 6 << 20));
        sandbox.write("larger.mp4", &noise(101, 9 << 20));
        sandbox.write("without.mp4", &noise(102, 7 << 20));
        sandbox.ok(&["cache-all"]);
        assert_eq!(spread(&sandbox), [40, 3, 0, 0], "{kind:?}");
        assert_eq!(moved(&sandbox, &[]), (0, 43), "{kind:?}: all is where it is wanted");
        let expected = sandbox.contents();
        let chunk_set = "chunk_set = NULL";
        let sql = format!("UPDATE image_cache SET {chunk_set} WHERE original_path = 'without.mp4'");
        sandbox.sql(&sql);

        // The store is turned on later.
        sandbox.environment = with_store;
        let (plan, _) = moves(&sandbox, &["--dry-run"], 0);
        let bytes = (6 << 20) + (9 << 20);
        let planned = serde_json::json!([
            { "from": "chunks", "to": "url", "entries": 2, "bytes": bytes }
        ]);
        assert_eq!(plan["moves"], planned, "{kind:?}");
        assert_eq!((&plan["already_there"], &plan["skipped"]["no_data"]), (&40.into(), &1.into()));
        let told = sandbox.ok(&["move", "--dry-run"]);
        assert!(told.contains("chunks -> url: 2 (15 MiB)"), "{told}");
        assert_eq!(spread(&sandbox), [40, 2, 0, 1], "{kind:?}: a dry run moves nothing");
        assert!(place.objects(&sandbox).is_empty());

        let told = sandbox.ok(&["move"]);
        assert!(told.contains("1 have no data"), "{told}");
        assert!(told.ends_with("2 moved, 40 already there, 1 skipped, 0 failed\n"), "{told}");
        assert_eq!(spread(&sandbox), [40, 0, 2, 1], "{kind:?}");
        let before = place.objects(&sandbox);
        let told = sandbox.ok(&["move"]);
        assert!(told.ends_with("0 moved, 42 already there, 1 skipped, 0 failed\n"), "{told}");
        assert_eq!(place.objects(&sandbox), before, "{kind:?}: nothing was written again");

        // All of it; and what has no data gets it from the disk.
        let all = ["cache-all", "--move-payloads", "--set", "remote=all"];
        let told = sandbox.ok(&all);
        assert!(told.starts_with("1 cached, 42 unchanged, 0 skipped, 0 failed\n"), "{told}");
        assert!(told.ends_with("40 moved, 3 already there, 0 skipped, 0 failed\n"), "{told}");
        assert_eq!(spread(&sandbox), [0, 0, 43, 0], "{kind:?}");
        assert!(sandbox.contents() == expected, "{kind:?}");
        let json: serde_json::Value =
            serde_json::from_str(&sandbox.ok(&[&all[..], &["--json"]].concat())).expect("JSON");
        assert_eq!((&json["cached"], &json["payloads"]["moved"]), (&0.into(), &0.into()), "{json}");

        // Back into the database, before the store is given up.
        let to_database = ["--set", "large_files=chunks", "--set", "remote=large"];
        assert_eq!(moved(&sandbox, &to_database), (43, 0), "{kind:?}");
        assert_eq!(spread(&sandbox), [40, 3, 0, 0], "{kind:?}");
        sandbox.environment.clear();
        assert!(sandbox.contents() == expected, "{kind:?}");
        sandbox.remove();
    }
}

#[test]
fn paths_patterns_and_places_choose() {
    let place = Place::directory();
    let sandbox = place.sandbox(Kind::Sqlite);
    for path in ["a/1.jpg", "a/2.mp4", "b/1.jpg", "b/[1].jpg", "c.mp4", "-c.mp4"] {
        sandbox.write(path, path.as_bytes());
    }
    sandbox.ok(&["cache-all"]);
    assert_eq!(moved(&sandbox, &["--to", "chunks", "*.mp4", "a/1.jpg"]), (4, 0));
    assert_eq!(spread(&sandbox), [2, 4, 0, 0]);
    assert_eq!(moved(&sandbox, &["--to", "remote", "--from", "chunks", "a/", "b/"]), (2, 0));
    assert_eq!(spread(&sandbox), [2, 2, 2, 0]);
    assert_eq!(moved(&sandbox, &["--to", "chunks", "b/[1].jpg"]), (2, 0), "both are meant");
    assert_eq!(moved(&sandbox, &["--to", "inline", "--", "-c.mp4"]), (1, 0));
    assert_eq!(spread(&sandbox), [1, 3, 2, 0]);

    let refused = |args: &[&str], code, text: &str| {
        let output = sandbox.output(args);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.contains(text), "{args:?}: {told}");
    };
    refused(&["move", "nothing.jpg"], 1, "no entry matches nothing.jpg");
    refused(&["move", "a{b"], 2, "a{b");
    refused(&["move", "--to", "nowhere"], 2, "nowhere");
    refused(
        &["move", "--to", "remote", "--set", "object_store="],
        3,
        "no object store is configured",
    );
    sandbox.remove();
}

/// What the settings would not keep is not thrown away.
#[test]
fn large_files_that_are_skipped_stay() {
    let sandbox = Place::directory().sandbox(Kind::Sqlite);
    sandbox.write("large.mp4", &noise(1, 6 << 20));
    sandbox.ok(&["cache-all"]);
    let (told, _) = moves(&sandbox, &["--set", "large_files=skip"], 0);
    assert_eq!((&told["moved"], &told["skipped"]["not_kept"]), (&0.into(), &1.into()), "{told}");
    assert_eq!(spread(&sandbox), [0, 0, 1, 0]);
    sandbox.remove();
}
