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
mod large_files;
mod place;
mod refusals;
mod skipped;
mod tls;

use support::database::Kind;

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
