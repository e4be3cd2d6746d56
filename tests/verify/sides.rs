//! Every state of a payload beside every state of its file, in every place and every database.

use std::collections::BTreeMap;
use std::fs::{self, File};

use imagecached::model::base64;
use serde_json::Value;

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{noise, verify};

const DAMAGES: [&str; 4] = ["sound", "flipped", "short", "gone"];
const DISKS: [&str; 4] = ["same", "other", "silent", "absent"];

/// A place for payloads, and the settings that put them there.
const INLINE: (&str, &[&str]) = ("inline", &["--set", "large_files=chunks"]);
const CHUNKS: (&str, &[&str]) =
    ("chunks", &["--set", "large_files=chunks", "--set", "inline_limit=0"]);
const OBJECT: (&str, &[&str]) = ("object", &["--set", "remote=all"]);

fn name(place: &str, damage: &str, disk: &str) -> String {
    format!("{place}/{damage} {disk}.bin")
}

/// Files that go into chunks have two of them.
fn content(path: &str) -> Vec<u8> {
    let length = if path.starts_with("chunks") { (1 << 20) + 500 } else { 3_000 };
    noise(path.bytes().fold(7, |sum, byte| (sum * 31 + u64::from(byte)) % 1_000_003), length)
}

fn all(place: &str) -> Vec<(String, &'static str, &'static str)> {
    let pairs = DAMAGES.iter().flat_map(|damage| DISKS.iter().map(move |disk| (*damage, *disk)));
    pairs.map(|(damage, disk)| (name(place, damage, disk), damage, disk)).collect()
}

fn damage(sandbox: &Sandbox, objects: &Place, place: &str, path: &str, damage: &str) {
    if damage == "sound" {
        return;
    }
    let bytes = content(path);
    match place {
        "inline" => {
            let mut flipped = bytes.clone();
            flipped[1_234] ^= 1;
            let data = match damage {
                "flipped" => format!("'{}'", base64::encode(&flipped)),
                "short" => format!("'{}'", base64::encode(&bytes[..2_999])),
                _ => "NULL".into(),
            };
            sandbox.sql(&format!(
                "UPDATE image_cache SET image_data = {data} WHERE original_path = '{path}'"
            ));
        }
        "chunks" => {
            let set = format!("(SELECT chunk_set FROM image_cache WHERE original_path = '{path}')");
            let hex: String = noise(99, if damage == "short" { 499 } else { 500 })
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            let data = match sandbox.database.kind {
                Kind::Postgres | Kind::PgBouncer => format!("'\\x{hex}'"),
                Kind::MariaDb | Kind::Sqlite => format!("x'{hex}'"),
            };
            sandbox.sql(&match damage {
                "gone" => {
                    format!("DELETE FROM image_cache_chunk WHERE chunk_set = {set} AND seq = 1")
                }
                _ => format!(
                    "UPDATE image_cache_chunk SET data = {data} WHERE chunk_set = {set} AND seq = 1"
                ),
            });
        }
        _ => {
            let listed: Value =
                serde_json::from_str(&sandbox.ok(&["list", "--json", "--search", path]))
                    .expect("JSON");
            let file = objects.file(listed[0]["image_url"].as_str().expect("a URL"));
            match damage {
                "flipped" => fs::write(file, noise(99, 3_000)),
                "short" => fs::write(file, &bytes[..2_999]),
                _ => fs::remove_file(file),
            }
            .expect("the object is there");
        }
    }
}

fn alter(sandbox: &Sandbox, path: &str, disk: &str) {
    let file = sandbox.uploads.join(path);
    match disk {
        "same" => {}
        "absent" => fs::remove_file(file).expect("it is there"),
        "other" => fs::write(file, noise(5, 2_000)).expect("it can be written"),
        _ => {
            let before = fs::metadata(&file).expect("it is there");
            fs::write(&file, noise(6, before.len() as usize)).expect("it can be written");
            let file = File::options().write(true).open(file).expect("it is there");
            file.set_modified(before.modified().expect("an mtime")).expect("it can be set back");
        }
    }
}

