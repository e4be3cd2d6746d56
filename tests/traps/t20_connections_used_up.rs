//! A plan of three connections for everything. The app comes first: we wait, say so, and never take more
//! than we were given.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sqlx::Connection;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::{count_lines, noise};

/// Of the plan.
const CONNECTIONS: usize = 3;
/// Ours, unless told otherwise (`database_connections`).
const OURS: usize = 2;

/// A user of the database who may open three connections, the app's and ours together.
struct Plan {
    sandbox: Sandbox,
    user: String,
    url: String,
}

impl Plan {
    fn new(kind: Kind) -> Self {
        let sandbox = Sandbox::new(kind);
        let mut url = url::Url::parse(&sandbox.url()).unwrap();
        let database = url.path().trim_start_matches('/').to_owned();
        let user = format!("{database}_app");
        sandbox.sql(&match kind {
            Kind::MariaDb => format!(
                "CREATE USER {user}@'%' WITH MAX_USER_CONNECTIONS {CONNECTIONS};
                 GRANT ALL ON {database}.* TO {user}@'%'"
            ),
            _ => format!(
                "CREATE ROLE {user} LOGIN CONNECTION LIMIT {CONNECTIONS};
                 ALTER DATABASE {database} OWNER TO {user}"
            ),
        });
        url.set_username(&user).unwrap();
        let url = url.into();
        Self { sandbox, user, url }
    }

    fn start(&self, settings: &[&str]) -> Running {
        let mut command = self.sandbox.command(&["watch", "--set", "scan_interval=1d"]);
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        command.env("DATABASE_URL", &self.url);
        Running::start(command)
    }

    /// One more connection of the app, if the plan allows it.
    fn open(&self) -> Option<App> {
        self.sandbox.block_on(async {
            match self.sandbox.database.kind {
                Kind::MariaDb => MySqlConnection::connect(&self.url).await.ok().map(App::MariaDb),
                _ => PgConnection::connect(&self.url).await.ok().map(App::Postgres),
            }
        })
    }

    /// What the app does all day: it asks its connections something, here their numbers.
    fn ask(&self, app: &mut App) -> i64 {
        self.sandbox
            .block_on(async {
                match app {
                    App::MariaDb(connection) => {
                        let sql = "SELECT CAST(CONNECTION_ID() AS SIGNED)";
                        sqlx::query_scalar(sql).fetch_one(connection).await
                    }
                    App::Postgres(connection) => {
                        let sql = "SELECT pg_backend_pid()::bigint";
                        sqlx::query_scalar(sql).fetch_one(connection).await
                    }
                }
            })
            .expect("the app's connections work as ever")
    }

    /// Returns once the server has noticed, and the place is free.
    fn close(&self, mut app: App) {
        let number = self.ask(&mut app);
        self.sandbox.block_on(async {
            match app {
                App::MariaDb(connection) => connection.close().await.unwrap(),
                App::Postgres(connection) => connection.close().await.unwrap(),
            }
        });
        wait_until("the server's farewell", || !self.counts(number));
    }

    /// Whether a connection has a place of the plan's still.
    fn counts(&self, number: i64) -> bool {
        match self.sandbox.database.kind {
            Kind::MariaDb => self.connections().contains(&number),
            // A backend leaves the list of activities before its place is free; only those that have
            // one can be told anything. One that is idle takes no notice.
            _ => {
                self.sandbox.numbers(&format!("SELECT pg_cancel_backend({number})::int::bigint"))
                    == [1]
            }
        }
    }

    /// The numbers of the app's connections, and of ours.
    fn connections(&self) -> Vec<i64> {
        let list = match self.sandbox.database.kind {
            Kind::MariaDb => "CAST(id AS SIGNED) FROM information_schema.processlist WHERE user",
            _ => "pid::bigint FROM pg_stat_activity WHERE usename",
        };
        self.sandbox.numbers(&format!("SELECT {list} = '{}'", self.user))
    }

    fn upload(&self, name: &str) {
        for n in 0..40 {
            self.sandbox.write(&format!("{name}/{n}.jpg"), &noise(n, 60_000));
        }
    }

    fn remove(self) {
        let user = &self.user;
        self.sandbox.sql(&match self.sandbox.database.kind {
            Kind::MariaDb => format!("DROP USER {user}"),
            _ => format!("REASSIGN OWNED BY {user} TO CURRENT_USER; DROP ROLE {user}"),
        });
        self.sandbox.remove();
    }
}

/// A connection of the app.
enum App {
    MariaDb(MySqlConnection),
    Postgres(PgConnection),
}

fn the_app_has_them_all(kind: Kind) {
    let plan = Plan::new(kind);
    let mut app: Vec<_> = (0..CONNECTIONS).map(|_| plan.open().unwrap()).collect();
    assert!(plan.open().is_none(), "{kind:?} allows more than the plan");

    let mut watch = plan.start(&["database_wait=5s"]);
    let told = watch.wait_for_log("event=database_away");
    assert!(told.contains("connections"), "why: {told}");
    assert!(told.contains("database_connections"), "the cure: {told}");
    plan.upload("waits");
    for connection in &mut app {
        plan.ask(connection);
    }

    // One is free: that is enough.
    plan.close(app.pop().unwrap());
    watch.wait_for_log("event=database_back");
    plan.sandbox.wait_for_entries(40);
    plan.upload("with one");
    plan.sandbox.wait_for_entries(80);
    for connection in &mut app {
        plan.ask(connection);
    }

    // All of the app's are, and we take no more than what we were given.
    for connection in app {
        plan.close(connection);
    }
    plan.upload("with two");
    plan.sandbox.wait_for_entries(120);
    assert!(plan.connections().len() <= OURS);
    let mut one = plan.open().expect("there is always one left for the app");
    plan.ask(&mut one);
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    let told = count_lines(&log, &["event=database_away"]);
    // With one of two connections to work with, it is busy, and not away.
    assert!(told < 10, "told {told} times:\n{log}");
    assert_eq!(plan.sandbox.contents(), plan.sandbox.files());
    plan.close(one);
    plan.remove();
}

#[test]
fn t20_the_app_has_all_connections_of_postgres() {
    the_app_has_them_all(Kind::Postgres);
}

#[test]
fn t20_the_app_has_all_connections_of_mariadb() {
    the_app_has_them_all(Kind::MariaDb);
}

/// An app that opens a connection for each request (Django's default) finds one, however much we have to do.
fn the_app_always_finds_one(kind: Kind) {
    let plan = Plan::new(kind);
    let mut watch = plan.start(&[]);
    watch.wait_for_log("event=scan_finished");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..5 {
                plan.upload(&format!("flood{n}"));
            }
            plan.sandbox.wait_for_entries(200);
            done.store(true, Ordering::Relaxed);
        });
        let mut requests = 0;
        while requests < 30 || !done.load(Ordering::Relaxed) {
            let mut app = plan.open().expect("there is always one left for the app");
            plan.ask(&mut app);
            assert!(plan.connections().len() <= OURS + 1);
            plan.close(app);
            requests += 1;
        }
    });
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(plan.sandbox.contents(), plan.sandbox.files());
    plan.remove();
}

#[test]
fn t20_the_app_always_finds_a_connection() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        the_app_always_finds_one(kind);
    }
}
