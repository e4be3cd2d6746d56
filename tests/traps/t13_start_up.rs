//! Uploads while the program starts, between the first scan and the watch.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::{APP, app_is_up};

/// Writes into directories of before and into new ones until it is stopped.
fn upload_until(stop: &AtomicBool, count: &AtomicUsize, sandbox: &Sandbox, round: usize) {
    while !stop.load(Ordering::Relaxed) {
        let n = count.fetch_add(1, Ordering::Relaxed);
        let path = match n % 3 {
            0 => format!("old/{n}.jpg"),
            1 => format!("new{round}/{n}/a/b/{n}.jpg"),
            _ => format!("new{round}/{n}.jpg"),
        };
        sandbox.write(&path, format!("upload {n}").as_bytes());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Starts and stops the program under uploads. No later scan helps.
fn none_lost(start: impl Fn(&Sandbox) -> Running) {
    let sandbox = Sandbox::new(Kind::Postgres);
    let count = AtomicUsize::new(0);
    for round in 0..4 {
        let stop = AtomicBool::new(false);
        let has_more = |more| {
            let wanted = count.load(Ordering::Relaxed) + more;
            wait_until("more uploads", || count.load(Ordering::Relaxed) >= wanted);
        };
        let running = thread::scope(|scope| {
            scope.spawn(|| upload_until(&stop, &count, &sandbox, round));
            has_more(50);
            let mut running = start(&sandbox);
            running.wait_for_log("event=scan_finished");
            has_more(100);
            stop.store(true, Ordering::Relaxed);
            running
        });
        sandbox.wait_for_entries(count.load(Ordering::Relaxed));
        let (status, log) = running.stop();
        assert!(status.success(), "{log}");
    }
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t13_uploads_while_watch_starts() {
    none_lost(|sandbox| sandbox.start(&["watch", "--set", "scan_interval=1d"]));
}

#[test]
fn t13_uploads_while_run_starts() {
    none_lost(|sandbox| {
        let _ = fs::remove_file(sandbox.beside().join("up"));
        let run = Running::start(sandbox.run(&["scan_interval=1d"], APP));
        app_is_up(sandbox);
        run
    });
}
