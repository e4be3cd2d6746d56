//! The API: what the calls answer, and that nothing damaged is ever served as whole.

use std::io::Write;

use imagecached::model::Digest;
use serde_json::Value;

use crate::server::{Answer, PREFIX, Server, TOKEN, read};
use crate::support::database::Kind;
use crate::support::program::{Sandbox, wait_until};

const PIXEL: &[u8] = b"\x89PNG\r\n\x1a\n and what else a picture has";

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("{} {}\n{}", self.status, self.head, self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &&str| {
            line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name))
        };
        self.head.lines().find(named).and_then(|line| line.split_once(':')).map(|(_, v)| v.trim())
    }

    /// Asserts that it is a problem of this status, and gives its detail.
    fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["status"], status);
        problem["detail"].as_str().unwrap().to_owned()
    }
}

impl Server {
    fn call(&self, method: &str, path: &str) -> Answer {
        let token = format!("Authorization: Bearer {TOKEN}");
        self.ask(&format!("{method} {PREFIX}{path}"), &[&token], "")
    }

    fn read(&self, path: &str) -> Answer {
        self.get(&format!("{PREFIX}{path}"), &[])
    }

    fn id_of(&self, path: &str) -> i64 {
        let found = self.read(&format!("/entries/?search={path}")).json();
        found["entries"][0]["id"].as_i64().unwrap_or_else(|| panic!("{path}: {found}"))
    }
}

fn with_files(settings: &[&str], files: &[(&str, &[u8])]) -> Server {
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.environment.push(("IMAGECACHED_TOKEN".into(), TOKEN.into()));
    for (path, bytes) in files {
        sandbox.write(path, bytes);
    }
    let server = Server::of(sandbox, "watch", "127.0.0.1:0", settings);
    server.sandbox.wait_for_entries(files.len());
    server
}

#[test]
fn every_call_answers_with_and_without_the_slash_at_its_end() {
    let server = with_files(&[], &[("a.png", PIXEL)]);
    let id = server.id_of("a.png");
    for path in ["/status", "/entries", "/openapi.json", &format!("/entries/{id}")] {
        let (bare, slash) = (server.read(path), server.read(&format!("{path}/")));
        assert_eq!((bare.status, slash.status), (200, 200), "{path}");
    }
    for path in ["/flush", "/cache-all", "/restore", "/cleanup", &format!("/entries/{id}/restore")]
    {
        let (bare, slash) = (server.call("POST", path), server.call("POST", &format!("{path}/")));
        assert_eq!((bare.status, slash.status), (200, 200), "{path} {}", bare.body);
    }
    server.end();
}

#[test]
fn the_status_agrees_with_the_command() {
    let server = with_files(&["inline_limit=16"], &[("a.png", PIXEL), ("b.txt", b"text")]);
    server.call("POST", "/flush/");
    let print =
        || -> Value { serde_json::from_str(&server.sandbox.ok(&["status", "--json"])).unwrap() };
    wait_until("the daemon has written its state down", || print()["daemon"]["unsaved"] == 0);
    let (called, printed) = (server.read("/status/").json(), print());
    let shared: Vec<&String> =
        printed.as_object().unwrap().keys().filter(|key| called.get(key).is_some()).collect();
    for key in &shared {
        // The daemon writes its own down every second only, and the file grows as it is looked at.
        if !["daemon", "database_bytes"].contains(&key.as_str()) {
            assert_eq!(called[key.as_str()], printed[key.as_str()], "{key}");
        }
    }
    assert!(shared.len() >= 12, "{shared:?}");
    let (ours, theirs) = (&called["daemon"], &printed["daemon"]);
    for key in theirs.as_object().unwrap().keys() {
        assert!(ours.get(key).is_some(), "daemon.{key}");
    }
    assert_eq!(called["daemon"]["watcher"]["state"], "watching");
    assert_eq!((&called["inline"], &called["chunked"]), (&1.into(), &1.into()));
    assert!(called["last_capture"].is_string());
    server.end();
}

