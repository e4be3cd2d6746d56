//! A second TERM hurries, and corrupts nothing.

use std::thread;
use std::time::{Duration, Instant};

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::support::proxy::Proxy;
use crate::{APP, app_is_up, file_systems, noise};

/// Asks to end, and again until it is understood as a second time: signals within a second are one.
fn ask_twice(running: &mut Running) {
    running.signal(15);
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30)
        && !running.log().contains("asked to end again")
        && running.try_wait().is_none()
    {
        thread::sleep(Duration::from_millis(300));
        if running.try_wait().is_none() {
            running.signal(15);
        }
    }
}

fn upload(sandbox: &Sandbox) {
    // In chunks, inline and small ones: all ways of storing are under way.
    sandbox.write("large.bin", &noise(1, 9 << 20));
    for n in 0..60 {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 150_000));
        sandbox.write(&format!("small/{n}.jpg"), &noise(n, 4_000));
    }
}

/// Everything that the database has is whole, and the next start stores the rest.
fn nothing_is_corrupt(sandbox: &Sandbox) {
    let files = sandbox.files();
    for (path, content) in sandbox.contents() {
        assert!(files.get(&path) == Some(&content), "{path} is another one");
    }
    let told = sandbox.ok(&["cache-all"]);
    assert!(told.contains("0 failed"), "{told}");
    assert!(sandbox.contents() == sandbox.files());
}

#[test]
fn t31_a_second_term_hurries_run_and_corrupts_nothing() {
    let sandbox = Sandbox::beneath(Kind::Postgres, &file_systems()[0]);
    let proxy = Proxy::new(&sandbox.url());
    // An app that does not want to end, and a limit far beyond the test's patience.
    let app = "trap '' TERM; : > \"$BESIDE/up\"; while :; do sleep 0.05; done";
    let mut run = sandbox.run(&["shutdown_limit=10m"], app);
    run.env("DATABASE_URL", proxy.url());
    let mut run = Running::start(run);
    app_is_up(&sandbox);
    upload(&sandbox);
    ask_twice(&mut run);
    let (status, log) = run.wait();
    assert_eq!(status.code(), Some(137), "{log}");
    assert!(log.contains("asked to end again: hurrying"), "{log}");
    assert!(log.contains("event=drained"), "{log}");
    nothing_is_corrupt(&sandbox);
    sandbox.remove();
}

#[test]
fn t31_a_second_term_while_the_last_uploads_are_stored() {
    let sandbox = Sandbox::beneath(Kind::Postgres, &file_systems()[1]);
    let mut proxy = Proxy::new(&sandbox.url());
    let mut run = sandbox.run(&["shutdown_limit=10m"], APP);
    run.env("DATABASE_URL", proxy.url());
    let mut run = Running::start(run);
    run.wait_for_log("event=scan_finished");
    app_is_up(&sandbox);
    upload(&sandbox);
    proxy.go_away();
    // The app ends; what it has uploaded cannot be stored.
    ask_twice(&mut run);
    let (status, log) = run.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("event=drained"), "{log}");
    proxy.come_back();
    nothing_is_corrupt(&sandbox);
    sandbox.remove();
}

#[test]
fn t31_a_second_term_hurries_watch_and_corrupts_nothing() {
    let sandbox = Sandbox::beneath(Kind::Postgres, &file_systems()[1]);
    let mut proxy = Proxy::new(&sandbox.url());
    let mut command = sandbox.command(&["watch", "--set", "shutdown_limit=10m"]);
    command.env("DATABASE_URL", proxy.url());
    let mut watch = Running::start(command);
    watch.wait_for_log("event=watching");
    // Some 20 MB, so that it takes long before everything is stored.
    proxy.slow_up(1 << 20);
    upload(&sandbox);
    watch.wait_for_log("event=captured");
    proxy.go_away();
    ask_twice(&mut watch);
    let (status, log) = watch.wait();
    assert_eq!(status.code(), Some(5), "{log}");
    proxy.come_back();
    nothing_is_corrupt(&sandbox);
    sandbox.remove();
}
