//! Entries whose bytes are not those that were stored.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use imagecached::model::base64;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::{count_lines, everywhere, noise};

const INLINE: [&str; 8] = [
    "flipped.jpg",
    "shorter.jpg",
    "longer.jpg",
    "wrong-length.jpg",
    "not-base64.jpg",
    "no-sha256.jpg",
    "other-sha256.jpg",
    "empty-data.jpg",
];
const CHUNKED: [&str; 5] = [
    "flipped-chunk.bin",
    "no-first-chunk.bin",
    "no-middle-chunk.bin",
    "no-last-chunk.bin",
    "no-chunk.bin",
];

fn content(name: &str) -> Vec<u8> {
    let length = if name.ends_with(".bin") { (3 << 20) - 9 } else { 3_000 };
    noise(name.len() as u64, length)
}

fn store(sandbox: &Sandbox, names: &[&str], inline_limit: &str) {
    for name in names {
        sandbox.write(name, &content(name));
    }
    let setting = format!("inline_limit={inline_limit}");
    let told = sandbox.ok(&["cache-all", "--set", &setting]);
    assert!(told.starts_with(&format!("{} cached", names.len())), "{told}");
}

fn damage_inline(sandbox: &Sandbox) {
    let set = |name: &str, column: &str, value: &str| {
        sandbox.sql(&format!(
            "UPDATE image_cache SET {column} = '{value}' WHERE original_path = '{name}'"
        ));
    };
    let data = |name: &str, bytes: &[u8]| set(name, "image_data", &base64::encode(bytes));
    let mut flipped = content(INLINE[0]);
    flipped[1_234] ^= 1;
    data("flipped.jpg", &flipped);
    data("shorter.jpg", &content("shorter.jpg")[..2_999]);
    data("longer.jpg", &[content("longer.jpg"), vec![0]].concat());
    sandbox.sql("UPDATE image_cache SET file_size = 2999 WHERE original_path = 'wrong-length.jpg'");
    set(
        "not-base64.jpg",
        "image_data",
        &format!("{}!", base64::encode(&content("not-base64.jpg"))),
    );
    set("no-sha256.jpg", "sha256", "");
    set("other-sha256.jpg", "sha256", &"0123456789abcdef".repeat(4));
    set("empty-data.jpg", "image_data", "");
}

fn damage_chunks(sandbox: &Sandbox) {
    let of = |name: &str| {
        format!("chunk_set = (SELECT chunk_set FROM image_cache WHERE original_path = '{name}')")
    };
    let flipped = match sandbox.database.kind {
        Kind::Postgres | Kind::PgBouncer => {
            "set_byte(data, 777, get_byte(data, 777) # 1)".to_owned()
        }
        Kind::MariaDb => {
            "CONCAT(LEFT(data, 777), CHAR(ASCII(SUBSTR(data, 778, 1)) ^ 1), SUBSTR(data, 779))"
                .into()
        }
        // SQLite's own functions treat it as a text on the way, so the byte is put in by its value.
        Kind::Sqlite => {
            let mut bytes = content("flipped-chunk.bin")[1 << 20..2 << 20].to_vec();
            bytes[777] ^= 1;
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{hex}'")
        }
    };
    sandbox.sql(&format!(
        "UPDATE image_cache_chunk SET data = {flipped} WHERE {} AND seq = 1",
        of("flipped-chunk.bin")
    ));
    for (name, which) in [
        ("no-first-chunk.bin", "AND seq = 0"),
        ("no-middle-chunk.bin", "AND seq = 1"),
        ("no-last-chunk.bin", "AND seq = 2"),
        ("no-chunk.bin", ""),
    ] {
        sandbox.sql(&format!("DELETE FROM image_cache_chunk WHERE {} {which}", of(name)));
    }
}

fn damaged_is_not_written(kind: Kind, place: &Path) {
    let sandbox = Sandbox::beneath(kind, place);
    let good = ["good.jpg", "also/good.jpg", "good.bin"];
    store(&sandbox, &[&INLINE[..], &good[..2]].concat(), "5MiB");
    store(&sandbox, &[&CHUNKED[..], &good[2..]].concat(), "0");
    store(&sandbox, &["no-only-chunk.jpg"], "0");
    damage_inline(&sandbox);
    damage_chunks(&sandbox);
    sandbox.sql(
        "DELETE FROM image_cache_chunk WHERE chunk_set =
            (SELECT chunk_set FROM image_cache WHERE original_path = 'no-only-chunk.jpg')",
    );
    let damaged = [&INLINE[..], &CHUNKED[..], &["no-only-chunk.jpg"]].concat();
    let whole: BTreeMap<_, _> = good.map(|name| (name.to_owned(), content(name))).into();

    sandbox.wipe();
    let output = sandbox.output(&["restore"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{kind:?}: {log}");
    assert_named(&log, &damaged);
    assert!(sandbox.files() == whole, "{kind:?}: {:?}", sandbox.files().keys());
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("3 restored") && told.contains("14 damaged"), "{kind:?}: {told}");

    // The app starts all the same, and finds the same.
    sandbox.wipe();
    let (status, log) = Running::start(sandbox.run(&[], "exit 0")).wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_named(&log, &damaged);
    assert!(sandbox.files() == whole, "{kind:?}");

    // Nor is it given out by itself; a file that is made of it does not stay.
    for name in &damaged {
        let file = sandbox.beside().join("out");
        let output = sandbox.output(&["get", name, "--output", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(5), "{kind:?}, {name}");
        assert!(!fs::exists(&file).unwrap(), "{kind:?}, {name}");
    }
    // The cure that is told: with the file on disk again, it is stored again.
    sandbox.write("flipped.jpg", &content("flipped.jpg"));
    sandbox.ok(&["cache", "flipped.jpg"]);
    // And so are all others at once, by what is told to mend whatever it can.
    for name in &damaged {
        sandbox.write(name, &content(name));
    }
    let told = sandbox.ok(&["verify"]);
    assert!(told.contains("17 verified") && told.contains(", 0 not mended"), "{kind:?}: {told}");
    assert!(sandbox.contents() == sandbox.files(), "{kind:?}");
    sandbox.remove();
}

fn assert_named(log: &str, damaged: &[&str]) {
    for name in damaged {
        let lines = count_lines(log, &["event=restore_damaged", &format!("path={name} ")]);
        assert_eq!(lines, 1, "{name} is not named:\n{log}");
    }
}

#[test]
fn t34_a_damaged_entry_is_named_and_not_written_and_the_rest_is_restored() {
    for (kind, place) in everywhere() {
        damaged_is_not_written(kind, &place);
    }
}
