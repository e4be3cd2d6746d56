//! What is run: the commands, asked for over HTTP.

use serde_json::Value;

use super::{PIXEL, with_files};
use crate::server::{Server, TOKEN};
use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};
use crate::support::proxy::Proxy;

#[test]
fn runs_do_what_the_commands_do() {
    let server = with_files(&[], &[("a.png", PIXEL), ("b/c.txt", b"text")]);
    // What is in the database may not be known to be there yet, and would count as stored by this run.
    assert_eq!(server.call("POST", "/flush/").status, 200);
    let cached = server.call("POST", "/cache-all/").json();
    assert_eq!(cached, serde_json::json!({"cached": 0, "unchanged": 2, "skipped": 0, "failed": 0}));
    server.sandbox.wipe();
    let accepted = server.call("POST", "/restore/?wait=false");
    assert_eq!(accepted.status, 202);
    let place = accepted.header("location").unwrap().to_owned();
    assert_eq!(accepted.json()["kind"], "restore");
    wait_until("the run has ended", || server.get(&place, &[]).json()["state"] != "running");
    let job = server.get(&place, &[]).json();
    assert_eq!((&job["state"], &job["restored"]["restored"]), (&"done".into(), &2.into()));
    assert_eq!(server.sandbox.files().len(), 2);

    std::fs::remove_file(server.sandbox.uploads.join("a.png")).unwrap();
    let id = server.id_of("a.png");
    let one = server.call("POST", &format!("/entries/{id}/restore/")).json();
    assert_eq!((&one["restored"], &one["bytes"]), (&1.into(), &PIXEL.len().into()));
    assert_eq!(server.sandbox.files()["a.png"], PIXEL);

    std::fs::remove_file(server.sandbox.uploads.join("a.png")).unwrap();
    server.sandbox.sql("UPDATE image_cache SET last_accessed = '2020-01-01 00:00:00.000000'");
    let shown = server.call("POST", "/cleanup/?days=90").json();
    assert_eq!((&shown["dry_run"], &shown["count"]), (&true.into(), &1.into()));
    assert_eq!((&shown["removed"], &shown["in_use"]), (&0.into(), &1.into()));
    assert_eq!(shown["candidates"][0]["original_path"], "a.png");
    assert_eq!(server.sandbox.paths().len(), 2, "nothing goes unless it is said");
    let done = server.call("POST", "/cleanup/?days=90&dry_run=false").json();
    assert_eq!(done["removed"], 1);
    assert_eq!(server.sandbox.paths(), ["b/c.txt"]);
    let id = server.id_of("b/c.txt");
    assert!(done["kept_until"].as_str().unwrap().ends_with('Z'), "{done}");
    assert_eq!(server.call("DELETE", &format!("/entries/{id}/")).status, 204);
    let trashed = || server.sandbox.ok(&["list", "--trashed"]);
    assert_eq!(trashed().lines().count(), 2);
    server.sandbox.ok(&["undelete", "b/c.txt"]);
    let again = server.id_of("b/c.txt");
    assert_eq!(server.call("DELETE", &format!("/entries/{again}/?for_good=true")).status, 204);
    assert_eq!(trashed().lines().count(), 1, "past the trash");
    server.read(&format!("/entries/{id}/")).problem(404);
    server.end();
}

/// Who asks for a restore has the files in the end, as with the restore at a start.
#[test]
fn a_restore_that_stops_half_way_goes_on_by_itself() {
    const FILES: usize = 6;
    let mut sandbox = Sandbox::new(Kind::Postgres);
    for n in 0..FILES {
        sandbox.write(&format!("{n}.jpg"), &vec![b'a' + n as u8; 1 << 20]);
    }
    sandbox.ok(&["cache-all"]);
    let before = sandbox.files();
    sandbox.wipe();
    let mut proxy = Proxy::new(&sandbox.url());
    let token = ("IMAGECACHED_TOKEN".to_owned(), TOKEN.to_owned());
    sandbox.environment.extend([("DATABASE_URL".to_owned(), proxy.url().to_owned()), token]);
    let server = Server::of(sandbox, "watch", "127.0.0.1:0", &[]);
    wait_until("the daemon knows the cache", || {
        server.read("/status/").json()["daemon"]["restore_finished"] == true
    });
    proxy.slow_down(500_000);
    let accepted = server.call("POST", "/restore/?wait=false");
    let place = accepted.header("location").unwrap().to_owned();
    wait_until("the restore is under way", || !server.sandbox.files().is_empty());
    proxy.go_away();
    wait_until("it has stopped", || server.get(&place, &[]).json()["state"] != "running");
    let job = server.get(&place, &[]).json();
    let told = &job["restored"];
    assert!(told["left"].as_u64().is_some_and(|left| left > 0), "{job}");
    assert!(told["stopped"].is_string() && server.sandbox.files().len() < FILES, "{job}");
    proxy.slow_down(u64::MAX);
    proxy.come_back();
    wait_until("all files", || server.sandbox.files() == before);
    wait_until("the status says so", || {
        let answer = server.read("/status/");
        answer.status == 200 && answer.json()["daemon"]["restore_stopped"].is_null()
    });
    let log = server.end();
    assert!(log.contains("event=restore_stopped"), "{log}");
}

#[test]
fn without_the_upload_directory_its_calls_say_so() {
    let server = Server::start("serve", "127.0.0.1:0", &[]);
    wait_until("the tables are there", || server.read("/status/").status == 200);
    for path in [
        "/cache-all/",
        "/restore/",
        "/cleanup/",
        "/flush/",
        "/entries/1/restore/",
        "/entries/1/versions/1/restore/",
    ] {
        let detail = server.call("POST", path).problem(409);
        assert!(detail.contains("imagecached run --listen"), "{detail}");
    }
    server.read("/entries/?on_disk=true").problem(409);
    let status = server.read("/status/").json();
    assert_eq!((&status["daemon"], &status["unsaved"]), (&Value::Null, &Value::Null));
    let ready = server.get("/readyz", &[]);
    assert_eq!((ready.status, ready.json()["ready"].clone()), (200, true.into()));
    assert_eq!(server.get("/healthz", &[]).body, "alive\n");
    server.end();
}

#[test]
fn a_flush_that_fails_names_what_is_not_safe() {
    let server = with_files(&[], &[("a.png", PIXEL)]);
    assert_eq!(server.call("POST", "/flush/").json()["unsaved"], 0);
    // The app holds the write lock: nothing of ours gets through.
    let lock = server.sandbox.block_on(async {
        let file = server.sandbox.database.file();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(file);
        let mut lock: sqlx::SqliteConnection =
            sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::Executor::execute(&mut lock, "BEGIN IMMEDIATE").await.unwrap();
        lock
    });
    server.sandbox.write("late.png", PIXEL);
    // A second may be too short to hear of it, and then nobody could name it.
    wait_until("it is heard of", || server.read("/status/").json()["daemon"]["unsaved"] == 1);
    let refused = server.call("POST", "/flush/?timeout=1");
    assert!([503, 504].contains(&refused.status), "{}", refused.body);
    assert!(refused.problem(refused.status).contains("late.png"));
    drop(lock);
    assert_eq!(server.call("POST", "/flush/?timeout=60").status, 200);
    server.end();
}
