//! More to restore than the boot deadline allows.

use std::fs;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::support::proxy::Proxy;
use crate::{app_is_up, noise};

/// What the app sees at its very start: our unfinished files, and how many others are there.
const APP: &str = "find . -name '.imagecached*.tmp' > \"$BESIDE/ours\"
    find . -type f -not -name '.imagecached*' | wc -l > \"$BESIDE/count\"
    trap 'exit 0' TERM; : > \"$BESIDE/up\"; while :; do sleep 0.05; done";

fn read(sandbox: &Sandbox, name: &str) -> String {
    fs::read_to_string(sandbox.beside().join(name)).unwrap().trim().to_owned()
}

#[test]
fn t29_the_app_starts_at_the_deadline_and_the_rest_follows() {
    let sandbox = Sandbox::new(Kind::Postgres);
    for n in 0..3_000 {
        sandbox.write(&format!("{}/{n}.jpg", n % 30), &noise(n, 4_000));
    }
    sandbox.ok(&["cache-all"]);
    let stored = sandbox.files();
    sandbox.wipe();
    // As slow as it takes: some 16 MB on two connections, and a minute for them until the app has looked.
    let proxy = Proxy::new(&sandbox.url());
    proxy.slow_down(128 << 10);
    let mut run = sandbox.run(&["boot_deadline=1s"], APP);
    run.env("DATABASE_URL", proxy.url());
    let mut run = Running::start(run);
    run.wait_for_log("event=boot_deadline");
    run.wait_for_log("event=app_started");
    app_is_up(&sandbox);
    assert_eq!(read(&sandbox, "ours"), "", "unfinished files stood there when the app started");
    let count: usize = read(&sandbox, "count").parse().unwrap();
    assert!(count < 3_000, "there was nothing left to follow");
    proxy.slow_down(u64::MAX);
    // An upload beside the restore.
    sandbox.write("new.jpg", b"new");
    run.wait_for_log("event=restore_finished");
    sandbox.wait_for_entries(3_001);
    let (status, log) = run.stop();
    assert!(status.success(), "{log}");
    let mut files = sandbox.files();
    assert_eq!(files.remove("new.jpg").unwrap(), b"new");
    assert!(files == stored, "not everything came back");
    sandbox.remove();
}

#[test]
fn t29_within_the_deadline_the_app_finds_everything() {
    let sandbox = Sandbox::new(Kind::Postgres);
    for n in 0..300 {
        sandbox.write(&format!("{}/{n}.jpg", n % 30), &noise(n, 4_000));
    }
    sandbox.ok(&["cache-all"]);
    sandbox.wipe();
    // What an earlier restore has left where files need a name from the start.
    sandbox.write("3/.imagecached-0123456789abcdef.tmp", b"half");
    let run = Running::start(sandbox.run(&["boot_deadline=5m"], APP));
    app_is_up(&sandbox);
    assert_eq!(read(&sandbox, "ours"), "");
    assert_eq!(read(&sandbox, "count"), "300");
    let (status, log) = run.stop();
    assert!(status.success(), "{log}");
    sandbox.remove();
}
