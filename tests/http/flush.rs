//! The flush: after it, every file that was closed before it is in the database.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use imagecached::cli::context::Context;
use imagecached::daemon::{Begun, Daemon, Guarding};
use imagecached::http::{Flushed, Guard};
use imagecached::model::health::Watcher;
use imagecached::model::index::TIMESTAMP_GRAIN_NS;
use imagecached::settings::{self, Sources};
use imagecached::store::{ListQuery, Target};
use imagecached::uploads::UploadDir;
use sqlx::Connection;

use crate::support::database::Kind;
use crate::support::namespace::with_limit;
use crate::support::own_postgres::OwnPostgres;
use crate::support::program::{Sandbox, wait_until};

const LONG: Duration = Duration::from_secs(100);

/// The daemon in this process: its answers come without the way over HTTP.
struct Here {
    daemon: Daemon,
    guard: Guarding,
}

fn daemon(sandbox: &Sandbox) -> Here {
    let flags = [
        ("database_url", sandbox.url()),
        ("state_dir", sandbox.beside().display().to_string()),
        // What a flush does not find by itself, nobody else finds in time.
        ("scan_interval", "1h".into()),
    ];
    let sources = Sources {
        working_dir: sandbox.beside().to_owned(),
        flags: flags.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        ..Sources::default()
    };
    let settings = settings::load(&sources).unwrap().settings;
    sandbox.block_on(async {
        let context = Context::new(settings, Arc::default()).unwrap();
        context.ready_store().await.unwrap();
        let upload_dir = UploadDir::new(sandbox.uploads.clone());
        let mut daemon = Daemon::start(context, upload_dir).unwrap();
        daemon.parts.store_is_ready();
        daemon.watch().unwrap();
        daemon.keep(Begun { store_ready: true, learn_only: true, ..Begun::default() });
        let guard = Guarding::new(daemon.parts.clone());
        Here { daemon, guard }
    })
}

impl Here {
    fn flush(&self, sandbox: &Sandbox, limit: Duration) -> Flushed {
        sandbox.block_on(self.guard.flush(limit))
    }

    /// Writes files one by one, each into a directory of its own, and finds each stored after its flush.
    fn write_and_flush(&self, sandbox: &Sandbox, files: usize) {
        for n in 0..files {
            sandbox.write(&format!("{n}/{n}.jpg"), b"bytes");
            let flushed = self.flush(sandbox, LONG);
            assert!(flushed.is_safe(), "{flushed:?}");
            assert_eq!(self.entries(sandbox), n + 1);
        }
    }

    /// Looks at all files once more, so that no later scan has to: what was read within a clock tick of
    /// its writing is read a second time.
    fn look_again(&self, sandbox: &Sandbox) {
        thread::sleep(Duration::from_nanos(TIMESTAMP_GRAIN_NS.unsigned_abs()));
        sandbox.block_on(self.guard.cache_all()).unwrap();
    }

    /// Waits until so many files are known not to be safe: a flush with a short limit names those, and may have
    /// no time to look for more.
    fn hears_of(&self, files: usize) {
        let unsaved = || self.daemon.parts.scanner.unsaved().0;
        wait_until(&format!("{files} unsafe files"), || unsaved() == files);
    }

    /// Nothing, or not everything, is watched.
    fn is_degraded(&self) -> bool {
        matches!(self.daemon.parts.context.health.watcher(), Watcher::Degraded(_))
    }

    fn entries(&self, sandbox: &Sandbox) -> usize {
        let store = &self.daemon.parts.context.store;
        sandbox.block_on(store.list(&ListQuery::default())).unwrap().len()
    }
}

/// 250 files: written, moved in, and in directories that are made for them.
fn write_some(uploads: &Path, beside: &Path, round: usize, thread: usize) {
    for n in 0..250 {
        let name = format!("{round}-{thread}-{n}.jpg");
        let bytes = vec![n as u8; 100 + n];
        match n % 4 {
            0 => fs::write(uploads.join(name), bytes).unwrap(),
            1 => {
                fs::write(beside.join(&name), bytes).unwrap();
                fs::rename(beside.join(&name), uploads.join(&name)).unwrap();
            }
            2 => {
                let directory = uploads.join(format!("new/{round}/{thread}/{n}/deep/deeper"));
                fs::create_dir_all(&directory).unwrap();
                fs::write(directory.join(name), bytes).unwrap();
            }
            _ => {
                let directory = beside.join(format!("moved-{round}-{thread}-{n}"));
                fs::create_dir_all(directory.join("in")).unwrap();
                fs::write(directory.join("in").join(&name), bytes).unwrap();
                fs::rename(&directory, uploads.join(format!("moved-{round}-{thread}-{n}")))
                    .unwrap();
            }
        }
    }
}

