//! A restore and a file that is there, or comes into being meanwhile.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::support::proxy::Proxy;
use crate::{APP, app_is_up, file_systems, make_parents, noise};

fn the_local_file_wins(place: &Path) {
    let sandbox = Sandbox::beneath(Kind::Postgres, place);
    sandbox.write("a.jpg", b"old content");
    sandbox.write("same size.jpg", b"old");
    sandbox.write("missing.jpg", b"comes back");
    sandbox.ok(&["cache-all"]);
    sandbox.wipe();
    sandbox.write("a.jpg", b"newer content");
    sandbox.write("same size.jpg", b"new");

    sandbox.ok(&["restore"]);
    let wanted = BTreeMap::from([
        ("a.jpg".to_owned(), b"newer content".to_vec()),
        ("missing.jpg".to_owned(), b"comes back".to_vec()),
        ("same size.jpg".to_owned(), b"new".to_vec()),
    ]);
    assert_eq!(sandbox.files(), wanted);

    let run = Running::start(sandbox.run(&[], APP));
    sandbox.wait_for_content("a.jpg", b"newer content");
    sandbox.wait_for_content("same size.jpg", b"new");
    app_is_up(&sandbox);
    let (status, log) = run.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.files(), wanted);
    assert_eq!(sandbox.contents(), wanted);
    sandbox.remove();
}

#[test]
fn t14_the_local_file_wins_and_is_captured() {
    for place in file_systems() {
        the_local_file_wins(&place);
    }
}

/// Another container on the same volume saves new uploads while this one restores.
fn a_file_that_appears_wins(place: &Path) {
    let sandbox = Sandbox::beneath(Kind::Postgres, place);
    let path = |n: u64| format!("{}/{n}.jpg", n % 5);
    for n in 0..400 {
        sandbox.write(&path(n), &noise(n, 20_000));
    }
    sandbox.ok(&["cache-all"]);
    sandbox.wipe();
    let proxy = Proxy::new(&sandbox.url());
    proxy.slow_down(1 << 20);
    let mut run = sandbox.run(&["database_connections=1"], APP);
    run.env("DATABASE_URL", proxy.url());
    let mut run = Running::start(run);
    run.wait_for_log("event=restored");
    // It goes on by a few files a second until all is ready for it.
    proxy.slow_down(64 << 10);
    // Its plan is made, and holds all of them. From both ends, so as to meet it somewhere.
    let newer: Vec<u64> = (0..200)
        .flat_map(|n| [n, 399 - n])
        .filter(|n| {
            let file = sandbox.uploads.join(path(*n));
            make_parents(&file);
            let made = File::create_new(file);
            made.is_ok_and(|mut file| file.write_all(&noise(n + 1_000, 20_000)).is_ok())
        })
        .collect();
    assert!(!newer.is_empty(), "the restore was faster than the test");
    proxy.slow_down(u64::MAX);
    run.wait_for_log("event=restore_finished");
    for n in &newer {
        let file = sandbox.uploads.join(path(*n));
        assert_eq!(std::fs::read(file).unwrap(), noise(n + 1_000, 20_000), "{n} was overwritten");
    }
    app_is_up(&sandbox);
    let (status, log) = run.stop();
    assert!(status.success(), "{log}");
    assert_eq!(sandbox.files().len(), 400);
    assert_eq!(sandbox.contents(), sandbox.files());
    sandbox.remove();
}

#[test]
fn t14_a_file_that_appears_during_the_restore_wins_on_disk() {
    a_file_that_appears_wins(&file_systems()[0]);
}

#[test]
fn t14_a_file_that_appears_during_the_restore_wins_on_tmpfs() {
    a_file_that_appears_wins(&file_systems()[1]);
}
