//! Today's program on a database that the first migration has made and the first version filled.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::*;

fn json(sandbox: &Sandbox, args: &[&str]) -> Value {
    serde_json::from_str(&sandbox.ok(args)).expect("JSON")
}

fn today_works_on_it(kind: Kind) {
    let sandbox = sandbox_of_the_first_version(kind);
    // Everything comes back, with the times and modes of then.
    let told = sandbox.ok(&["restore"]);
    assert!(told.starts_with("12 restored"), "{kind:?}: {told}");
    assert!(told.contains("1 without data"), "{kind:?}: {told}");
    assert!(sandbox.files() == first_contents(), "{kind:?}");
    for (path, mtime_ns, mode) in [
        ("products/red-shoe.jpg", 1_552_953_599_123_456_789, 0o640),
        ("odd/it's \"quoted\" & 100% {odd}; -- really.txt", -86_400_000_000_001, 0o644),
        ("odd/case.txt", 1_577_836_800_000_000_000, 0o755),
    ] {
        let look = fs::metadata(sandbox.uploads.join(path)).unwrap();
        assert_eq!(look.mtime() * 1_000_000_000 + look.mtime_nsec(), mtime_ns, "{kind:?}, {path}");
        assert_eq!(look.mode() & 0o7777, mode, "{kind:?}, {path}");
    }
    let status = json(&sandbox, &["status", "--json"]);
    for (figure, number) in [
        ("entries", 13),
        ("with_data", 12),
        ("inline", 9),
        ("chunked", 2),
        ("by_url", 1),
        ("unsaved", 0),
    ] {
        assert_eq!(status[figure], number, "{kind:?}, {figure}");
    }
    let list = json(&sandbox, &["list", "--json", "--search", "red-shoe"]);
    let shoe = &list[0];
    assert_eq!(shoe["created_at"], "2019-03-20T23:59:59Z", "{kind:?}");
    assert_eq!(shoe["updated_at"], "2019-03-21T00:00:00Z", "{kind:?}");
    assert_eq!(
        (&shoe["content_type"], &shoe["object_id"]),
        (&"catalog.product".into(), &"17".into())
    );

    // What is on disk is in use; the entry of then that is nowhere is not.
    let cleaned = json(&sandbox, &["cleanup", "--days", "90", "--yes", "--json"]);
    assert_eq!(cleaned["removed"], 1, "{kind:?}: {cleaned}");
    assert!(!sandbox.paths().contains(&WITHOUT_DATA.to_owned()), "{kind:?}");

    // Files of every kind change, and a new one comes.
    let mut expected = first_contents();
    for (path, content) in [
        ("products/red-shoe.jpg", b"A red shoe, repainted.\n".to_vec()),
        ("documents/one-chunk.bin", b"short by now".to_vec()),
        ("documents/several-chunks.bin", LETTERS.repeat(70_000).into_bytes()),
        (BY_URL.0, b"in the row by now".to_vec()),
        ("products/new.jpg", b"was not there then".to_vec()),
    ] {
        sandbox.write(path, &content);
        expected.insert(path.to_owned(), content);
    }
    let told = sandbox.ok(&["cache-all", "--set", "inline_limit=1MiB"]);
    assert!(told.starts_with("5 cached"), "{kind:?}: {told}");
    assert!(sandbox.contents() == expected, "{kind:?}");
    let list = json(&sandbox, &["list", "--json", "--search", "red-shoe"]);
    assert_eq!(list[0]["created_at"], "2019-03-20T23:59:59Z", "{kind:?}");
    assert_eq!(list[0]["object_id"], "17", "{kind:?}");
    assert_whole_schema(&sandbox);
    sandbox.remove();
}

fn assert_whole_schema(sandbox: &Sandbox) {
    let newest = sandbox.numbers("SELECT max(version) FROM imagecached_schema");
    assert_eq!(newest, [steps(sandbox.database.kind).len() as i64]);
    let store = sandbox.store();
    sandbox.block_on(async {
        store.check().await.unwrap();
        store.close().await;
    });
}

#[test]
fn a_cache_of_the_first_version_is_used_by_todays_program() {
    for kind in DATABASES {
        today_works_on_it(kind);
    }
}

/// The fixtures are what the first migration wrote, as long as they hold its very words.
#[test]
fn the_fixtures_hold_the_first_migration_word_by_word() {
    for kind in DATABASES {
        assert!(fixture(kind).contains(steps(kind)[0].trim_end()), "{kind:?}");
    }
}
