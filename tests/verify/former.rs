//! Former contents: what is kept to take a change or a delete back is read as well.

use std::fs;

use serde_json::Value;

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};
use crate::{many_take_no_memory, noise, verify};

/// Where the contents of a path go, and how long they are.
const PLACES: [(&str, usize, &[&str]); 3] = [
    ("inline", 3_000, &[]),
    ("chunks", (1 << 20) + 500, &["--set", "large_files=chunks", "--set", "inline_limit=1KiB"]),
    ("object", 3_000, &["--set", "remote=all"]),
];

fn path(place: &str) -> String {
    format!("{place}.jpg")
}

/// The ids of the versions of a path, newest first.
fn versions(sandbox: &Sandbox, path: &str) -> Vec<i64> {
    sandbox.numbers(&format!(
        "SELECT id FROM image_cache_history WHERE original_path = '{path}' ORDER BY id DESC"
    ))
}

fn damage(sandbox: &Sandbox, objects: &Place, place: &str, id: i64) {
    match place {
        "inline" => sandbox
            .sql(&format!("UPDATE image_cache_history SET image_data = 'AAAA' WHERE id = {id}")),
        "chunks" => sandbox.sql(&format!(
            "DELETE FROM image_cache_chunk WHERE seq = 1 AND chunk_set =
                (SELECT chunk_set FROM image_cache_history WHERE id = {id})"
        )),
        _ => {
            let kept: Value =
                serde_json::from_str(&sandbox.ok(&["versions", "--json", "--", &path(place)]))
                    .expect("JSON");
            let mut all = kept.as_array().expect("a list").iter();
            let it = all.find(|it| it["version"] == id).expect("it is kept");
            let file = objects.file(it["image_url"].as_str().expect("a URL"));
            fs::remove_file(file).expect("it is there");
        }
    }
}

fn damaged_ones_are_told(kind: Kind) {
    let objects = Place::directory();
    let mut sandbox = objects.sandbox(kind);
    sandbox.environment.retain(|(name, _)| !name.contains("KEEP_"));
    for (place, length, settings) in PLACES {
        for content in 0..3 {
            sandbox.write(&path(place), &noise(content, length));
            sandbox.ok(&[&["cache"], settings, &["--", &path(place)]].concat());
        }
    }
    let remote = ["--set", "remote=all"];
    let told = verify(&sandbox, &remote, 0);
    assert_eq!(
        (&told["verified"], &told["versions"]["verified"]),
        (&3.into(), &6.into()),
        "{told}"
    );
    assert_eq!(told["versions"]["damaged"], 0, "{told}");
    for (place, ..) in PLACES {
        damage(&sandbox, &objects, place, versions(&sandbox, &path(place))[0]);
    }
    // The files are as safe as before, and nothing can be mended.
    let told = verify(&sandbox, &remote, 6);
    let found = &told["versions"];
    assert_eq!((&found["verified"], &found["damaged"]), (&6.into(), &3.into()), "{kind:?}: {told}");
    assert_eq!((&told["mended"], &told["findings"]), (&0.into(), &Value::Array(vec![])), "{told}");
    for (place, ..) in PLACES {
        let [damaged, sound] = versions(&sandbox, &path(place))[..] else { panic!("two versions") };
        let named = found["findings"].as_array().expect("a list");
        let its: Vec<_> = named.iter().filter(|it| it["path"] == path(place).as_str()).collect();
        assert_eq!((its.len(), &its[0]["id"]), (1, &damaged.into()), "{kind:?}, {place}: {told}");
        // Nobody gets it for what it was.
        let get = |id: i64| {
            let id = id.to_string();
            sandbox.output(&[&["get"], &remote[..], &[&path(place), "--version", &id]].concat())
        };
        assert_eq!(get(damaged).status.code(), Some(5), "{kind:?}, {place}");
        assert_eq!(get(sound).status.code(), Some(0), "{kind:?}, {place}");
        let only = verify(&sandbox, &[&remote[..], &["--", &path(place)]].concat(), 6);
        assert_eq!(only["versions"]["verified"], 2, "{only}");
    }
    let output = sandbox.output(&[&["verify"], &remote[..]].concat());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().expect("a line");
    assert!(last.contains("6 former contents") && last.contains(", 3 damaged, "), "{text}");
    assert!(text.contains("cure: the disk cannot mend it"), "{text}");
    sandbox.remove();
}

#[test]
fn damaged_former_contents_in_sqlite() {
    damaged_ones_are_told(Kind::Sqlite);
}

#[test]
fn damaged_former_contents_in_postgresql() {
    damaged_ones_are_told(Kind::Postgres);
}

#[test]
fn damaged_former_contents_in_mariadb() {
    damaged_ones_are_told(Kind::MariaDb);
}

#[test]
fn the_daemon_finds_them_by_itself() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    for content in 0..2 {
        sandbox.write("a.jpg", &noise(content, 3_000));
        sandbox.ok(&["cache-all"]);
    }
    sandbox.sql("UPDATE image_cache_history SET image_data = 'AAAA'");
    let daemon = sandbox.watch_with(&["verify_interval=1s", "verify_rate=4GiB"]);
    let status = || -> Value {
        let status: Value = serde_json::from_str(&sandbox.ok(&["status", "--json"])).expect("JSON");
        status["daemon"]["verify"].clone()
    };
    wait_until("it is found", || status()["damaged_versions"] == 1);
    assert_eq!(status()["not_mended"], 0);
    let doctor = sandbox.output(&["doctor"]);
    let told = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(told.contains("1 former content damaged"), "{told}");
    sandbox.sql("DELETE FROM image_cache_history");
    wait_until("it is forgotten", || status()["damaged_versions"] == 0);
    let (_, log) = daemon.stop();
    assert!(log.contains("event=version_damaged path=a.jpg"), "{log}");
    sandbox.remove();
}

#[test]
fn many_former_contents_take_no_memory() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    for content in 0..2 {
        sandbox.write("a.jpg", &noise(content, 500));
        sandbox.ok(&["cache-all"]);
    }
    many_take_no_memory(&sandbox, "image_cache_history", ", ended_at, why");
    let sampled = verify(&sandbox, &["--no-disk", "--sample", "1%"], 0);
    let verified = sampled["versions"]["verified"].as_u64().expect("a number");
    assert!((100..=300).contains(&verified), "{sampled}");
    sandbox.remove();
}
