//! More events than the kernel's queue holds: those beyond it are gone, and so is the watch of every
//! directory that was made meanwhile.

use std::fs;
use std::path::Path;

use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{count_lines, file_systems};

const DIRECTORIES: u32 = 50;

/// The kernel's queue, `fs.inotify.max_queued_events`. It is one for the whole machine, so it is filled
/// rather than lowered.
fn kernel_queue() -> u32 {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    limit.trim().parse().unwrap()
}

fn everything_is_stored_and_watched_after_an_overflow(place: &Path, files: u32) {
    let sandbox = Sandbox::beneath(Kind::Postgres, place);
    // After the scans that an overflow asks for, only the watcher can have seen anything.
    let mut watch = sandbox.watch_with(&["scan_interval=1d"]);
    watch.wait_for_log("event=scan_finished");

    watch.freeze();
    assert!(2 * files > kernel_queue(), "{files} files do not fill this machine's queue");
    for n in 0..files {
        // Two events each in the root, which is watched; a new directory is not.
        fs::write(sandbox.uploads.join(format!("{n}.jpg")), "x").unwrap();
    }
    for n in 0..DIRECTORIES {
        sandbox.write(&format!("new{n}/deep/first.jpg"), b"first");
    }
    watch.thaw();
    let told = watch.wait_for_log("event=rescan");
    assert!(told.contains("level=warn"), "{told}");
    sandbox.wait_for_entries((files + DIRECTORIES) as usize);

    // A scan may be on its way still, since the daemon's own queue was full as well: there are only so many, and
    // a round without one shows what the watcher alone has seen.
    let mut stored = files + DIRECTORIES;
    for round in 0.. {
        let before = count_lines(&watch.log(), &["event=scan_finished"]);
        for n in 0..DIRECTORIES {
            sandbox.write(&format!("new{n}/deep/later{round}.jpg"), b"later");
        }
        stored += DIRECTORIES;
        sandbox.wait_for_entries(stored as usize);
        if count_lines(&watch.log(), &["event=scan_finished"]) == before {
            break;
        }
        assert!(round < 20, "scan upon scan, a day apart:\n{}", watch.log());
    }
    let (status, _) = watch.stop();
    assert!(status.success(), "the daemon ended with {status}");
    assert!(sandbox.contents() == sandbox.files());
    sandbox.remove();
}

#[test]
fn t02_an_overflow_on_disk() {
    everything_is_stored_and_watched_after_an_overflow(&file_systems()[0], 9_000);
}

/// As many files as the daemon's own queue has room for, and more, so that it overflows too.
#[test]
fn t02_an_overflow_of_both_queues_on_tmpfs() {
    everything_is_stored_and_watched_after_an_overflow(&file_systems()[1], 20_000);
}
