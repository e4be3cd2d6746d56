//! Deletes around an overflow of the kernel's queue: nobody knows any more what was deleted, so nothing is taken for it.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::database::Kind;
use crate::support::program::wait_until;
use crate::{follow, restored, stored, trashed};

/// A delete may be heard while those of an overflow are still held back, and counts for nothing then: so long it is
/// waited for before another one is tried.
const TRY_AGAIN: Duration = Duration::from_secs(3);

/// The kernel's queue, which is one for the whole machine.
fn kernel_queue() -> u32 {
    let limit = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    limit.trim().parse().unwrap()
}

#[test]
fn t02_deletes_around_an_overflow_mark_nothing_that_exists() {
    let sandbox = stored(Kind::Sqlite, 6);
    let file = |name: &str| sandbox.uploads.join(name);
    let mut running = follow(&sandbox);
    running.wait_for_log("event=scan_finished");
    running.freeze();
    // These are in the queue before it is full, and so they are heard; the second exists again in the end.
    for name in ["0.jpg", "1.jpg"] {
        fs::remove_file(file(name)).unwrap();
    }
    // By turns, since the kernel puts equal events that follow each other together.
    for n in 0..=kernel_queue() {
        fs::write(file(["a.txt", "b.txt"][n as usize % 2]), "x").unwrap();
    }
    for name in ["2.jpg", "3.jpg", "4.jpg"] {
        fs::remove_file(file(name)).unwrap();
    }
    for name in ["1.jpg", "3.jpg", "new/6.jpg"] {
        sandbox.write(name, b"written unheard");
    }
    fs::rename(file("5.jpg"), file("7.jpg")).unwrap();
    running.thaw();
    running.wait_for_log("event=rescan");
    // The scan that follows finds all that is there: what came, what came back, what has another name.
    let length = "written unheard".len();
    let unheard = format!("SELECT count(*) FROM image_cache WHERE file_size = {length}");
    wait_until("what was written unheard", || {
        sandbox.numbers(&unheard) == [3] && sandbox.paths().iter().any(|path| path == "7.jpg")
    });

    // From some moment on a delete counts again, and by then it is decided about all that were heard before.
    let later_ones = "SELECT id FROM image_cache_history WHERE original_path LIKE 'later-%'";
    let mut later = 0;
    wait_until("a delete that counts again", || {
        // No other name is a part of it: what is missing is looked through for those.
        let name = format!("later-{later}.txt");
        later += 1;
        sandbox.write(&name, name.as_bytes());
        wait_until("the later file", || sandbox.paths().contains(&name));
        fs::remove_file(file(&name)).unwrap();
        let deleted = Instant::now();
        let counts = || sandbox.numbers(later_ones);
        while deleted.elapsed() < TRY_AGAIN && counts().is_empty() {
            std::thread::sleep(Duration::from_millis(50));
        }
        !counts().is_empty()
    });
    // The first was heard. That nothing marks it is likely, not certain: it is really gone.
    let marked = trashed(&sandbox);
    assert!(
        marked.iter().all(|name| name == "0.jpg" || name.starts_with("later-")),
        "{marked:?}:\n{}",
        running.log()
    );
    // What was deleted unheard is kept, and a person can find it and say so.
    let kept = restored(&sandbox);
    for name in ["1.jpg", "3.jpg", "new/6.jpg"] {
        assert_eq!(kept[name], b"written unheard", "{name}");
    }
    for (name, content) in [("2.jpg", "content 2"), ("4.jpg", "content 4"), ("5.jpg", "content 5")]
    {
        assert_eq!(kept[name], content.as_bytes(), "{name}");
    }
    let missing = sandbox.ok(&["trash", "--missing"]);
    for name in ["2.jpg", "4.jpg", "5.jpg"] {
        assert!(missing.contains(name), "{missing}");
    }
    for name in ["1.jpg", "3.jpg", "6.jpg", "7.jpg"] {
        assert!(!missing.contains(name), "{missing}");
    }
    let (status, log) = running.stop();
    assert!(status.success(), "{log}");
    sandbox.remove();
}