#[test]
fn a_thousand_files_that_were_closed_right_before_are_all_there() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let here = daemon(&sandbox);
    for round in 0..4 {
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (uploads, beside) = (&sandbox.uploads, sandbox.beside());
                scope.spawn(move || write_some(uploads, beside, round, thread));
            }
        });
        let flushed = here.flush(&sandbox, LONG);
        assert!(flushed.is_safe(), "{flushed:?}");
        assert_eq!(here.entries(&sandbox), (round + 1) * 1_000);
    }
    // One by one, as an app does it that waits before it says "saved".
    for n in 0..50 {
        sandbox.write(&format!("one/{n}/by-one.jpg"), b"bytes");
        let flushed = here.flush(&sandbox, LONG);
        assert!(flushed.is_safe(), "{flushed:?}");
        assert_eq!(here.entries(&sandbox), 4_001 + n);
    }
    drop(here);
    sandbox.remove();
}

#[test]
fn a_file_that_a_writer_has_open_holds_it_up_not() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let here = daemon(&sandbox);
    let mut open = File::create_new(sandbox.uploads.join("half.jpg")).unwrap();
    open.write_all(b"the first half").unwrap();
    sandbox.write("whole.jpg", b"whole");
    // Were it waited for, this would end with it unsaved, or with it stored.
    let flushed = here.flush(&sandbox, Duration::from_secs(20));
    assert!(flushed.is_safe(), "{flushed:?}");
    assert_eq!(sandbox.paths(), ["whole.jpg"]);
    open.write_all(b", and the second").unwrap();
    drop(open);
    assert!(here.flush(&sandbox, LONG).is_safe());
    assert_eq!(sandbox.content("half.jpg"), b"the first half, and the second");
    drop(here);
    sandbox.remove();
}

#[test]
fn a_database_that_does_not_answer_is_told_at_the_limit_with_names() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let here = daemon(&sandbox);
    sandbox.write("before.jpg", b"before");
    assert!(here.flush(&sandbox, LONG).is_safe());
    here.look_again(&sandbox);
    let mut lock = sandbox.block_on(async {
        let mut lock = sqlx::postgres::PgConnection::connect(&sandbox.url()).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE image_cache").execute(&mut lock).await.unwrap();
        lock
    });
    sandbox.write("during.jpg", b"during");
    here.hears_of(1);
    let flushed = here.flush(&sandbox, Duration::from_secs(1));
    assert!(!flushed.is_safe());
    assert_eq!(
        flushed.examples.iter().map(|path| path.as_str()).collect::<Vec<_>>(),
        ["during.jpg"]
    );
    sandbox.block_on(async {
        sqlx::raw_sql("ROLLBACK").execute(&mut lock).await.unwrap();
    });
    assert!(here.flush(&sandbox, LONG).is_safe());
    assert_eq!(sandbox.content("during.jpg"), b"during");
    drop(here);
    sandbox.remove();
}

#[test]
fn where_the_watcher_has_lost_its_directory_a_scan_takes_its_place() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let here = daemon(&sandbox);
    sandbox.write("old.jpg", b"old");
    assert!(here.flush(&sandbox, LONG).is_safe());
    fs::rename(&sandbox.uploads, sandbox.beside().join("away")).unwrap();
    sandbox.write("new/new.jpg", b"new");
    let flushed = here.flush(&sandbox, LONG);
    assert!(flushed.is_safe(), "{flushed:?}");
    assert_eq!(here.entries(&sandbox), 2);
    drop(here);
    sandbox.remove();
}

