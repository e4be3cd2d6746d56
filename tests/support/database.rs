//! Fresh databases for tests, on the real servers that `tests/with-services` starts.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use imagecached::store::{self, Options, Store, Target};
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

/// A database product, and the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
    /// PostgreSQL through PgBouncer in transaction mode.
    PgBouncer,
    MariaDb,
}

impl Kind {
    /// SQL for a moment so many hours ago, as the program writes it there.
    pub fn hours_ago(self, hours: u32) -> String {
        match self {
            Self::Sqlite => format!("strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{hours} hours')"),
            Self::Postgres | Self::PgBouncer => format!("now() - interval '{hours} hours'"),
            Self::MariaDb => format!("UTC_TIMESTAMP(6) - INTERVAL {hours} HOUR"),
        }
    }
}

/// An empty database of its own; removed by [`Database::remove`].
pub struct Database {
    pub kind: Kind,
    pub target: Target,
    name: String,
    /// URL of the database on its server, not through a pooler; empty for SQLite.
    direct: String,
    directory: tempfile::TempDir,
}

impl Database {
    /// Makes a database with a name that nobody else has.
    pub async fn fresh(kind: Kind) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("imagecached_test_{}_{count}", std::process::id());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (target, direct) = match kind {
            Kind::Sqlite => (Target::Sqlite(directory.path().join("cache.sqlite3")), String::new()),
            Kind::Postgres | Kind::PgBouncer => {
                let direct = with_database(&admin("IMAGECACHED_TEST_POSTGRES"), &name);
                let url = match kind {
                    Kind::PgBouncer => with_database(&admin("IMAGECACHED_TEST_PGBOUNCER"), &name),
                    _ => direct.clone(),
                };
                (Target::Postgres(url), direct)
            }
            Kind::MariaDb => {
                let direct = with_database(&admin("IMAGECACHED_TEST_MYSQL"), &name);
                (Target::MySql(direct.clone()), direct)
            }
        };
        let database = Self { kind, target, name, direct, directory };
        database.administer(&format!("CREATE DATABASE {}", database.name)).await;
        database
    }

    /// A store of its own on this database, as another instance of the program would have it.
    pub fn open(&self) -> Arc<dyn Store> {
        self.open_keeping(0)
    }

    /// As [`Database::open`], for one that keeps up to so many versions of each path.
    pub fn open_keeping(&self, versions: u32) -> Arc<dyn Store> {
        let half_a_minute = Duration::from_secs(30);
        let options = Options {
            connections: 2,
            acquire_timeout: half_a_minute,
            call_timeout: half_a_minute,
            versions,
        };
        store::open(&self.target, &options).expect("the target is understood")
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("cache.sqlite3")
    }

    /// Runs one statement past the store.
    pub async fn run(&self, sql: &str) {
        self.numbers(sql).await;
    }

    /// The first column of what a query past the store gives, as numbers.
    pub async fn numbers(&self, sql: &str) -> Vec<i64> {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.kind {
            Kind::Sqlite => {
                let options = SqliteConnectOptions::new().filename(self.file());
                let mut connection: SqliteConnection = options.connect().await.expect("SQLite");
                let rows = sql.fetch_all(&mut connection).await.expect("SQLite runs it");
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
            Kind::Postgres | Kind::PgBouncer => {
                let mut connection = PgConnection::connect(&self.direct).await.expect("PostgreSQL");
                let rows = sql.fetch_all(&mut connection).await.expect("PostgreSQL runs it");
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
            Kind::MariaDb => {
                let mut connection = MySqlConnection::connect(&self.direct).await.expect("MariaDB");
                let rows = sql.fetch_all(&mut connection).await.expect("MariaDB runs it");
                rows.iter().map(|row| row.get_unchecked(0)).collect()
            }
        }
    }

    /// A transaction past the store, on a server.
    pub async fn open_transaction(&self) -> OpenTransaction {
        let transaction = match self.kind {
            Kind::Sqlite => panic!("SQLite has one writer at a time"),
            Kind::Postgres | Kind::PgBouncer => OpenTransaction::Postgres(
                PgConnection::connect(&self.direct).await.expect("PostgreSQL"),
            ),
            Kind::MariaDb => OpenTransaction::MySql(
                MySqlConnection::connect(&self.direct).await.expect("MariaDB"),
            ),
        };
        transaction.run("BEGIN").await
    }

    /// Comes back once a transaction of this database waits for a lock.
    pub async fn until_somebody_waits(&self) {
        let waiting = match self.kind {
            Kind::Sqlite => panic!("nobody can see who waits for SQLite"),
            Kind::Postgres | Kind::PgBouncer => "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'"
                .to_owned(),
            // The server's list of waiting transactions is a copy that every look at it keeps from
            // being renewed; the list of statements is not.
            Kind::MariaDb => format!(
                "SELECT count(*) FROM information_schema.processlist
                WHERE db = '{}' AND id <> connection_id() AND command <> 'Sleep' AND time_ms >= 100",
                self.name
            ),
        };
        while self.numbers(&waiting).await == [0] {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Cuts every connection of this database, as a server's restart or a proxy does.
    pub async fn cut_connections(&self) {
        match self.kind {
            Kind::Sqlite => {}
            Kind::Postgres | Kind::PgBouncer => {
                let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
                assert_ne!(self.numbers(sql).await, [0], "there was nothing to cut");
            }
            Kind::MariaDb => {
                let sql = format!(
                    "SELECT id FROM information_schema.processlist
                    WHERE db = '{}' AND id <> connection_id()",
                    self.name
                );
                let ids = self.numbers(&sql).await;
                assert!(!ids.is_empty(), "there was nothing to cut");
                for id in ids {
                    // One that was cut before may still have been in the list, and be gone by now (1094).
                    let kill = format!(
                        "BEGIN NOT ATOMIC
                            DECLARE EXIT HANDLER FOR 1094 BEGIN END;
                            KILL {id};
                        END"
                    );
                    self.run(&kill).await;
                }
            }
        }
    }

    /// Removes the database.
    pub async fn remove(self) {
        let force = if self.kind == Kind::MariaDb { "" } else { " WITH (FORCE)" };
        self.administer(&format!("DROP DATABASE {}{force}", self.name)).await;
    }

    async fn administer(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self.kind {
            Kind::Sqlite => {}
            Kind::Postgres | Kind::PgBouncer => {
                let url = admin("IMAGECACHED_TEST_POSTGRES");
                let mut connection =
                    PgConnection::connect(&url).await.expect("PostgreSQL is there");
                sql.execute(&mut connection).await.expect("PostgreSQL makes databases");
            }
            Kind::MariaDb => {
                let url = admin("IMAGECACHED_TEST_MYSQL");
                let mut connection =
                    MySqlConnection::connect(&url).await.expect("MariaDB is there");
                sql.execute(&mut connection).await.expect("MariaDB makes databases");
            }
        }
    }
}

/// A transaction past the store, undone unless it is committed.
pub enum OpenTransaction {
    Postgres(PgConnection),
    MySql(MySqlConnection),
}

impl OpenTransaction {
    /// Runs one statement in it.
    pub async fn run(mut self, sql: &str) -> Self {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match &mut self {
            Self::Postgres(connection) => {
                sql.execute(connection).await.expect("PostgreSQL runs it");
            }
            Self::MySql(connection) => {
                sql.execute(connection).await.expect("MariaDB runs it");
            }
        }
        self
    }

    pub async fn commit(self) {
        self.run("COMMIT").await;
    }
}

/// A URL whose user may make databases.
fn admin(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run tests/run, or tests/with-services cargo test")
    })
}

fn with_database(admin: &str, name: &str) -> String {
    let mut url = url::Url::parse(admin).expect("the admin URL is a URL");
    url.set_path(name);
    url.into()
}
