//! What was uploaded right before the platform's TERM.

use std::collections::BTreeMap;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, send, started_by, wait_until};
use crate::support::proxy::Proxy;
use crate::{DATABASES, app_is_up, noise};

/// An app that ends at TERM, as gunicorn does, and saves one more upload on the way.
const APP: &str = "trap 'printf last > last.jpg; exit 0' TERM
    : > \"$BESIDE/up\"; while :; do sleep 0.05; done";

/// How long the end may take is not the question here.
const IN_TIME: &str = "shutdown_limit=10m";

fn upload_50(sandbox: &Sandbox) {
    for n in 0..50 {
        sandbox.write(&format!("products/{}/{n}.jpg", n % 7), &noise(n, 40_000));
    }
}

fn with_the_last_one(mut files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files.insert("last.jpg".into(), b"last".into());
    files
}

fn fifty_then(kind: Kind, end: impl FnOnce(&Running)) {
    let sandbox = Sandbox::new(kind);
    let run = Running::start(sandbox.run(&[IN_TIME], APP));
    app_is_up(&sandbox);
    upload_50(&sandbox);
    let uploaded = sandbox.files();
    end(&run);
    let (status, log) = run.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("event=drained") && log.contains("unsaved=0"), "{log}");
    assert_eq!(sandbox.contents(), with_the_last_one(uploaded), "{kind:?}");
    sandbox.remove();
}

#[test]
fn t10_term_to_the_daemon_alone() {
    for kind in DATABASES {
        fifty_then(kind, |run| run.signal(15));
    }
}

#[test]
fn t10_term_to_all_processes_several_times() {
    fifty_then(Kind::Postgres, |run| {
        for _ in 0..3 {
            run.signal_group(15);
        }
    });
}

#[test]
fn t10_term_to_watch() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let watch = sandbox.watch_with(&[IN_TIME]);
    upload_50(&sandbox);
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t10_an_app_that_ends_by_itself() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let script = "i=0; while [ $i -lt 50 ]; do printf $i > $i.jpg; i=$((i + 1)); done; exit 4";
    let (status, log) = Running::start(sandbox.run(&[IN_TIME], script)).wait();
    assert_eq!(status.code(), Some(4), "{log}");
    assert_eq!(sandbox.files().len(), 50);
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

/// A start script without `exec`: its shell gets the platform's TERM, and does not pass it on.
fn from_a_script(sandbox: &Sandbox, prefix: &[&str]) -> Running {
    // A command after it keeps every shell from replacing itself.
    let script = "\"$@\"; code=$?; echo \"script ends\" >&2; exit $code";
    let shell = [prefix, &["sh", "-c", script, "sh"]].concat();
    Running::start(started_by(&shell, &sandbox.run(&[], APP)))
}

#[test]
fn t10_a_shell_without_exec_and_term_to_all() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let script = from_a_script(&sandbox, &[]);
    app_is_up(&sandbox);
    upload_50(&sandbox);
    let uploaded = sandbox.files();
    script.signal_group(15);
    // The shell is gone at once; the daemon is not, and finishes its work.
    wait_until("the last upload", || {
        sandbox.paths().len() == 51 && sandbox.beside().join("media/last.jpg").exists()
    });
    drop(script);
    assert_eq!(sandbox.contents(), with_the_last_one(uploaded));
    sandbox.remove();
}

#[test]
fn t10_a_shell_without_exec_as_pid_1_and_term_to_it_alone() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let script =
        from_a_script(&sandbox, &["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    app_is_up(&sandbox);
    upload_50(&sandbox);
    // As PID 1 the shell has no use for TERM: nobody is told, and after 30 s the platform kills
    // everything. Whatever has been uploaded meanwhile is safe without a farewell.
    send(crate::t30_process::child_of(script.pid()), 15);
    sandbox.wait_for_entries(50);
    script.signal_group(9);
    let (_, log) = script.wait();
    assert!(!log.contains("event=drained"), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

/// A `watch` over files that nobody has told it of, and whose database is away.
fn watch_without_database(sandbox: &Sandbox, proxy: &Proxy, limit: &str) -> Running {
    let limit = format!("shutdown_limit={limit}");
    let mut command = sandbox.command(&["watch", "--set", "database_wait=1s", "--set", &limit]);
    command.env("DATABASE_URL", proxy.url());
    let mut watch = Running::start(command);
    watch.wait_for_log("event=database_away");
    watch
}

/// Files that a daemon before it has left unsafe, since it was killed.
fn left_unsafe() -> (Sandbox, Proxy) {
    let sandbox = Sandbox::new(Kind::Postgres);
    upload_50(&sandbox);
    let mut proxy = Proxy::new(&sandbox.url());
    proxy.go_away();
    (sandbox, proxy)
}

#[test]
fn t10_term_before_the_database_has_said_what_it_holds() {
    let (sandbox, mut proxy) = left_unsafe();
    let mut watch = watch_without_database(&sandbox, &proxy, "60s");
    watch.signal(15);
    watch.wait_for_log("event=signal");
    proxy.come_back();
    let (status, log) = watch.wait();
    assert!(status.success() && log.contains("unsaved=0"), "{log}");
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t10_term_without_a_database_does_not_call_safe_what_nobody_has_looked_at() {
    let (sandbox, proxy) = left_unsafe();
    let (status, log) = watch_without_database(&sandbox, &proxy, "2s").stop();
    let last = log.lines().last().unwrap();
    assert_eq!(status.code(), Some(5), "{log}");
    assert!(last.contains("event=drained") && last.contains("level=error"), "{log}");
    assert!(last.contains("unsure="), "{log}");

    // Where there is no file, there is nothing to wait for.
    sandbox.wipe();
    let (status, log) = watch_without_database(&sandbox, &proxy, "10m").stop();
    assert!(status.success() && log.contains("every upload is safe"), "{log}");
    sandbox.remove();
}
