//! What is restored must not be taken for an upload: that would write the whole cache at every start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row, SqliteConnection};

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::{APP, app_is_up, noise};

/// How often the database's tables have been written to, by the database's own count.
enum Writes {
    /// Rows inserted, updated and deleted.
    Postgres,
    MariaDb,
    /// The version of the file, as this connection sees it.
    Sqlite(SqliteConnection),
}

impl Writes {
    fn of(sandbox: &Sandbox) -> Self {
        match sandbox.database.kind {
            Kind::Sqlite => {
                let options = SqliteConnectOptions::new().filename(sandbox.database.file());
                Self::Sqlite(sandbox.block_on(options.connect()).unwrap())
            }
            Kind::MariaDb => {
                sandbox.sql("SET GLOBAL userstat = 1");
                Self::MariaDb
            }
            Kind::Postgres | Kind::PgBouncer => Self::Postgres,
        }
    }

    fn count(&mut self, sandbox: &Sandbox) -> i64 {
        match self {
            Self::Postgres => {
                let others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type =
                    'client backend' AND datname = current_database() AND pid <> pg_backend_pid()";
                // A session hands in its counts at the latest when it ends.
                wait_until("the sessions' ends", || sandbox.numbers(others) == [0]);
                sandbox.numbers(
                    "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::bigint FROM pg_stat_user_tables",
                )[0]
            }
            // Rows changed since the first look: nothing is listed as long as nothing was.
            Self::MariaDb => sandbox.numbers(
                "SELECT CAST(COALESCE(SUM(ROWS_CHANGED), 0) AS SIGNED)
                 FROM information_schema.TABLE_STATISTICS WHERE TABLE_SCHEMA = DATABASE()",
            )[0],
            Self::Sqlite(connection) => sandbox.block_on(async {
                let version = sqlx::query("PRAGMA data_version").fetch_one(connection).await;
                version.unwrap().get(0)
            }),
        }
    }
}

fn fill(sandbox: &Sandbox) {
    for n in 0..1_000 {
        sandbox.write(&format!("{}/{n}.jpg", n % 20), &noise(n, 2_000));
    }
    // Times of long ago, rights that a restore gives back in full and some that it does not, and a
    // file in chunks.
    sandbox.write("large.jpg", &noise(7, 6 << 20));
    for (name, mode) in [("0/0.jpg", 0o600), ("1/1.jpg", 0o666), ("2/2.jpg", 0o4755)] {
        let file = fs::File::options().write(true).open(sandbox.uploads.join(name)).unwrap();
        file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789))
            .unwrap();
    }
    sandbox.ok(&["cache-all"]);
}

fn restore_and_run(sandbox: &Sandbox, deadline: &str) {
    let _ = fs::remove_file(sandbox.beside().join("up"));
    let mut run = Running::start(sandbox.run(&[deadline, "scan_interval=1s"], APP));
    run.wait_for_log("event=restore_finished");
    // Every event of the restore's own doing has come by the end of the second scan.
    for _ in 0..3 {
        run.wait_for_log("event=scan_finished");
    }
    app_is_up(sandbox);
    let (status, log) = run.stop();
    assert!(status.success(), "{log}");
    assert!(!log.contains("event=captured"), "{log}");
    assert!(log.contains("restored=1001"), "{log}");
}

fn nothing_is_written(kind: Kind) {
    let sandbox = Sandbox::new(kind);
    fill(&sandbox);
    let stored = sandbox.files();
    let mut writes = Writes::of(&sandbox);
    let before = writes.count(&sandbox);
    for deadline in ["boot_deadline=5m", "boot_deadline=0s"] {
        sandbox.wipe();
        restore_and_run(&sandbox, deadline);
        assert_eq!(sandbox.files(), stored);
        assert_eq!(writes.count(&sandbox), before, "{kind:?} was written to with {deadline}");
    }
    // The count counts.
    sandbox.write("new.jpg", b"new");
    sandbox.ok(&["cache-all"]);
    assert_ne!(writes.count(&sandbox), before);
    sandbox.remove();
}

#[test]
fn t15_a_restore_writes_nothing_to_postgres() {
    nothing_is_written(Kind::Postgres);
}

#[test]
fn t15_a_restore_writes_nothing_to_mariadb() {
    nothing_is_written(Kind::MariaDb);
}

#[test]
fn t15_a_restore_writes_nothing_to_sqlite() {
    nothing_is_written(Kind::Sqlite);
}