#[test]
fn a_run_of_cache_all_counts_its_own_files_beside_the_watcher() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let here = daemon(&sandbox);
    sandbox.write("a.jpg", b"a");
    sandbox.write("b.tmp", b"b");
    assert!(here.flush(&sandbox, LONG).is_safe());
    here.look_again(&sandbox);
    sandbox.sql("DELETE FROM image_cache");
    // The index does not know, so nothing is new; told to, it writes anew.
    let tally = sandbox.block_on(here.guard.cache_all()).unwrap();
    assert_eq!((tally.cached, tally.skipped, tally.failed), (0, 1, 0), "{tally:?}");
    let paths =
        ["a.jpg", "gone.jpg"].map(|path| imagecached::model::UploadPath::parse(path).unwrap());
    let tally = sandbox.block_on(here.guard.cache_again(&paths)).unwrap();
    assert_eq!((tally.cached, tally.skipped, tally.failed), (1, 1, 0), "{tally:?}");
    assert_eq!(sandbox.paths(), ["a.jpg"]);
    // Back from the cache, one and all.
    let id = sandbox.numbers("SELECT id FROM image_cache")[0];
    fs::remove_file(sandbox.uploads.join("a.jpg")).unwrap();
    let restored = sandbox.block_on(here.guard.restore(Some(&[id, 999_999]))).unwrap();
    assert_eq!((restored.restored, restored.left), (1, 0), "{restored:?}");
    let restored = sandbox.block_on(here.guard.restore(None)).unwrap();
    assert_eq!((restored.restored, restored.present), (0, 1), "{restored:?}");
    assert_eq!(fs::read(sandbox.uploads.join("a.jpg")).unwrap(), b"a");
    drop(here);
    sandbox.remove();
}

#[test]
fn a_database_that_is_stopped_is_told_with_names_and_all_is_safe_once_it_is_back() {
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    let mut server = OwnPostgres::start();
    sandbox.database.target = Target::Postgres(server.url());
    let here = daemon(&sandbox);
    sandbox.write("before.jpg", b"before");
    assert!(here.flush(&sandbox, LONG).is_safe());
    for round in 0..3 {
        here.look_again(&sandbox);
        server.stop();
        let during = [format!("during-{round}.jpg"), format!("new/{round}/during.jpg")];
        for path in &during {
            sandbox.write(path, path.as_bytes());
        }
        here.hears_of(2);
        let flushed = here.flush(&sandbox, Duration::from_secs(5));
        let mut named: Vec<_> = flushed.examples.iter().map(|path| path.as_str()).collect();
        named.sort_unstable();
        assert!(!flushed.is_safe() && flushed.unsaved == 2, "{flushed:?}");
        assert_eq!(named, during, "{flushed:?}");
        server.start_again();
        let flushed = here.flush(&sandbox, LONG);
        assert!(flushed.is_safe(), "{flushed:?}");
        assert_eq!(here.entries(&sandbox), 1 + 2 * (round + 1));
        for path in &during {
            assert_eq!(sandbox.content(path), path.as_bytes());
        }
    }
    drop(here);
    sandbox.remove();
}

#[test]
fn t26_with_no_inotify_instance_left_a_scan_takes_the_watchers_place() {
    with_limit("max_inotify_instances", 0, "flush::nothing_is_watched");
}

#[test]
#[ignore = "run by t26_with_no_inotify_instance_left_a_scan_takes_the_watchers_place"]
fn nothing_is_watched() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let here = daemon(&sandbox);
    assert!(here.is_degraded());
    here.write_and_flush(&sandbox, 30);
    assert!(here.is_degraded());
    drop(here);
    sandbox.remove();
}

#[test]
fn t26_with_no_inotify_watch_left_a_scan_takes_the_watchers_place() {
    with_limit("max_inotify_watches", 10, "flush::some_directories_are_watched");
}

#[test]
#[ignore = "run by t26_with_no_inotify_watch_left_a_scan_takes_the_watchers_place"]
fn some_directories_are_watched() {
    let sandbox = Sandbox::new(Kind::Postgres);
    let here = daemon(&sandbox);
    assert!(!here.is_degraded(), "one directory can be watched");
    // The limit is met on the way.
    here.write_and_flush(&sandbox, 30);
    assert!(here.is_degraded());
    drop(here);
    sandbox.remove();
}
