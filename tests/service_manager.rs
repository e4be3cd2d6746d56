//! What systemd hears of the services: the test stands in its place, starts what the units say, and
//! reads the notification socket.

mod support;

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use support::database::Kind;
use support::program::{Running, Sandbox};

const SERVICE: &str = include_str!("../systemd/imagecached.service");
const RESTORE: &str = include_str!("../systemd/imagecached-restore.service");

/// What a unit has set under this key.
fn values<'u>(unit: &'u str, key: &str) -> Vec<&'u str> {
    let values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    values.collect()
}

/// What the unit starts, with its environment; directories of the system become the sandbox's.
fn exec_start(sandbox: &Sandbox, unit: &str) -> Command {
    let [line] = values(unit, "ExecStart")[..] else { panic!("one ExecStart=") };
    let words: Vec<_> = line.split(' ').collect();
    assert_eq!(words[0], "/usr/bin/imagecached");
    let mut command = sandbox.command(&words[1..]);
    let ours = sandbox.beside().display().to_string();
    for (name, value) in values(unit, "Environment").iter().filter_map(|it| it.split_once('=')) {
        let value = value.replace("/var/lib/imagecached/uploads", &format!("{ours}/media"));
        command.env(name, value.replace("/run/imagecached", &ours));
    }
    command
}

/// The next message that says `text`; those before it are not of interest.
fn hear(socket: &UnixDatagram, text: &str) {
    let mut bytes = [0; 4096];
    loop {
        let length = socket.recv(&mut bytes).unwrap_or_else(|e| panic!("no {text} came: {e}"));
        if String::from_utf8_lossy(&bytes[..length]).lines().any(|line| line == text) {
            return;
        }
    }
}

#[test]
fn systemd_hears_when_it_watches_lives_and_ends() {
    assert_eq!(values(SERVICE, "Type"), ["notify"]);
    let sandbox = Sandbox::new(Kind::Sqlite);
    let path = sandbox.beside().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut command = exec_start(&sandbox, SERVICE);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "4000000");
    // Only the first scan could find what the watcher has missed.
    command.env("IMAGECACHED_SCAN_INTERVAL", "1h");
    let running = Running::start(command);
    hear(&socket, "READY=1");
    // Ready means watching: no upload from now on is missed.
    sandbox.write("new/a.jpg", b"an upload");
    sandbox.wait_for_entries(1);
    for _ in 0..3 {
        hear(&socket, "WATCHDOG=1");
    }
    running.signal(15);
    hear(&socket, "STOPPING=1");
    let (status, log) = running.wait();
    assert_eq!(status.code(), Some(0), "{log}");

    // What the service has stored, the other unit puts back before the app starts.
    assert_eq!(values(RESTORE, "Type"), ["oneshot"]);
    let files = sandbox.files();
    sandbox.wipe();
    let output = exec_start(&sandbox, RESTORE).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sandbox.files(), files);
    sandbox.remove();
}

#[test]
fn systemd_waits_longer_than_the_last_uploads_take() {
    let settings = include_str!("../config/default.toml");
    let limit = settings.lines().find_map(|line| line.strip_prefix("shutdown_limit = "));
    let seconds = |text: &str| text.trim_matches('"').trim_end_matches('s').parse::<u64>().unwrap();
    let [patience] = values(SERVICE, "TimeoutStopSec")[..] else { panic!("one TimeoutStopSec=") };
    assert!(seconds(patience) > seconds(limit.unwrap()));
}

#[test]
fn a_service_manager_that_is_gone_harms_nothing() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let mut command = sandbox.command(&["watch"]);
    command.env("NOTIFY_SOCKET", sandbox.beside().join("nobody")).env("WATCHDOG_USEC", "4000000");
    let mut running = Running::start(command);
    running.wait_for_log("event=watching");
    sandbox.write("a.jpg", b"an upload");
    sandbox.wait_for_entries(1);
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    sandbox.remove();
}
