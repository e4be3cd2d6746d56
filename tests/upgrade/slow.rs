//! Upgrades that take longer than any other call may: an index over very many entries, or a table that
//! somebody else holds.

use super::support::database::OpenTransaction;
use super::support::program::{Running, wait_until};
use super::*;

/// As short as settings allow.
const LIMITS: [&str; 4] = ["--set", "database_timeout=1s", "--set", "database_wait=1s"];

/// Holds the entries' table for the time of a slow upgrade.
async fn hold(database: &Database) -> OpenTransaction {
    let transaction = database.open_transaction().await;
    transaction
        .run(match database.kind {
            // What builds an index waits for everybody who writes.
            Kind::Postgres => "LOCK TABLE image_cache IN ROW EXCLUSIVE MODE",
            // And here for everybody who has so much as read.
            _ => "SELECT COUNT(*) FROM image_cache",
        })
        .await
}

/// How many others have waited for a lock for at least so many seconds.
fn waiting(sandbox: &Sandbox, seconds: u32) -> i64 {
    let waiting = match sandbox.database.kind {
        Kind::Postgres => format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                AND wait_event_type = 'Lock' AND now() - query_start >= interval '{seconds} seconds'"
        ),
        _ => format!(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE()
                AND state LIKE 'Waiting for table%' AND time_ms >= {seconds} * 1000"
        ),
    };
    sandbox.numbers(&waiting)[0]
}

fn goes_on(kind: Kind, command: &str, until: impl Fn(Running, &Sandbox)) {
    let sandbox = sandbox_of_the_first_version(kind);
    let transaction = sandbox.block_on(hold(&sandbox.database));
    let running = sandbox.start(&[&[command], &LIMITS[..]].concat());
    // Several times what a call may take, and a lock be waited for.
    wait_until("a step that has waited for five seconds", || waiting(&sandbox, 5) != 0);
    let tries = waiting(&sandbox, 0);
    assert_eq!(tries, 1, "{kind:?}, {command}: tries that were given up are still at work");
    sandbox.block_on(transaction.commit());
    until(running, &sandbox);
    assert_whole(&sandbox);
    sandbox.remove();
}

#[test]
fn an_upgrade_is_given_all_the_time_that_it_takes() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        goes_on(kind, "migrate", |running, _| {
            let (status, log) = running.wait();
            assert_eq!(status.code(), Some(0), "{kind:?}: {log}");
        });
    }
}

#[test]
fn a_daemon_waits_for_its_own_upgrade_and_tries_no_second_one_beside_it() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        goes_on(kind, "watch", |mut running, _| {
            running.wait_for_log("event=migrated");
            let (status, log) = running.stop();
            assert_eq!(status.code(), Some(0), "{kind:?}: {log}");
        });
    }
}
