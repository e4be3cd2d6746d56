//! How HTTP starts and ends, and that the app and its uploads come first.

use std::net::TcpListener;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use crate::server::{PREFIX, Server, TOKEN};
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};

#[test]
fn a_port_that_is_taken_keeps_no_app_from_starting_and_is_tried_again() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen={}", taken.local_addr().unwrap());
    let mut command = sandbox.run(&[&listen], "echo hello > a.txt; echo ready; sleep 1000");
    command.env("IMAGECACHED_TOKEN", TOKEN);
    let mut running = Running::start(command);
    let line = running.wait_for_log("event=http_unavailable");
    assert!(line.contains("another process has port"), "{line}");
    sandbox.wait_for_entries(1);
    drop(taken);
    running.wait_for_log("event=listening");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(143), "{log}");
    assert!(log.contains("every upload is safe"), "{log}");
    sandbox.remove();
}

#[test]
fn the_port_of_the_app_is_left_to_the_app() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let mut command = sandbox.run(&["listen=127.0.0.1:18999"], "exit 3");
    command.env("PORT", "18999");
    let (status, log) = Running::start(command).wait();
    assert_eq!(status.code(), Some(3), "{log}");
    assert!(log.contains("event=http_unavailable") && log.contains("$PORT"), "{log}");
    sandbox.remove();
}

#[test]
fn serve_says_what_is_wrong_with_its_address() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = sandbox.output(&["serve", "--listen", &address]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("another process has port") && told.contains("--listen"), "{told}");
    let output = sandbox.output(&["serve", "--listen", "0.0.0.0:0"]);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("there is no token") && told.contains("IMAGECACHED_TOKEN"), "{told}");
    sandbox.remove();
}

#[test]
fn serve_starts_while_the_database_is_away_and_without_an_upload_directory() {
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.environment.push(("DATABASE_URL".into(), "postgres://u:s3cret@127.0.0.1:1/db".into()));
    sandbox.environment.push(("IMAGECACHED_UPLOAD_DIR".into(), "/nowhere/at/all".into()));
    sandbox.environment.push(("IMAGECACHED_TOKEN".into(), TOKEN.into()));
    let mut server = Server::of(sandbox, "serve", "127.0.0.1:0", &["database_wait=1s"]);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    server.running.wait_for_log("event=database_away");
    assert_eq!(server.get("/healthz", &[]).status, 200);
    let page = server.get("/partners/image-cache/admin/", &[]);
    assert!(!page.body.contains("s3cret") && !page.body.contains(TOKEN));
    let log = server.end();
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn a_token_that_is_made_at_start_is_in_the_link_and_in_no_line_of_the_log() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let mut server = Server::of(sandbox, "watch", "127.0.0.1:0", &[]);
    let link = server.running.wait_for_log("/admin/login?token=");
    let token = link.split_once("token=").unwrap().1.trim().to_owned();
    assert_eq!(token.len(), 32, "{link}");
    let bearer = format!("Authorization: Bearer {token}");
    assert_eq!(server.get("/partners/image-cache/admin/", &[&bearer]).status, 200);
    let page = server.get("/partners/image-cache/admin/", &[]).body;
    assert!(!page.contains(&token), "strangers see the last lines of the log");
    let path = link.trim().split_once("/partners").unwrap().1;
    let answer = server.get(&format!("/partners{path}"), &[]);
    assert!(answer.head.contains("imagecached_session="), "{}", answer.head);
    let log = server.end();
    assert_eq!(log.matches(&token).count(), 1, "{log}");
}

/// A program that is kept from making its tables: somebody else writes into the file.
fn without_tables(settings: &[&str]) -> (Server, SqliteConnection) {
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.environment.push(("IMAGECACHED_TOKEN".into(), TOKEN.into()));
    let lock = sandbox.block_on(async {
        let url = format!("{}?mode=rwc", sandbox.url());
        let mut lock = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut lock).await.unwrap();
        lock
    });
    (Server::of(sandbox, "watch", "127.0.0.1:0", settings), lock)
}

#[test]
fn who_asks_before_the_tables_are_made_is_told_to_ask_again() {
    let (server, lock) = without_tables(&["database_wait=1s"]);
    let entries = format!("{PREFIX}/entries/");
    let answer = server.get(&entries, &[]);
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.head.to_lowercase().contains("retry-after: 2"), "{}", answer.head);
    let ready = server.get("/readyz", &[]);
    assert_eq!(ready.status, 503, "{}", ready.body);
    let page = server.get(&format!("{PREFIX}/admin/entries/"), &["Accept: text/html"]);
    assert_eq!(page.status, 503, "{}", page.body);
    for told in [answer.body, ready.body, page.body] {
        assert!(told.contains("imagecached is starting"), "{told}");
        assert!(!told.contains("imagecached migrate"), "{told}");
    }
    wait_until("it says what keeps it", || {
        let told = server.get(&entries, &[]).body;
        told.contains("could not make") && told.contains("locked")
    });
    server.sandbox.block_on(lock.close()).unwrap();
    wait_until("it is ready", || server.get("/readyz", &[]).status == 200);
    assert_eq!(server.get(&entries, &[]).status, 200);
    server.end();
}

#[test]
fn where_somebody_else_makes_the_tables_it_is_said_how() {
    let (server, lock) = without_tables(&["migrate=false"]);
    for path in [&format!("{PREFIX}/entries/"), "/readyz"] {
        let answer = server.get(path, &[]);
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.body.contains("run `imagecached migrate`"), "{}", answer.body);
    }
    server.sandbox.block_on(lock.close()).unwrap();
    server.end();
}
