//! Payloads in object stores, end to end: the real program, real databases, and stores that others wrote.

#[path = "../remote/cloudinary_server.rs"]
#[allow(dead_code, reason = "shared with the tests of the stores alone")]
mod cloudinary_server;
#[path = "../support/mod.rs"]
mod support;
#[path = "../remote/web.rs"]
mod web;

mod all_remote;
mod damage;
mod dead_endpoint;
mod faults;
mod interrupted;
mod large_files;
mod lifetime;
mod orphans;
mod place;
mod refusals;
mod sharing;
mod skipped;
mod tls;

use support::database::Kind;
use support::program::Sandbox;

/// The databases that hold the entries.
const DATABASES: [Kind; 3] = [Kind::Sqlite, Kind::Postgres, Kind::MariaDb];

/// Bytes that look like nothing else: `seed` decides about them.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Lets an entry go: its file is deleted, and nobody has used it for 400 days.
fn let_go(sandbox: &Sandbox, path: &str) {
    std::fs::remove_file(sandbox.uploads.join(path)).expect("the file is there");
    let past = match sandbox.database.kind {
        Kind::Postgres | Kind::PgBouncer => "now() - interval '400 days'",
        Kind::MariaDb => "UTC_TIMESTAMP(6) - INTERVAL 400 DAY",
        Kind::Sqlite => "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-400 days')",
    };
    sandbox.sql(&format!(
        "UPDATE image_cache SET last_accessed = {past} WHERE original_path = '{path}'"
    ));
}

/// How many objects wait for their removal.
fn loose(sandbox: &Sandbox) -> i64 {
    sandbox.numbers("SELECT count(*) FROM image_cache_loose_object")[0]
}

/// How many uploads are claimed.
fn claims(sandbox: &Sandbox) -> i64 {
    sandbox.numbers("SELECT count(*) FROM image_cache_claim")[0]
}

/// What a command has printed on both its outputs, and how it ended. It may tell no secret.
fn told(sandbox: &Sandbox, args: &[&str]) -> (Option<i32>, String) {
    let output = sandbox.output(args);
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    no_secret(sandbox, &text);
    (output.status.code(), text)
}

/// No password, no key, and nothing that is signed.
fn no_secret(sandbox: &Sandbox, text: &str) {
    let url = url::Url::parse(&sandbox.url()).expect("a URL");
    let password = url.password().filter(|password| !password.is_empty());
    let secrets = [Some(place::SECRET), Some(cloudinary_server::SECRET), password, Some("/s--")];
    for secret in secrets.into_iter().flatten() {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

/// How many lines of a log hold all of these texts.
fn count_lines(log: &str, texts: &[&str]) -> usize {
    log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
}

/// Most memory that a process has had so far, in bytes.
fn peak_memory(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") << 10
}