#[test]
fn a_list_is_paged_filtered_and_sorted() {
    let names: Vec<String> = (0..7).map(|n| format!("p/{n}.png")).collect();
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), PIXEL)).collect();
    files.push(("text & more.txt", b"text"));
    let server = with_files(&[], &files);
    let paths = |answer: &Value| -> Vec<String> {
        let entries = answer["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["original_path"].as_str().unwrap().to_owned()).collect()
    };
    let first = server.read("/entries/?limit=3&type=image/&order=desc").json();
    assert_eq!(paths(&first), ["p/6.png", "p/5.png", "p/4.png"]);
    assert_eq!((&first["total"], &first["total_is_more"]), (&7.into(), &false.into()));
    let cursor = first["next"].as_str().unwrap();
    let next = server.read(&format!("/entries/?limit=9&type=image/&order=desc&cursor={cursor}"));
    assert_eq!(paths(&next.json()), ["p/3.png", "p/2.png", "p/1.png", "p/0.png"]);
    assert_eq!(next.json()["next"], Value::Null);
    let other = server.read(&format!("/entries/?limit=3&order=desc&cursor={cursor}"));
    assert!(other.problem(400).contains("cursor"), "it is of another list");

    let found = server.read("/entries/?search=%26%20m").json();
    assert_eq!(paths(&found), ["text & more.txt"]);
    let entry = &found["entries"][0];
    assert_eq!(entry["sha256"], Digest::of(b"text").to_string());
    assert_eq!((&entry["has_data"], &entry["file_size"]), (&true.into(), &4.into()));
    assert!(entry["created_at"].as_str().unwrap().ends_with('Z'));
    let printed: Value = serde_json::from_str(&server.sandbox.ok(&["list", "--json"])).unwrap();
    let printed = printed.as_array().unwrap().iter().find(|one| one["id"] == entry["id"]).unwrap();
    assert_eq!(printed, entry);

    std::fs::remove_file(server.sandbox.uploads.join("p/2.png")).unwrap();
    let gone = server.read("/entries/?on_disk=false").json();
    assert_eq!(paths(&gone), ["p/2.png"]);
    let there = server.read("/entries/?on_disk=true&limit=4").json();
    assert_eq!(paths(&there), ["p/0.png", "p/1.png", "p/3.png", "p/4.png"]);
    let cursor = there["next"].as_str().unwrap();
    let rest = server.read(&format!("/entries/?on_disk=true&cursor={cursor}")).json();
    assert_eq!(paths(&rest), ["p/5.png", "p/6.png", "text & more.txt"]);
    assert_eq!(paths(&server.read("/entries/?has_data=false").json()), [""; 0]);
    server.end();
}

#[test]
fn what_cannot_be_used_is_told_as_a_problem_that_names_it() {
    let server = with_files(&[], &[("a.png", PIXEL)]);
    for (path, named) in [
        ("/entries/?limit=0", "limit"),
        ("/entries/?limit=501", "limit"),
        ("/entries/?limit=-1", "limit"),
        ("/entries/?limit=x", "limit"),
        ("/entries/?limit=1&limit=2", "limit"),
        ("/entries/?sort=colour", "colour"),
        ("/entries/?order=up", "up"),
        ("/entries/?payload=gold", "gold"),
        ("/entries/?has_data=maybe", "has_data"),
        ("/entries/?not_accessed_days=36501", "not_accessed_days"),
        ("/entries/?not_accessed_days=4294967296", "not_accessed_days"),
        ("/entries/?search=%00", "search"),
        ("/entries/?cursor=1..x", "cursor"),
        ("/entries/?colour=red", "colour"),
        ("/entries/x/", "x"),
        ("/entries/99999999999999999999/", "99999999999999999999"),
        ("/entries/%ff/", "UTF-8"),
        ("/status/?a=b", "a"),
    ] {
        let detail = server.read(path).problem(400);
        assert!(detail.contains(named), "{path}: {detail}");
    }
    let long = format!("/entries/?search={}", "a".repeat(2_049));
    assert!(server.read(&long).problem(400).contains("2049"));
    for (path, named) in [
        ("/cleanup/?days=0", "days"),
        ("/cleanup/?dry-run=false", "dry-run"),
        ("/cleanup/?dry_run=no", "dry_run"),
        ("/flush/?timeout=61", "timeout"),
        ("/flush/?timeout=0", "timeout"),
        ("/flush/?timeout=-1", "timeout"),
        ("/cache-all/?wait=2", "wait"),
    ] {
        let detail = server.call("POST", path).problem(400);
        assert!(detail.contains(named), "{path}: {detail}");
    }
    server.read("/entries/9999/").problem(404);
    server.read("/jobs/no-such/").problem(404);
    server.call("DELETE", "/entries/9999/").problem(404);
    server.call("PUT", "/status/").problem(405);
    server.ask(&format!("POST {PREFIX}/flush/"), &[], "").problem(401);
    assert_eq!(server.sandbox.paths(), ["a.png"]);
    server.end();
}

