//! The traps that have bitten somebody, each with a test named after it.
//!
//! The numbers are those of the list of traps that the project was begun with.

#[path = "../http/server.rs"]
#[allow(dead_code, reason = "shared with the tests of HTTP")]
mod server;
#[path = "../support/mod.rs"]
mod support;

mod clocks;
mod floods;
mod t01_new_directory;
mod t02_overflow;
mod t03_reads;
mod t04_renames;
mod t05_moved_directory;
mod t06_half_written;
mod t07_rewrite;
mod t08_recreated;
mod t09_wiped_root;
mod t10_term;
mod t11_kills;
mod t12_database_away;
mod t13_start_up;
mod t14_newer_local_file;
mod t15_restore_writes_nothing;
mod t16_escape;
mod t17_not_a_file;
mod t18_source_tree;
mod t19_pgbouncer;
mod t20_connections_used_up;
mod t21_cut_connections;
mod t22_urls;
mod t23_sizes_and_names;
mod t24_odd_names;
mod t25_memory;
mod t26_inotify_limits;
mod t27_cleanup;
mod t28_log_flood;
mod t29_boot_deadline;
mod t30_process;
mod t31_second_term;
mod t32_full_database;
mod t32_full_disk;
mod t33_http;
mod t34_damage;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support::database::Kind;

/// The databases that the traps about entries are tried on.
const DATABASES: [Kind; 3] = [Kind::Postgres, Kind::MariaDb, Kind::Sqlite];

/// Where there is a file system on a disk, and one in memory.
fn file_systems() -> [PathBuf; 2] {
    [std::env::temp_dir(), "/dev/shm".into()]
}

/// Every database, and both file systems.
fn everywhere() -> [(Kind, PathBuf); 4] {
    let [disk, memory] = file_systems();
    [
        (Kind::Postgres, disk.clone()),
        (Kind::Postgres, memory.clone()),
        (Kind::MariaDb, memory),
        (Kind::Sqlite, disk),
    ]
}

/// Whether the long versions are asked for, as `tests/floods` does.
fn is_long() -> bool {
    std::env::var("IMAGECACHED_TEST_FLOOD").is_ok_and(|value| value == "full")
}

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

/// Processor time that a process has taken so far, its ended children's left aside.
fn cpu_time(pid: i32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The name in parentheses may hold anything; behind it the fields are counted from the third.
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name").1.split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().expect("ticks")).sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Most memory that a process has had so far, in bytes.
fn peak_memory(pid: i32) -> u64 {
    memory(pid, "VmHWM:")
}

/// What a process has of memory now, in bytes.
fn resident_memory(pid: i32) -> u64 {
    memory(pid, "VmRSS:")
}

/// A line of a process's memory, in bytes.
fn memory(pid: i32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let value = status.lines().find_map(|text| text.strip_prefix(line)).expect("such a line");
    value.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") << 10
}

/// Makes the directories above a file.
fn make_parents(file: &Path) {
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("directories");
}

/// The command, started by another program that takes a command as its last arguments.
fn started_by(before: &[&str], command: &Command) -> Command {
    let mut started = Command::new(before[0]);
    started.args(&before[1..]).arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        started.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => started.env(name, value),
            None => started.env_remove(name),
        };
    }
    started
}
