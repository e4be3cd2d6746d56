//! A move that is stopped, or killed, loses nothing, and goes on when it is run again.

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};
use crate::support::proxy::Proxy;
use crate::{lone_chunks, moved, noise, pairs, spread};

const FILES: u64 = 40;

fn filled(kind: Kind, place: &Place) -> Sandbox {
    let sandbox = place.sandbox(kind);
    for n in 0..FILES {
        let length = if n % 20 == 0 { 6 << 20 } else { 3_000 + 50_001 * n as usize };
        sandbox.write(&format!("{n}.bin"), &noise(n, length));
    }
    sandbox.ok(&["cache-all", "--set", "large_files=chunks"]);
    sandbox
}

/// Makes chunks look as if they were written long ago.
fn age_chunks(sandbox: &Sandbox) {
    let old = sandbox.database.kind.hours_ago(25);
    sandbox.sql(&format!("UPDATE image_cache_chunk SET created_at = {old}"));
}

#[test]
fn killed_again_and_again_it_loses_nothing() {
    for (kind, place) in pairs() {
        let sandbox = filled(kind, &place);
        let files = sandbox.files();
        sandbox.wipe();
        for to in ["remote", "chunks", "remote"] {
            for n in [1, 3, 5] {
                let mut moving = sandbox.start(&["move", "--to", to]);
                // In the middle of the next ones, or at the end, where this machine was busy with something else.
                wait_until("some of them", || {
                    moving.count_log("event=moved ") >= n || moving.try_wait().is_some()
                });
                if moving.try_wait().is_none() {
                    moving.signal(9);
                }
                moving.wait();
            }
            assert!(sandbox.contents() == files, "{kind:?} to {to}");
            let [inline, chunks, url, none] = spread(&sandbox);
            let (there, elsewhere) =
                if to == "chunks" { (chunks, inline + url) } else { (url, inline + chunks) };
            assert!(there >= 9 && none == 0, "{kind:?} to {to}: {there} there");
            assert_eq!(moved(&sandbox, &["--to", to]).0, elsewhere as u64, "{kind:?} to {to}");
            assert!(sandbox.contents() == files, "{kind:?} to {to}");
        }
        assert_eq!(spread(&sandbox), [0, 0, FILES as usize, 0], "{kind:?}");
        age_chunks(&sandbox);
        let store = sandbox.store();
        sandbox.block_on(store.sweep_chunks()).expect("a sweep");
        assert_eq!(crate::chunks(&sandbox), 0, "{kind:?}: what a kill has left is swept");
        sandbox.remove();
    }
}

#[test]
fn asked_to_end_it_stops_between_two_files_and_says_how_far_it_came() {
    for signal in [2, 15] {
        let place = Place::directory();
        let mut sandbox = filled(Kind::Postgres, &place);
        let files = sandbox.files();
        // By one way all the time: where it leads is what a store knows a database by.
        let proxy = Proxy::new(&sandbox.url());
        sandbox.environment.push(("DATABASE_URL".into(), proxy.url().into()));
        // So slow that the others take seconds.
        proxy.slow_down(8 << 20);
        let mut moving = sandbox.start(&["move", "--to", "remote"]);
        for _ in 0..5 {
            moving.wait_for_log("event=moved ");
        }
        moving.signal(signal);
        let (status, log) = moving.wait();
        proxy.slow_down(u64::MAX);
        assert_eq!(status.code(), Some(5), "{log}");
        assert!(log.contains("run it again to go on"), "{log}");
        let there = spread(&sandbox)[2];
        assert!((5..FILES as usize).contains(&there), "{there}: {log}");
        assert_eq!(lone_chunks(&sandbox), 0);
        assert!(sandbox.contents() == files);
        assert_eq!(moved(&sandbox, &["--to", "remote"]), (FILES - there as u64, there as u64));
        assert!(sandbox.contents() == files);
        sandbox.remove();
    }
}

/// A second signal does not wait for the file that is under way.
#[test]
fn asked_again_it_ends_at_once() {
    let place = Place::directory();
    let sandbox = place.sandbox(Kind::Postgres);
    sandbox.write("large.bin", &noise(1, 200 << 20));
    sandbox.ok(&["cache-all"]);
    let mut moving = sandbox.start(&["move", "--to", "chunks"]);
    wait_until("chunks", || crate::chunks(&sandbox) > 0);
    moving.signal(15);
    moving.wait_for_log("it stops after the files that are under way");
    // Those of the first second count as one, since some platforms send several.
    wait_until("the end", || {
        let ended = moving.try_wait().is_some();
        if !ended {
            moving.signal(2);
        }
        ended
    });
    let (status, log) = moving.wait();
    // A machine that is fast enough has moved it within that second.
    assert!(matches!(status.code(), Some(0 | 5)), "{log}");
    assert!(sandbox.contents() == sandbox.files());
    sandbox.remove();
}
