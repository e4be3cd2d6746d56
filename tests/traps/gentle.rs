//! A backlog that is bound to a pace: it keeps to it, nothing new waits for it, and a stop does not wait either.

use std::time::{Duration, Instant};

use crate::noise;
use crate::support::database::Kind;
use crate::support::program::Sandbox;

/// Files of the backlog: at `RATE` they take minutes.
const BACKLOG: usize = 100;
const FILE: usize = 64 << 10;

/// The least that may be set, and what makes files of a megabyte and more go in chunks.
const RATE: &str = "backlog_rate=16KiB";
const CHUNKS: &str = "inline_limit=256KiB";

fn uploads(sandbox: &Sandbox) -> usize {
    sandbox.paths().iter().filter(|path| path.starts_with("new/")).count()
}

/// Large files come first by their directory and in chunks: neither they nor the small ones keep an upload waiting.
#[test]
fn an_upload_does_not_wait_for_a_backlog_that_is_bound_to_a_pace() {
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let sandbox = Sandbox::new(kind);
        for n in 0..BACKLOG {
            sandbox.write(&format!("old/{n}.jpg"), &noise(n as u64, FILE));
        }
        for n in 0..4 {
            sandbox.write(&format!("films/{n}.mp4"), &noise(n, 3 << 20));
        }
        let mut watch = sandbox.watch_with(&[RATE, CHUNKS, "shutdown_limit=10m"]);
        watch.wait_for_log("event=captured");
        for n in 0..10_u8 {
            let path = format!("new/{n}.jpg");
            sandbox.write(&path, &[n; 1_000]);
            sandbox.wait_for_content(&path, &[n; 1_000]);
        }
        // However long that took, a hundred files of 64 KiB take almost seven minutes.
        let stored = sandbox.paths().len();
        assert!(stored < 10 + BACKLOG, "{kind:?}: {stored} stored");
        // The end of the time that a container has is no time for a pace.
        let (status, log) = watch.stop();
        assert!(status.success(), "{kind:?}: {}", log.lines().last().unwrap());
        assert_eq!((uploads(&sandbox), sandbox.paths().len()), (10, 10 + BACKLOG + 4), "{kind:?}");
        assert_eq!(sandbox.contents(), sandbox.files(), "{kind:?}");
        sandbox.remove();
    }
}

#[test]
fn cache_all_keeps_to_the_pace_and_stores_everything() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    for n in 0..20 {
        sandbox.write(&format!("old/{n}.jpg"), &noise(n, FILE));
    }
    sandbox.write("old/film.mp4", &noise(77, 1 << 20));
    let began = Instant::now();
    let told = sandbox.ok(&["cache-all", "--set", "backlog_rate=1MiB", "--set", CHUNKS]);
    // 2.25 MiB at 1 MiB a second, but for the last beats: nothing can make it quicker.
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(told.starts_with("21 cached"), "{told}");
    assert_eq!(sandbox.contents(), sandbox.files());
    // What is stored is not read again, and costs nothing.
    let told = sandbox.ok(&["cache-all", "--gentle"]);
    assert!(told.starts_with("0 cached, 21 unchanged"), "{told}");
    sandbox.remove();
}
