//! A log that fills up while something stays wrong. That an hour of every trouble at once makes fewer than
//! 200 lines is shown where the gaps are (`capture/trouble.rs`, `daemon/unfinished.rs`); here is the real
//! program, and what it writes while the first of those gaps, the shortest ones, pass.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::database::Kind;
use crate::support::program::Running;
use crate::support::program::Sandbox;
use crate::support::proxy::Proxy;
use crate::{cpu_time, is_long};

/// How long the server is gone.
fn away() -> Duration {
    Duration::from_secs(if is_long() { 600 } else { 20 })
}

/// `restoring`: whether the server goes in the middle of a restore.
fn lines_while_away(kind: Kind, restoring: bool) {
    let sandbox = Sandbox::new(kind);
    for n in 0..200 {
        sandbox.write(&format!("old/{n}.jpg"), &vec![n as u8; 20_000]);
    }
    sandbox.ok(&["cache-all"]);
    let mut proxy = Proxy::new(&sandbox.url());
    if restoring {
        sandbox.wipe();
        proxy.slow_down(1 << 20);
    }
    let mut command = sandbox.run(&["boot_deadline=1s", "scan_interval=1s"], "exec sleep 10000");
    command.env("DATABASE_URL", proxy.url()).env("IMAGECACHED_LOG_LEVEL", "info");
    let mut run = Running::start(command);
    run.wait_for_log("event=app_started");
    let before = run.log().lines().count();
    proxy.go_away();
    let (gone, cpu) = (Instant::now(), cpu_time(run.pid()));
    let mut uploads = 0;
    while gone.elapsed() < away() {
        // Hundreds at first, a trickle later.
        for _ in 0..if uploads < 500 { 100 } else { 1 } {
            sandbox.write(&format!("{}/{uploads}.jpg", uploads % 20), &[7; 5_000]);
            uploads += 1;
        }
        thread::sleep(Duration::from_millis(500));
    }
    let cpu = cpu_time(run.pid()) - cpu;
    let log = run.log();
    let lines = log.lines().count() - before;
    println!(
        "{kind:?} away for {:?} (restoring: {restoring}): {uploads} uploads, {lines} lines, {:.2} s of CPU",
        away(),
        cpu.as_secs_f64()
    );
    // The gaps double: most lines of an hour are written in its first minute.
    assert!(lines <= 15, "{log}");
    assert!(cpu < away() / 4, "it is busy: {cpu:?}");
    proxy.come_back();
    sandbox.wait_for_entries(200 + uploads);
    let (_, log) = run.stop();
    assert!(log.contains("event=drained") && log.contains("every upload is safe"), "{log}");
    sandbox.remove();
}

#[test]
fn t28_postgres_away_with_hundreds_of_uploads() {
    lines_while_away(Kind::Postgres, false);
}

#[test]
fn t28_mariadb_away_in_the_middle_of_a_restore() {
    lines_while_away(Kind::MariaDb, true);
}
