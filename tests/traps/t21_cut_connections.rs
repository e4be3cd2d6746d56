//! Connections that are gone when they are needed again.

use std::time::Duration;

use crate::count_lines;
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::support::proxy::Proxy;

/// The trap's bound for a write after the cut. The fastest of some keeps it: what a busy machine adds to the
/// others says nothing.
const RECOVERY: Duration = Duration::from_secs(5);

/// Writes once, lets `cut` do its work on the idle connections, writes again.
fn next_write_recovers(kind: Kind, cut: impl Fn(&Sandbox, &Proxy)) {
    let sandbox = Sandbox::new(kind);
    let proxy = Proxy::new(&sandbox.url());
    let mut command = sandbox.command(&["watch", "--set", "scan_interval=1d"]);
    command.env("DATABASE_URL", proxy.url());
    let mut watch = Running::start(command);
    watch.wait_for_log("event=watching");
    let mut fastest = Duration::MAX;
    for round in 0..5 {
        // Two at once, so that both connections are opened and idle afterwards.
        for n in 0..2 {
            sandbox.write(&format!("{round}-{n}.jpg"), &crate::noise(round * 10 + n, 1_500_000));
        }
        for _ in 0..2 {
            watch.wait_for_log("event=captured");
        }
        wait_until("a connection", || proxy.connections() > 0);
        cut(&sandbox, &proxy);
        let name = format!("after-{round}.jpg");
        sandbox.write(&name, b"after the cut");
        let line = watch.wait_for_log(&format!("path={name}"));
        assert!(line.contains("event=captured"), "{line}");
        let unsafe_ms = line.split_once("unsafe_ms=").unwrap().1;
        let unsafe_ms = unsafe_ms.split(' ').next().unwrap().parse().unwrap();
        fastest = fastest.min(Duration::from_millis(unsafe_ms));
    }
    assert!(fastest < RECOVERY, "{kind:?}: {fastest:?}");
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.paths().len(), 15, "no double entry, none lost");
    assert_eq!(count_lines(&log, &["event=captured"]), 15, "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t21_postgres_cuts_idle_connections() {
    next_write_recovers(Kind::Postgres, |sandbox, _| {
        sandbox.block_on(sandbox.database.cut_connections());
    });
}

#[test]
fn t21_mariadb_cuts_idle_connections() {
    next_write_recovers(Kind::MariaDb, |sandbox, _| {
        sandbox.block_on(sandbox.database.cut_connections());
    });
}

#[test]
fn t21_a_proxy_cuts_idle_connections() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        next_write_recovers(kind, |_, proxy| proxy.cut());
    }
}

#[test]
fn t21_a_firewall_forgets_idle_connections() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        next_write_recovers(kind, |_, proxy| {
            // Only a connection that has idled for five seconds is asked before it is used.
            std::thread::sleep(Duration::from_secs(6));
            proxy.fall_silent();
        });
    }
}

#[test]
fn t21_a_server_falls_silent_in_the_middle() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let sandbox = Sandbox::new(kind);
        let proxy = Proxy::new(&sandbox.url());
        let mut command = sandbox.command(&["watch", "--set", "database_timeout=2s"]);
        command.env("DATABASE_URL", proxy.url());
        let mut watch = Running::start(command);
        watch.wait_for_log("event=scan_finished");
        for round in 0..3 {
            let (before, after) = (format!("before-{round}.jpg"), format!("after-{round}.jpg"));
            sandbox.write(&before, b"one that is stored at once");
            watch.wait_for_log(&format!("path={before}"));
            // The connections are fresh: nobody asks them first, and the call hangs.
            proxy.fall_silent();
            sandbox.write(&after, b"one that hangs");
            watch.wait_for_log(&format!("path={after}"));
        }
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert!(log.contains("no answer within 2s"), "{log}");
        assert_eq!(sandbox.contents(), sandbox.files());
        sandbox.remove();
    }
}

/// A batch that is tried again counts what it had restored before once.
#[test]
fn t21_a_restore_that_is_cut_in_the_middle_counts_each_file_once() {
    let sandbox = Sandbox::new(Kind::Postgres);
    for n in 0..40 {
        sandbox.write(&format!("{n}.jpg"), &[n; 9_000]);
    }
    sandbox.write("large.bin", &vec![7; 3 << 20]);
    sandbox.ok(&["cache-all", "--set", "inline_limit=64KiB"]);
    let files = sandbox.files();
    sandbox.wipe();
    let mut proxy = Proxy::new(&sandbox.url());
    proxy.slow_down(1 << 20);
    let mut restore = sandbox.command(&["restore"]);
    restore.env("DATABASE_URL", proxy.url());
    let mut restore = Running::start(restore);
    for _ in 0..40 {
        restore.wait_for_log("event=restored ");
    }
    proxy.go_away();
    restore.wait_for_log("event=database_away");
    proxy.come_back();
    let finished = restore.wait_for_log("event=restore_finished");
    let (status, log) = restore.wait();
    assert!(status.success(), "{log}");
    assert!(finished.contains("restored=41 ") && finished.contains(" present=0 "), "{finished}");
    assert!(sandbox.files() == files);
    sandbox.remove();
}
