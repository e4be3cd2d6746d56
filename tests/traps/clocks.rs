//! Clocks that are wrong: a file's times of long ago or far ahead, and a daemon whose clock jumps. Times tell
//! one look at a file from another, and nothing more.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::{DATABASES, file_systems, noise};

/// Seconds since 1970: the ends of what file systems, 32 bits and our own 64 bits of nanoseconds hold, each
/// with its neighbours.
const MOMENTS: [i64; 13] = [
    -2_147_483_648,
    -1,
    0,
    1,
    946_684_800,
    2_147_483_647,
    2_147_483_648,
    4_294_967_295,
    4_294_967_296,
    9_223_372_036,
    9_223_372_037,
    15_032_385_535,
    99_999_999_999,
];

fn set_time(file: &Path, seconds: i64) {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = match seconds {
        ..0 => SystemTime::UNIX_EPOCH - distance,
        _ => SystemTime::UNIX_EPOCH + distance,
    };
    File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

/// The times of all files, in seconds; beyond the year 2262 our own end has come.
fn times(sandbox: &Sandbox) -> BTreeMap<String, i64> {
    let time = |path: &String| {
        let seconds = fs::metadata(sandbox.uploads.join(path)).unwrap().mtime();
        seconds.min(i64::MAX / 1_000_000_000)
    };
    sandbox.files().keys().map(|path| (path.clone(), time(path))).collect()
}

/// Two scans that have found nothing to read: the second has begun after this call.
fn settles(watch: &mut Running) {
    watch.log();
    for _ in 0..2 {
        watch.wait_for_log("event=scan_finished found=0");
    }
}

fn odd_times(kind: Kind, place: &Path) {
    let sandbox = Sandbox::beneath(kind, place);
    for (n, seconds) in MOMENTS.iter().enumerate() {
        let name = format!("of {seconds}.jpg");
        sandbox.write(&name, &noise(n as u64, 3_000));
        set_time(&sandbox.uploads.join(name), *seconds);
    }
    let mut watch = sandbox.watch_with(&["scan_interval=1s"]);
    sandbox.wait_for_entries(MOMENTS.len());
    settles(&mut watch);
    // Each moment to another file: the content is the same, and its time is not.
    for (n, seconds) in MOMENTS.iter().rev().enumerate() {
        set_time(&sandbox.uploads.join(format!("of {}.jpg", MOMENTS[n])), *seconds);
    }
    // A new content under the old time is a new content.
    let changed = sandbox.uploads.join("of 946684800.jpg");
    fs::write(&changed, noise(77, 3_000)).unwrap();
    set_time(&changed, 4_294_967_296);
    sandbox.wait_for_content("of 946684800.jpg", &noise(77, 3_000));
    settles(&mut watch);
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");

    // They come back with their times, and are then known.
    let (files, then) = (sandbox.files(), times(&sandbox));
    sandbox.wipe();
    sandbox.ok(&["restore"]);
    assert!(sandbox.files() == files, "{kind:?}");
    assert_eq!(times(&sandbox), then, "{kind:?}");
    let told = sandbox.ok(&["cache-all"]);
    assert!(told.starts_with(&format!("0 cached, {} unchanged", MOMENTS.len())), "{told}");
    let status = sandbox.ok(&["status"]);
    assert!(status.contains("every one is safe"), "{status}");
    sandbox.ok(&["list", "--json"]);
    sandbox.remove();
}

#[test]
fn clocks_of_files_on_disk() {
    for kind in DATABASES {
        odd_times(kind, &file_systems()[0]);
    }
}

#[test]
fn clocks_of_files_on_tmpfs() {
    odd_times(Kind::Postgres, &file_systems()[1]);
}

/// libfaketime: gives one program another clock. The machine's own is not touched, and timers are not either.
fn libfaketime() -> PathBuf {
    let found = fs::read_dir("/usr/lib").unwrap().flatten().find_map(|entry| {
        let library = entry.path().join("faketime/libfaketime.so.1");
        library.exists().then_some(library)
    });
    found.expect("this test needs Debian's faketime: apt-get install faketime")
}

/// Sets the clock of a program that looks at this file. At once: half a setting would be another one.
fn set_clock(file: &Path, offset: &str) {
    let new = file.with_extension("new");
    fs::write(&new, offset).unwrap();
    fs::rename(new, file).unwrap();
}

#[test]
fn clocks_that_jump_lose_nothing_and_have_nothing_read_for_ever() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let clock = sandbox.beside().join("clock");
    set_clock(&clock, "+0");
    let mut command = sandbox.command(&["watch", "--set", "scan_interval=1s"]);
    command
        .env("LD_PRELOAD", libfaketime())
        .env("FAKETIME_TIMESTAMP_FILE", &clock)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1");
    let mut watch = Running::start(command);
    watch.wait_for_log("event=watching");
    sandbox.write("0/0.jpg", b"before all jumps");
    sandbox.wait_for_entries(1);
    // Ahead, far behind when it started, and home: each time, the files' times are in its past or future.
    let jumps = ["+3y", "-3y", "-50y", "+0"];
    for (n, jump) in (1..).zip(jumps) {
        set_clock(&clock, jump);
        for file in 0..10 {
            sandbox.write(&format!("{n}/{file}.jpg"), &noise(file, 3_000));
        }
        sandbox.wait_for_entries(1 + 10 * n);
        // Another content of the same size, in a file of before the jump.
        let earlier = format!("{}/0.jpg", n - 1);
        sandbox.write(&earlier, &noise(1_000 + n as u64, 3_000));
        sandbox.wait_for_content(&earlier, &noise(1_000 + n as u64, 3_000));
        settles(&mut watch);
    }
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    // Nobody takes that for the time that an upload was unsafe.
    assert!(log.lines().any(|line| line.starts_with("ts=19")), "the clock did not jump:\n{log}");
    for line in log.lines().filter(|line| line.contains("event=captured")) {
        let (_, unsafe_ms) = line.split_once("unsafe_ms=").unwrap();
        assert!(unsafe_ms.parse::<u64>().unwrap() < 600_000, "{line}");
    }
    assert!(sandbox.contents() == sandbox.files());
    sandbox.remove();
}
