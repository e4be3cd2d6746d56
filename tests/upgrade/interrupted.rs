//! Migrations that end in the middle, and several at once: the next start completes them.
//!
//! PostgreSQL and SQLite undo a step that was cut off. In MySQL and MariaDB every statement of DDL is a
//! transaction of its own, so what was done until then stays, and the step is done again over it.

use std::process::Stdio;
use std::time::Instant;

use tokio::task::JoinSet;

use super::*;

/// A number that looks like any other, and is the same in each run.
fn noise(seed: u64) -> u64 {
    let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33
}

/// How many kills; `IMAGECACHED_TEST_KILLS` asks for more.
fn kills() -> u64 {
    std::env::var("IMAGECACHED_TEST_KILLS").map_or(4, |kills| kills.parse().expect("a number"))
}

/// Kills migrations at moments spread over all that one takes, and lets another one follow.
fn killed_anywhere(kind: Kind, kills: u64) {
    let sandbox = sandbox_of_the_first_version(kind);
    let began = Instant::now();
    sandbox.ok(&["migrate"]);
    let whole = began.elapsed();
    assert_whole(&sandbox);
    sandbox.remove();
    for kill in 0..kills {
        let sandbox = sandbox_of_the_first_version(kind);
        // One moment in each part of the time, anywhere in it.
        let part = whole / u32::try_from(kills).expect("a few");
        let moment = part * u32::try_from(kill).expect("a few")
            + part.mul_f64((noise(kill + 1) % 1_000) as f64 / 1_000.0);
        let mut migrating = sandbox.command(&["migrate"]);
        let mut migrating = migrating.stdout(Stdio::null()).spawn().expect("the program starts");
        std::thread::sleep(moment);
        migrating.kill().expect("a child of ours");
        migrating.wait().expect("a child of ours");
        sandbox.ok(&["migrate"]);
        assert_whole(&sandbox);
        sandbox.remove();
    }
}

#[test]
fn a_migration_killed_anywhere_is_completed_by_the_next_on_mariadb() {
    killed_anywhere(Kind::MariaDb, kills());
}

#[test]
fn a_migration_killed_anywhere_is_completed_by_the_next_on_postgresql() {
    killed_anywhere(Kind::Postgres, kills() / 2);
}

#[test]
fn a_migration_killed_anywhere_is_completed_by_the_next_on_sqlite() {
    killed_anywhere(Kind::Sqlite, kills() / 2);
}

/// The statements of a step, as far as our steps need it: a `;` ends one at the end of a line only.
fn statements(step: &str) -> Vec<&str> {
    let says_something = |text: &&str| {
        text.lines().any(|line| !line.trim().is_empty() && !line.trim().starts_with("--"))
    };
    step.split_inclusive(";\n").filter(says_something).collect()
}

/// What a kill can leave behind in MariaDB is the effect of the first statements: all of these states.
#[tokio::test]
async fn a_migration_cut_off_after_any_statement_is_completed_on_mariadb() {
    let kind = Kind::MariaDb;
    let steps = steps(kind);
    for (done, step) in steps.iter().enumerate().skip(1) {
        for cut in 0..statements(step).len() {
            let database = database_of_the_first_version(kind).await;
            for (version, step) in (1..).zip(&steps).take(done).skip(1) {
                database.run(step).await;
                database
                    .run(&format!(
                        "INSERT INTO imagecached_schema VALUES ({version}, UTC_TIMESTAMP(6))"
                    ))
                    .await;
            }
            // One statement more than `cut`, so that a whole step that was not noted is among them.
            database.run(&statements(step)[..=cut].concat()).await;
            let store = database.open();
            let migrated = store.migrate().await.unwrap_or_else(|error| {
                panic!("after {} statements of step {}: {error}", cut + 1, done + 1)
            });
            assert_eq!(migrated, (done as i64, steps.len() as i64));
            store.check().await.unwrap();
            assert_eq!(store.totals().await.unwrap().entries, 13);
            store.close().await;
            database.remove().await;
        }
    }
}

#[tokio::test]
async fn several_upgrade_at_once() {
    for kind in DATABASES {
        let database = database_of_the_first_version(kind).await;
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let store = database.open();
            tasks.spawn(async move {
                let versions = store.migrate().await.unwrap();
                store.check().await.unwrap();
                store.close().await;
                versions
            });
        }
        let all = tasks.join_all().await;
        assert_eq!(all.iter().filter(|(before, _)| *before == 1).count(), 1, "{kind:?}: {all:?}");
        database.remove().await;
    }
}

/// Two programs that start at the same moment, as the containers of a deploy do.
#[test]
fn two_containers_may_start_at_once_after_an_upgrade() {
    for kind in DATABASES {
        let sandbox = sandbox_of_the_first_version(kind);
        let start = || {
            let mut status = sandbox.command(&["status"]);
            status.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
        };
        let both = [start(), start()];
        for mut program in both {
            assert!(program.wait().expect("a child of ours").success(), "{kind:?}");
        }
        assert_whole(&sandbox);
        sandbox.remove();
    }
}
