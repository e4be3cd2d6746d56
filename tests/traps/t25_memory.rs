//! Memory: it depends on the settings, and not on how many files come at once nor on how large one is.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::floods::wait_for_count;
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::{is_long, noise, peak_memory};

const MIB: usize = 1 << 20;

/// `bytes_in_flight` as it is by default.
const IN_FLIGHT: u64 = 16 * MIB as u64;

/// The program itself, and what the ways to and from a database hold of the files beside their bytes: a
/// driver has each statement twice, as it was given and as it is sent.
const BASE: u64 = 80 * MIB as u64;

/// Writes a file in which no mebibyte is like another, nor like one of another seed.
pub fn write_file(file: &Path, seed: u64, mebibytes: usize) {
    let mut piece = noise(7, MIB);
    let mut file = BufWriter::with_capacity(MIB, File::create(file).expect("a file"));
    for n in 0..mebibytes {
        piece[..8].copy_from_slice(&(seed << 20 | n as u64).to_le_bytes());
        file.write_all(&piece).expect("room for the file");
    }
    file.flush().expect("room for the file");
}

/// Uploads these files (how many, and of how many mebibytes) at once, wipes, and restores.
fn stays_in_its_bound(kind: Kind, files: usize, mebibytes: usize) {
    let sandbox = Sandbox::new(kind);
    let mut command = sandbox.command(&["watch"]);
    command.env("IMAGECACHED_LOG_LEVEL", "info");
    let mut watch = Running::start(command);
    watch.wait_for_log("event=migrated");
    for n in 0..files {
        write_file(&sandbox.uploads.join(format!("{n}.bin")), n as u64, mebibytes);
    }
    wait_for_count(&sandbox, files);
    let up = peak_memory(watch.pid());
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");

    let aside = sandbox.beside().join("aside");
    std::fs::rename(&sandbox.uploads, &aside).unwrap();
    std::fs::create_dir(&sandbox.uploads).unwrap();
    let mut run = Running::start(sandbox.run(&["boot_deadline=10m"], "exec sleep 600"));
    run.wait_for_log("event=restore_finished");
    let down = peak_memory(run.pid());
    run.stop();
    println!(
        "{kind:?}: {files} x {mebibytes} MiB at once; peak memory up {} MiB, down {} MiB",
        up >> 20,
        down >> 20
    );
    wait_until("the files", || sandbox.uploads.join(format!("{}.bin", files - 1)).exists());
    for n in 0..files {
        let name = format!("{n}.bin");
        same(&aside.join(&name), &sandbox.uploads.join(&name));
    }
    assert!(up.max(down) < IN_FLIGHT + BASE, "{kind:?}: up {up}, down {down}");
    sandbox.remove();
}

/// As many files: each beyond the first few finds the ways full.
fn many() -> usize {
    if is_long() { 200 } else { 16 }
}

/// Compares two files without holding them in memory.
fn same(one: &Path, other: &Path) {
    let compared = std::process::Command::new("cmp").arg(one).arg(other).status();
    assert!(compared.expect("cmp runs").success(), "{} differs", other.display());
}

#[test]
fn t25_postgres_and_many_files_at_once() {
    stays_in_its_bound(Kind::Postgres, many(), 5);
}

#[test]
fn t25_sqlite_and_many_files_at_once() {
    stays_in_its_bound(Kind::Sqlite, many(), 5);
}

#[test]
fn t25_mariadb_and_many_files_at_once() {
    stays_in_its_bound(Kind::MariaDb, many(), 5);
}

#[test]
fn t25_postgres_and_one_large_file() {
    stays_in_its_bound(Kind::Postgres, 1, if is_long() { 1_024 } else { 64 });
}

#[test]
fn t25_sqlite_and_one_large_file() {
    stays_in_its_bound(Kind::Sqlite, 1, if is_long() { 1_024 } else { 64 });
}
