//! `self-test` through the real program: it tells the truth, and leaves nothing behind.

mod support;

use std::path::PathBuf;
use std::process::{Command, Output};

use support::database::Kind;
use support::program::{Running, Sandbox};

const KINDS: [Kind; 4] = [Kind::Sqlite, Kind::Postgres, Kind::PgBouncer, Kind::MariaDb];

/// A sandbox with one upload that nobody may touch.
fn sandbox(kind: Kind) -> Sandbox {
    let sandbox = Sandbox::new(kind);
    sandbox.write("mine.jpg", b"somebody's picture");
    sandbox.ok(&["cache-all"]);
    sandbox
}

/// The directory that the self-test takes for temporary files.
fn temporary(sandbox: &Sandbox) -> PathBuf {
    let directory = sandbox.beside().join("tmp");
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    command.env("TMPDIR", temporary(sandbox));
    command
}

fn self_test(sandbox: &Sandbox, args: &[&str]) -> (Output, String) {
    let output = command(sandbox, &[&["self-test"], args].concat()).output().unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8(said).unwrap();
    (output, said)
}

/// Everything is as it was before.
#[track_caller]
fn assert_clean(sandbox: &Sandbox) {
    assert_eq!(sandbox.paths(), ["mine.jpg"]);
    let chunks = sandbox.database.numbers("SELECT count(*) FROM image_cache_chunk");
    assert_eq!(sandbox.block_on(chunks), [0], "chunks are left");
    assert_eq!(sandbox.files().keys().collect::<Vec<_>>(), ["mine.jpg"]);
    assert_eq!(sandbox.content("mine.jpg"), b"somebody's picture");
    let left: Vec<_> = std::fs::read_dir(temporary(sandbox)).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_round_trip_works_on_every_database() {
    for kind in KINDS {
        let sandbox = sandbox(kind);
        let (output, said) = self_test(&sandbox, &[]);
        assert_eq!(output.status.code(), Some(0), "{kind:?}: {said}");
        for step in
            ["captured 10 files", "seen by the watcher", "safe", "restored 10", "removed 10"]
        {
            assert!(said.contains(step), "{kind:?} does not say {step:?}: {said}");
        }
        assert_clean(&sandbox);
        sandbox.remove();
    }
}

#[test]
fn every_inline_limit_can_be_tried() {
    let sandbox = sandbox(KINDS[0]);
    for limit in ["inline_limit=0", "inline_limit=12MiB"] {
        let (output, said) = self_test(&sandbox, &["--set", limit]);
        assert_eq!(output.status.code(), Some(0), "{limit}: {said}");
        let lowered = said.contains("inline_limit = 1 MiB is tried instead of 12 MiB");
        assert_eq!(lowered, limit.contains("12"), "{said}");
        assert_clean(&sandbox);
    }
    sandbox.remove();
}

#[test]
fn a_database_that_spoils_bytes_is_found_out() {
    let spoil = [
        (
            Kind::Sqlite,
            "CREATE TRIGGER spoil AFTER INSERT ON image_cache BEGIN
                UPDATE image_cache SET image_data = 'AAAA'
                WHERE id = NEW.id AND image_data IS NOT NULL; END",
        ),
        (
            Kind::Postgres,
            "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN NEW.image_data := 'AAAA'; RETURN NEW; END $$;
            CREATE TRIGGER spoil BEFORE INSERT ON image_cache FOR EACH ROW
                WHEN (NEW.image_data IS NOT NULL) EXECUTE FUNCTION spoil()",
        ),
    ];
    for (kind, trigger) in spoil {
        let sandbox = sandbox(kind);
        sandbox.block_on(sandbox.database.run(trigger));
        let (output, said) = self_test(&sandbox, &[]);
        assert_eq!(output.status.code(), Some(1), "{kind:?}: {said}");
        assert!(said.contains("restore: 2 of 10 came back") && said.contains("it has 3 bytes"));
        let doctor = sandbox.output(&["doctor"]);
        assert_eq!(doctor.status.code(), Some(6));
        assert!(String::from_utf8_lossy(&doctor.stdout).contains("a probe came back damaged"));
        assert_clean(&sandbox);
        sandbox.remove();
    }
}

#[test]
fn a_database_that_is_away_is_told() {
    let sandbox = sandbox(KINDS[0]);
    let mut away = command(&sandbox, &["self-test"]);
    away.env("DATABASE_URL", "postgres://me@127.0.0.1:1/x").env("IMAGECACHED_DATABASE_WAIT", "1s");
    let output = away.output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("PostgreSQL: "));
    assert_clean(&sandbox);
    sandbox.remove();
}

#[test]
fn interrupted_it_cleans_up() {
    let sandbox = sandbox(KINDS[0]);
    let mut running = Running::start(command(&sandbox, &["self-test"]));
    running.wait_for_log("event=captured");
    running.signal(15);
    let (status, log) = running.wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("given up because of"), "{log}");
    assert_eq!(sandbox.paths(), ["mine.jpg"]);
    assert!(std::fs::read_dir(temporary(&sandbox)).unwrap().next().is_none());
    sandbox.remove();
}

#[test]
fn what_a_killed_self_test_left_is_not_restored_and_goes_with_the_next() {
    let sandbox = sandbox(KINDS[0]);
    let left = ".imagecached-self-test-0123456789abcdef/empty";
    sandbox.write(left, b"");
    sandbox.ok(&["cache", "--", left]);
    assert_eq!(sandbox.paths(), [left, "mine.jpg"]);
    sandbox.wipe();
    sandbox.ok(&["restore"]);
    assert_eq!(sandbox.files().keys().collect::<Vec<_>>(), ["mine.jpg"]);
    // Another self-test may be running: only what is old goes.
    self_test(&sandbox, &[]);
    assert_eq!(sandbox.paths(), [left, "mine.jpg"]);
    let old = "UPDATE image_cache SET last_accessed = 0";
    sandbox.block_on(sandbox.database.run(old));
    let (output, said) = self_test(&sandbox, &[]);
    assert!(output.status.success(), "{said}");
    assert_clean(&sandbox);
    sandbox.remove();
}
