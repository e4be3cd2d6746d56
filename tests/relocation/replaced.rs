//! Files that get another content while theirs is being moved.

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::wait_until;
use crate::{lone_chunks, moves, noise, spread};

/// Stops the move in the middle of a file, has the daemon store another content, and lets it go on.
#[test]
fn a_content_that_is_replaced_in_the_middle_of_its_move_wins() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let place = Place::directory();
        let sandbox = place.sandbox(kind);
        sandbox.write("large.bin", &noise(1, 120 << 20));
        sandbox.write("later.bin", &noise(2, 6 << 20));
        sandbox.ok(&["cache-all"]);
        let mut watch = sandbox.watch();
        let mut moving = sandbox.start(&["move", "--to", "chunks"]);
        wait_until("chunks", || crate::chunks(&sandbox) > 0);
        moving.freeze();
        sandbox.write("large.bin", b"another content");
        watch.wait_for_log("path=large.bin");
        moving.thaw();
        moving.wait_for_log("path=later.bin");
        let (status, log) = moving.wait();
        assert!(status.success(), "{kind:?}: {log}");
        watch.stop();
        assert!(!log.contains("move_failed"), "{kind:?}: {log}");
        assert_eq!((spread(&sandbox), lone_chunks(&sandbox)), ([1, 1, 0, 0], 0), "{kind:?}");
        assert_eq!(sandbox.content("large.bin"), b"another content", "{kind:?}");
        assert!(sandbox.contents() == sandbox.files(), "{kind:?}");
        sandbox.remove();
    }
}

/// The daemon stores and restores while entries move: neither is in the other's way.
#[test]
fn uploads_go_on_while_payloads_move() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MariaDb] {
        let place = Place::directory();
        let sandbox = place.sandbox(kind);
        for n in 0..50 {
            sandbox.write(&format!("{n}.jpg"), &noise(n, 100_000));
        }
        sandbox.ok(&["cache-all"]);
        let watch = sandbox.watch_with(&["scan_interval=1s"]);
        for (round, to) in ["chunks", "remote", "inline", "remote"].iter().enumerate() {
            let moving = sandbox.start(&["move", "--to", to]);
            for n in 0..25 {
                sandbox.write(&format!("{n}.jpg"), &noise(1_000 * (round as u64 + 1) + n, 90_000));
                sandbox.write(&format!("new {round}/{n}.jpg"), &noise(9_000 + n, 80_000));
            }
            let (status, log) = moving.wait();
            assert!(status.success(), "{kind:?} to {to}: {log}");
        }
        sandbox.wait_for_entries(150);
        let (status, log) = watch.stop();
        assert!(status.success(), "{kind:?}: {log}");
        assert!(sandbox.contents() == sandbox.files(), "{kind:?}");
        assert_eq!(lone_chunks(&sandbox), 0, "{kind:?}");
        let (told, log) = moves(&sandbox, &[], 0);
        assert_eq!((&told["failed"], spread(&sandbox)), (&0.into(), [150, 0, 0, 0]), "{log}");
        sandbox.remove();
    }
}