#[test]
fn contents_come_whole_in_parts_and_not_again() {
    let server = with_files(&[], &[("é a\".png", PIXEL), ("logo.svg", b"<svg><script/></svg>")]);
    let id = server.id_of(".png");
    let path = format!("{PREFIX}/entries/{id}/content");
    let whole = server.get(&path, &[]);
    assert_eq!((whole.status, whole.header("content-type")), (200, Some("image/png")));
    assert_eq!(whole.header("content-length"), Some(&*PIXEL.len().to_string()));
    let named = "inline; filename=\"_ a_.png\"; filename*=UTF-8''%C3%A9%20a%22.png";
    assert_eq!(whole.header("content-disposition"), Some(named));
    assert!(whole.header("content-security-policy").unwrap().starts_with("sandbox"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert!(whole.body.ends_with(" and what else a picture has"));
    let etag = format!("\"{}\"", Digest::of(PIXEL));
    assert_eq!(whole.header("etag"), Some(&*etag));

    let again = server.get(&path, &[&format!("If-None-Match: {etag}")]);
    assert_eq!((again.status, &*again.body), (304, ""));
    let part = server.get(&path, &["Range: bytes=-7"]);
    assert_eq!((part.status, &*part.body), (206, "ure has"));
    let size = PIXEL.len();
    let place = format!("bytes {}-{}/{size}", size - 7, size - 1);
    assert_eq!(part.header("content-range"), Some(&*place));
    let other = server.get(&path, &["Range: bytes=-7", "If-Range: \"other\""]);
    assert_eq!(other.status, 200);
    let beyond = server.get(&path, &["Range: bytes=4000-"]);
    assert_eq!(beyond.header("content-range"), Some(&*format!("bytes */{size}")));
    beyond.problem(416);
    let head = server.ask(&format!("HEAD {path}"), &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    assert_eq!(head.header("content-length"), Some(&*size.to_string()));

    let svg = server.read(&format!("/entries/{}/content", server.id_of("logo.svg")));
    assert!(svg.header("content-disposition").unwrap().starts_with("attachment"));
    assert!(svg.header("content-security-policy").unwrap().starts_with("sandbox"));
    server.end();
}

#[test]
fn the_range_of_a_large_file_reads_its_chunks_only() {
    let bytes: Vec<u8> = (0..3_500_000_u32).map(|n| b'a' + (n / 7 % 23) as u8).collect();
    let server = with_files(&["inline_limit=0"], &[("film.bin", &bytes)]);
    let path = format!("{PREFIX}/entries/{}/content", server.id_of("film.bin"));
    let whole = server.get(&path, &[]);
    assert!(whole.status == 200 && whole.body.as_bytes() == bytes);
    // Without its first chunk the file is damaged; a range beyond it is not.
    server.sandbox.sql("DELETE FROM image_cache_chunk WHERE seq = 0");
    for (start, end) in [(1_048_576, 1_048_577), (2_000_000, 2_200_000), (3_499_999, 3_500_000)] {
        let part = server.get(&path, &[&format!("Range: bytes={start}-{}", end - 1)]);
        assert!(part.status == 206 && part.body.as_bytes() == &bytes[start..end], "{start}");
    }
    server.get(&path, &["Range: bytes=0-0"]).problem(500);
    server.get(&path, &[]).problem(500);
    server.end();
}

#[test]
fn a_damaged_content_is_a_problem_or_cut_short_and_never_whole() {
    let bytes = vec![b'x'; 2_500_000];
    let files: [(&str, &[u8]); 2] = [("large.bin", &bytes), ("small.txt", b"small and whole")];
    let server = with_files(&["inline_limit=1MiB"], &files);
    server.sandbox.sql("UPDATE image_cache SET image_data = 'AAAA' WHERE image_data IS NOT NULL");
    server.sandbox.sql("UPDATE image_cache_chunk SET data = zeroblob(402848) WHERE seq = 2");
    let small = server.read(&format!("/entries/{}/content", server.id_of("small")));
    assert!(small.problem(500).contains("damaged"));
    let large = server.read(&format!("/entries/{}/content", server.id_of("large")));
    assert_eq!(large.header("content-length"), Some("2500000"));
    assert!(large.body.len() < 2_500_000, "the end of a damaged file is not sent");
    assert!(large.body.bytes().all(|byte| byte == b'x'));
    let log = server.end();
    assert!(log.contains("event=http_cut"), "{log}");
}

#[test]
fn a_content_counts_as_an_access() {
    let server = with_files(&[], &[("a.png", PIXEL)]);
    let old = "UPDATE image_cache SET last_accessed = '2020-01-01 00:00:00.000000'";
    server.sandbox.sql(old);
    let id = server.id_of("a.png");
    assert_eq!(server.read(&format!("/entries/{id}/content")).status, 200);
    wait_until("the access is noted", || {
        let entry = server.read(&format!("/entries/{id}/")).json();
        !entry["last_accessed"].as_str().unwrap().starts_with("2020")
    });
    // Within the minute it is not noted again.
    server.sandbox.sql(old);
    assert_eq!(server.read(&format!("/entries/{id}/content")).status, 200);
    let entry = server.read(&format!("/entries/{id}/")).json();
    assert!(entry["last_accessed"].as_str().unwrap().starts_with("2020"));
    server.end();
}

#[test]
fn runs_do_what_the_commands_do() {
    let server = with_files(&[], &[("a.png", PIXEL), ("b/c.txt", b"text")]);
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

#[test]
fn without_the_upload_directory_its_calls_say_so() {
    let server = Server::start("serve", "127.0.0.1:0", &[]);
    wait_until("the tables are there", || server.read("/status/").status == 200);
    for path in ["/cache-all/", "/restore/", "/cleanup/", "/flush/", "/entries/1/restore/"] {
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
    let refused = server.call("POST", "/flush/?timeout=1");
    assert!([503, 504].contains(&refused.status), "{}", refused.body);
    assert!(refused.problem(refused.status).contains("late.png"));
    drop(lock);
    assert_eq!(server.call("POST", "/flush/?timeout=60").status, 200);
    server.end();
}

#[test]
fn the_description_is_that_of_the_routes() {
    let server = Server::start("serve", "127.0.0.1:0", &[]);
    let described = server.read("/openapi.json").json();
    let paths = described["paths"].as_object().unwrap();
    let mut expected = vec!["/healthz".to_owned(), "/metrics".into(), "/readyz".into()];
    for call in [
        "status/",
        "cache-all/",
        "jobs/{id}/",
        "entries/",
        "entries/{id}/",
        "entries/{id}/content",
        "entries/{id}/restore/",
        "restore/",
        "cleanup/",
        "flush/",
    ] {
        expected.push(format!("{PREFIX}/{call}"));
    }
    expected.sort();
    let mut there: Vec<&String> = paths.keys().collect();
    there.sort();
    assert_eq!(there, expected.iter().collect::<Vec<_>>());
    for (path, item) in paths {
        for (method, call) in item.as_object().unwrap() {
            let free = method == "get";
            assert_eq!(call.get("security").is_none(), free, "{method} {path}");
            assert!(call["responses"].as_object().unwrap().len() > 1, "{method} {path}");
        }
    }
    server.end();
}

#[test]
fn contents_that_nobody_takes_hold_up_nobody_for_ever() {
    let bytes = vec![b'x'; 8 << 20];
    let server = with_files(&["inline_limit=0"], &[("large.bin", &bytes)]);
    let path = format!("{PREFIX}/entries/{}/content", server.id_of("large"));
    // Four clients that ask and do not read take all turns; when they go, the turns come back.
    let idle: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = server.connect();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address).unwrap();
            stream
        })
        .collect();
    let mut fifth = server.connect();
    write!(fifth, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address)
        .unwrap();
    assert_eq!(server.read("/status/").status, 200);
    drop(idle);
    let answer = read(fifth);
    assert!(answer.status == 200 && answer.body.len() == bytes.len(), "{}", answer.head);
    server.end();
}
