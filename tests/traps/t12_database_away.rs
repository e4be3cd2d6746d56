//! A database that is not there: during uploads, at the start, for longer than anybody waits.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::support::proxy::Proxy;
use crate::{count_lines, is_long, noise, resident_memory};

/// How long the database stays away in the middle of the uploads: two minutes, as the trap has it, in the
/// long version.
fn away() -> Duration {
    Duration::from_secs(if is_long() { 120 } else { 20 })
}

fn away_during_uploads(kind: Kind) {
    let sandbox = Sandbox::new(kind);
    let mut proxy = Proxy::new(&sandbox.url());
    let mut command = sandbox.command(&["watch", "--set", "scan_interval=1s"]);
    command.env("DATABASE_URL", proxy.url()).env("IMAGECACHED_LOG_LEVEL", "info");
    let mut watch = Running::start(command);
    watch.wait_for_log("event=watching");
    sandbox.write("before.jpg", b"before");
    sandbox.wait_for_entries(1);

    proxy.go_away();
    let gone = Instant::now();
    let mut uploaded = 0;
    let mut memory = Vec::new();
    while gone.elapsed() < away() {
        sandbox.write(&format!("{}/{uploaded}.jpg", uploaded % 10), &noise(uploaded, 40_000));
        uploaded += 1;
        if uploaded % 20 == 1 {
            memory.push(resident_memory(watch.pid()));
        }
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(sandbox.paths(), ["before.jpg"]);
    let log = watch.log();
    assert_eq!(count_lines(&log, &["event=database_away"]), 1, "{log}");
    assert!(log.lines().count() < 20, "that takes {} lines:\n{log}", log.lines().count());
    // The disk is the queue: what waits takes its name in memory, and not its bytes.
    let growth = memory.last().unwrap().saturating_sub(memory[1]);
    assert!(growth < 24 << 20, "memory has grown: {memory:?}");

    proxy.come_back();
    let back = Instant::now();
    sandbox.wait_for_entries(usize::try_from(uploaded).unwrap() + 1);
    println!(
        "{kind:?} away for {:?}: {uploaded} uploads meanwhile, memory grew by {} KiB, all safe {:.1} s after it was back",
        away(),
        growth >> 10,
        back.elapsed().as_secs_f64()
    );
    watch.wait_for_log("event=database_back");
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t12_postgres_is_away_during_uploads() {
    away_during_uploads(Kind::Postgres);
}

#[test]
fn t12_mariadb_is_away_during_uploads() {
    away_during_uploads(Kind::MariaDb);
}

#[test]
fn t12_the_app_starts_without_the_database_and_is_protected_once_it_is_there() {
    let sandbox = Sandbox::new(Kind::Postgres);
    sandbox.write("of-before.jpg", b"of before");
    sandbox.ok(&["cache-all"]);
    sandbox.wipe();
    let mut proxy = Proxy::new(&sandbox.url());
    proxy.go_away();
    let app = "printf new > new.jpg; : > \"$BESIDE/up\"
        while [ ! -e \"$BESIDE/end\" ]; do sleep 0.05; done; exit 7";
    let mut run = sandbox.run(&["database_wait=1s"], app);
    run.env("DATABASE_URL", proxy.url());
    let mut run = Running::start(run);
    let line = run.wait_for_log("event=database_away");
    assert!(line.contains("level=error"), "{line}");
    wait_until("the app", || sandbox.beside().join("up").exists());
    proxy.come_back();
    sandbox.wait_for_entries(2);
    wait_until("the old upload", || sandbox.files().contains_key("of-before.jpg"));
    fs::write(sandbox.beside().join("end"), "").unwrap();
    let (status, log) = run.wait();
    assert_eq!(status.code(), Some(7), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    assert_eq!(sandbox.files()["of-before.jpg"], b"of before");
    sandbox.remove();
}

#[test]
fn t12_the_app_ends_without_the_database_ever_there() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let mut proxy = Proxy::new(&sandbox.url());
    proxy.go_away();
    let mut run =
        sandbox.run(&["database_wait=1s", "shutdown_limit=3s"], "printf x > x.jpg; exit 7");
    let (status, log) = Running::start({
        run.env("DATABASE_URL", proxy.url());
        run
    })
    .wait();
    assert_eq!(status.code(), Some(7), "the app's own:\n{log}");
    let last = log.lines().last().unwrap();
    assert!(last.contains("event=drained") && last.contains("level=error"), "{log}");
    assert!(last.contains("unsaved=1"), "{log}");
    sandbox.remove();
}

#[test]
fn t12_the_app_does_not_start_without_a_database_that_is_required() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let mut proxy = Proxy::new(&sandbox.url());
    proxy.go_away();
    let settings = ["database_wait=1s", "database_required=true"];
    let mut run = sandbox.run(&settings, ": > \"$BESIDE/up\"");
    run.env("DATABASE_URL", proxy.url());
    let (status, log) = Running::start(run).wait();
    assert_eq!(status.code(), Some(4), "{log}");
    assert!(log.contains("database_required"), "{log}");
    assert!(!sandbox.beside().join("up").exists(), "the app was started:\n{log}");
    sandbox.remove();
}
