//! What systemd hears of `watch`: the test stands in its place and reads the notification socket.

mod support;

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use support::database::Kind;
use support::program::{Running, Sandbox};

/// The next message that contains `text`; the others before it are not of interest.
fn hear(socket: &UnixDatagram, text: &str) -> String {
    let mut bytes = [0; 4096];
    loop {
        let length = socket.recv(&mut bytes).unwrap_or_else(|e| panic!("no {text} came: {e}"));
        let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
        if message.lines().any(|line| line == text) {
            return message;
        }
    }
}

#[test]
fn systemd_hears_when_it_watches_lives_and_ends() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let path = sandbox.beside().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut command = sandbox.command(&["watch"]);
    // No scan but the first one finds what the watcher should have seen.
    command.env("IMAGECACHED_SCAN_INTERVAL", "1h");
    let running = Running::start({
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "4000000");
        command
    });
    hear(&socket, "READY=1");
    // Ready means watching: no upload after it is missed.
    sandbox.write("new/a.jpg", b"an upload");
    sandbox.wait_for_entries(1);
    for _ in 0..3 {
        hear(&socket, "WATCHDOG=1");
    }
    running.signal(15);
    hear(&socket, "STOPPING=1");
    let (status, log) = running.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    // A process that READY came from before it watched would have written this in another order.
    assert!(log.contains("event=watching"), "{log}");
    sandbox.remove();
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