/// What is told of an entry, and whether it is mended.
fn expected(damage: &str, disk: &str) -> Option<(&'static str, bool)> {
    match (damage, disk) {
        ("sound", "same") => None,
        ("sound", "absent") => Some(("missing", true)),
        ("sound", "other") => Some(("not_stored", true)),
        ("sound", _) => Some(("differs", false)),
        (_, "absent") => Some(("damaged", false)),
        _ => Some(("damaged", true)),
    }
}

fn findings(told: &Value) -> BTreeMap<String, (String, bool)> {
    let findings = told["findings"].as_array().expect("a list").iter();
    findings
        .map(|it| {
            let text = |key: &str| it[key].as_str().expect(key).to_owned();
            assert_eq!(it["cure"].is_null(), it["mended"] == true, "{it}");
            (text("path"), (text("what"), it["mended"] == true))
        })
        .collect()
}

fn every_side(kind: Kind, places: &[(&str, &[&str])]) {
    let objects = Place::directory();
    let sandbox = objects.sandbox(kind);
    for (place, settings) in places {
        for (path, ..) in all(place) {
            sandbox.write(&path, &content(&path));
        }
        sandbox.ok(&[&["cache-all"], *settings].concat());
    }
    for (place, _) in places {
        for (path, damages, disk) in all(place) {
            damage(&sandbox, &objects, place, &path, damages);
            alter(&sandbox, &path, disk);
        }
    }
    let list = || sandbox.ok(&["list", "--json"]);
    for (place, settings) in places {
        let run = |more: &[&str], code| {
            verify(&sandbox, &[*settings, more, &["--", &format!("{place}/")]].concat(), code)
        };
        let context = format!("{kind:?}, {place}");
        let wanted = |mends: bool| -> BTreeMap<_, _> {
            let told = all(place).into_iter().filter_map(|(path, damage, disk)| {
                let (what, mended) = expected(damage, disk)?;
                Some((path, (what.to_owned(), mended && mends)))
            });
            told.collect()
        };

        // Who only asks changes nothing.
        let (before, on_disk) = (list(), sandbox.files());
        let asked = run(&["--dry-run"], 6);
        assert_eq!(findings(&asked), wanted(false), "{context}");
        assert_eq!((&asked["mendable"], &asked["mended"]), (&11.into(), &0.into()), "{context}");
        let blind = run(&["--no-disk"], 6);
        assert_eq!((&blind["damaged"], &blind["verified"]), (&12.into(), &16.into()), "{context}");
        assert!(list() == before && sandbox.files() == on_disk, "{context}: something was written");

        // What is certain is mended, and no file that is there is written.
        let told = run(&[], 6);
        assert_eq!(findings(&told), wanted(true), "{context}");
        let figures =
            ["stored_again", "captured", "restored", "damaged", "differs", "out_of_reach"];
        let found = figures.map(|figure| told[figure].as_u64().expect(figure));
        assert_eq!(found, [3, 7, 1, 3, 1, 0], "{context}");
        let mut kept = sandbox.files();
        let restored = name(place, "sound", "absent");
        assert!(kept.remove(&restored) == Some(content(&restored)), "{context}");
        assert!(kept == on_disk, "{context}: a file was written over");

        // The cures that are told.
        for (path, damage, disk) in all(place) {
            match (damage, disk) {
                (_, "absent") => sandbox.write(&path, &content(&path)),
                ("sound", "silent") => {
                    sandbox.ok(&[&["cache"], *settings, &["--", &path]].concat());
                }
                _ => {}
            }
        }
        let told = run(&[], 0);
        assert_eq!(told["mended"].as_u64(), Some(3), "{context}: {told}");
        let told = run(&[], 0);
        assert_eq!((&told["verified"], &told["mended"]), (&16.into(), &0.into()), "{context}");
    }
    assert!(sandbox.contents() == sandbox.files(), "{kind:?}");
    sandbox.remove();
}

#[test]
fn both_sides_in_sqlite() {
    every_side(Kind::Sqlite, &[INLINE, CHUNKS, OBJECT]);
}

#[test]
fn both_sides_in_postgresql() {
    every_side(Kind::Postgres, &[INLINE, CHUNKS]);
}

#[test]
fn both_sides_in_mariadb() {
    every_side(Kind::MariaDb, &[INLINE, CHUNKS]);
}
