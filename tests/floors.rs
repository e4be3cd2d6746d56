//! The architecture, kept by reading the source: which room may use which, and by which door an
//! outside crate enters. ARCHITECTURE.md draws the same picture for people.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room of `src/`, and the rooms that it may use.
const ROOMS: [(&str, &[&str]); 22] = [
    ("model", &[]),
    // Edges: each alone with its own part of the world.
    ("uploads", &["model"]),
    ("store", &["model"]),
    ("remote", &["model"]),
    ("process", &["model"]),
    ("settings", &["model"]),
    // Flows: edges through their interfaces.
    ("payload", &["model", "store", "remote"]),
    ("objects", &["model", "store", "remote"]),
    ("relocation", &["model", "store", "remote", "payload", "objects"]),
    ("capture", &["model", "uploads", "store", "remote", "objects"]),
    // A batch fits into the files that the process may have open.
    ("restore", &["model", "uploads", "store", "remote", "process", "payload"]),
    ("cleanup", &["model", "uploads", "store", "remote"]),
    // What it follows, capture hears.
    ("deletes", &["model", "uploads", "store", "capture"]),
    // These two store and write as the two do that they use.
    ("revert", &["model", "uploads", "store", "payload", "capture", "restore"]),
    ("verify", &["model", "uploads", "store", "remote", "payload", "capture", "restore"]),
    // These two look at what the other flows do.
    (
        "doctor",
        &[
            "model", "uploads", "store", "remote", "process", "settings", "payload", "objects",
            "restore",
        ],
    ),
    ("self_test", &["model", "uploads", "store", "remote", "capture", "restore"]),
    // Faces: what people and programs see of all that.
    (
        "http",
        &[
            "model", "uploads", "store", "remote", "settings", "payload", "objects", "restore",
            "revert", "cleanup", "doctor",
        ],
    ),
    // Wiring.
    ("logs", &["model", "settings"]),
    ("daemon", &["*"]),
    ("cli", &["*"]),
    ("main", &["*"]),
];

/// Outside crates that may be named in certain places only.
const DOORS: [(&str, &[&str]); 18] = [
    ("notify", &["uploads/watch.rs", "uploads/limits.rs"]),
    ("sqlx", &["store/"]),
    ("object_store", &["remote/bucket/"]),
    ("reqwest", &["remote/"]),
    ("rustls", &["remote/"]),
    ("config", &["settings/"]),
    ("signal_hook", &["process/"]),
    ("sd_notify", &["process/"]),
    ("clap", &["cli/"]),
    ("indicatif", &["cli/"]),
    ("axum", &["http/"]),
    ("hyper", &["http/"]),
    ("tower", &["http/"]),
    ("utoipa", &["http/"]),
    ("askama", &["http/"]),
    ("prometheus_client", &["http/"]),
    ("hmac", &["http/"]),
    ("subtle", &["http/"]),
];

/// What the model must do without: I/O, clocks, runtimes.
const IMPURE: [&str; 8] = [
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "Instant::now",
    "SystemTime::now",
    "tokio::",
    "tracing::",
];

struct Source {
    /// Relative to `src/`.
    path: String,
    /// Lines of code: comments, and the tests at the end of the file, are left out.
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(&root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        // A module of tests that is a file of its own.
        .filter(|path| !path.ends_with("tests.rs"))
        .collect();
    files.sort();
    assert!(files.len() > 40, "this test reads the wrong directory");
    let read = |path: &PathBuf| Source {
        path: path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
        lines: fs::read_to_string(path)
            .unwrap()
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .map(|line| line.split("//").next().unwrap().to_owned())
            .collect(),
    };
    files.iter().map(read).collect()
}

fn room(path: &str) -> &str {
    path.split(['/', '.']).next().unwrap()
}

/// The rooms that a line names after `crate::`.
fn used(line: &str) -> Vec<&str> {
    line.split("crate::")
        .skip(1)
        .map(|rest| rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap())
        .filter(|name| ROOMS.iter().any(|(room, _)| room == name))
        .collect()
}

#[test]
fn a_room_uses_only_what_is_below_it() {
    let mut wrong = Vec::new();
    for source in sources() {
        let here = room(&source.path);
        if here == "lib" {
            continue;
        }
        let (_, allowed) = ROOMS
            .iter()
            .find(|(room, _)| *room == here)
            .unwrap_or_else(|| panic!("src/{}: a room that is not in the list", source.path));
        for line in &source.lines {
            for name in used(line) {
                if name != here && !allowed.contains(&name) && !allowed.contains(&"*") {
                    wrong.push(format!("src/{}: uses {name}", source.path));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn an_outside_crate_enters_by_its_own_door() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (krate, doors) in DOORS {
            let named = source.lines.iter().any(|line| {
                line.trim_start().starts_with(&format!("use {krate}::"))
                    || line.match_indices(&format!("{krate}::")).any(|(at, _)| {
                        !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c))
                    })
            });
            if named && !doors.iter().any(|door| source.path.starts_with(door)) {
                wrong.push(format!("src/{}: names {krate}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_model_is_pure() {
    for source in sources().iter().filter(|source| room(&source.path) == "model") {
        for line in &source.lines {
            for impure in IMPURE {
                assert!(!line.contains(impure), "src/{}: {impure}", source.path);
            }
        }
    }
}
