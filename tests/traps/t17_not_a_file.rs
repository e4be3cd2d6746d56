//! What stands in the upload directory and is not a file: never read, and told once.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::count_lines;
use crate::support::database::Kind;
use crate::support::program::Sandbox;

const ODD: [(&str, &str); 6] = [
    ("link.jpg", "symlink"),
    ("dangling.jpg", "symlink"),
    ("linked-directory", "symlink"),
    ("fifo.jpg", "FIFO"),
    ("socket.jpg", "socket"),
    ("device.jpg", "device"),
];

/// Makes one of each, and gives the socket's owner back.
fn make_odd(root: &Path, outside: &Path) -> UnixListener {
    let run = |words: &[&str]| {
        assert!(Command::new(words[0]).args(&words[1..]).status().unwrap().success(), "{words:?}");
    };
    let at = |name: &str| root.join(name).display().to_string();
    symlink(outside.join("secret.txt"), root.join("link.jpg")).unwrap();
    symlink("nowhere", root.join("dangling.jpg")).unwrap();
    symlink(outside, root.join("linked-directory")).unwrap();
    run(&["mkfifo", &at("fifo.jpg")]);
    // An endless supply of zeros: whoever reads it never comes back.
    run(&["mknod", &at("device.jpg"), "c", "1", "5"]);
    UnixListener::bind(root.join("socket.jpg")).unwrap()
}

/// Waits, as a writer does, until somebody opens the FIFO for reading.
fn await_reader(fifo: &Path) -> (Arc<AtomicBool>, thread::JoinHandle<()>) {
    let opened = Arc::new(AtomicBool::new(false));
    let (fifo, told) = (fifo.to_owned(), opened.clone());
    let waiting = thread::spawn(move || {
        File::options().write(true).open(fifo).unwrap();
        told.store(true, Ordering::SeqCst);
    });
    (opened, waiting)
}

fn with_odd(work: impl FnOnce(&Sandbox, &dyn Fn() -> UnixListener)) {
    let sandbox = Sandbox::new(Kind::Postgres);
    let outside = sandbox.beside().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret.txt"), "secret").unwrap();
    work(&sandbox, &|| make_odd(&sandbox.uploads, &outside));
    assert_eq!(sandbox.paths(), ["real.jpg"]);
    sandbox.remove();
}

#[test]
fn t17_cache_all_skips_and_tells_and_does_not_hang() {
    with_odd(|sandbox, make_odd| {
        let _socket = make_odd();
        let (opened, waiting) = await_reader(&sandbox.uploads.join("fifo.jpg"));
        sandbox.write("real.jpg", b"real");
        let output = sandbox.output(&["cache-all"]);
        let log = String::from_utf8_lossy(&output.stderr);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{log}");
        assert!(told.contains("1 cached, 0 unchanged, 6 skipped, 0 failed"), "{told}");
        for (name, why) in ODD {
            assert_eq!(count_lines(&log, &["event=skipped", name, why]), 1, "{name}:\n{log}");
        }
        assert!(!opened.load(Ordering::SeqCst), "somebody has opened the FIFO");
        File::open(sandbox.uploads.join("fifo.jpg")).unwrap();
        waiting.join().unwrap();
    });
}

#[test]
fn t17_watch_tells_each_once_and_reads_none() {
    with_odd(|sandbox, make_odd| {
        let mut watch = sandbox.watch_with(&["scan_interval=1s"]);
        watch.wait_for_log("event=scan_finished");
        // Made under its eyes, so that events lead to them as well.
        let _socket = make_odd();
        let (opened, waiting) = await_reader(&sandbox.uploads.join("fifo.jpg"));
        sandbox.write("real.jpg", b"real");
        sandbox.wait_for_entries(1);
        for _ in 0..3 {
            watch.wait_for_log("event=scan_finished");
        }
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        for (name, why) in ODD {
            let warned = count_lines(&log, &["level=warn", "event=skipped", name, why]);
            assert_eq!(warned, 1, "{name}:\n{log}");
        }
        assert!(!opened.load(Ordering::SeqCst), "somebody has opened the FIFO");
        File::open(sandbox.uploads.join("fifo.jpg")).unwrap();
        waiting.join().unwrap();
    });
}
