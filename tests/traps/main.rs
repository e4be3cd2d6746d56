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
mod gentle;
mod large_files;
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
mod torn;

use std::path::{Path, PathBuf};

use support::database::Kind;
use support::noise::noise;
use support::program::{Sandbox, count_lines, started_by, wait_until};
use support::usage::{cpu_time, peak_memory, resident_memory};

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

/// An app that ends with 0 when it is asked to; see [`app_is_up`].
const APP: &str = "trap 'exit 0' TERM; : > \"$BESIDE/up\"; while :; do sleep 0.05; done";

/// Waits for an app that makes this file. Whoever asks an app to end before that may meet a shell that has not
/// come to its trap yet, and dies.
fn app_is_up(sandbox: &Sandbox) {
    wait_until("the app", || sandbox.beside().join("up").exists());
}

/// Makes the directories above a file.
fn make_parents(file: &Path) {
    std::fs::create_dir_all(file.parent().expect("a directory")).expect("directories");
}
