//! The API: what the calls answer.

mod content;
mod history;
mod runs;

use imagecached::model::Digest;
use serde_json::Value;

use crate::server::{Answer, PREFIX, Server, TOKEN, bearer};
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
        self.ask(&format!("{method} {PREFIX}{path}"), &[&bearer()], "")
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
    let next = next.json();
    assert_eq!((&next["next"], &first["previous"]), (&Value::Null, &Value::Null));
    let back = |previous: &Value, rest: &str| {
        server.read(&format!("/entries/?cursor={}&{rest}", previous.as_str().unwrap())).json()
    };
    let nearest = back(&next["previous"], "limit=2&type=image/&order=desc");
    assert_eq!(paths(&nearest), ["p/5.png", "p/4.png"]);
    let beginning = back(&nearest["previous"], "limit=2&type=image/&order=desc");
    assert_eq!(paths(&beginning), ["p/6.png"]);
    assert_eq!((&beginning["previous"], &beginning["total"]), (&Value::Null, &Value::Null));
    assert_eq!(paths(&back(&beginning["next"], "type=image/&order=desc"))[0], "p/5.png");
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
    let before = back(&rest["previous"], "on_disk=true&limit=3");
    assert_eq!(paths(&before), ["p/1.png", "p/3.png", "p/4.png"]);
    let before = back(&before["previous"], "on_disk=true&limit=3");
    assert_eq!((paths(&before), &before["previous"]), (vec!["p/0.png".to_owned()], &Value::Null));
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
        "entries/{id}/versions/",
        "entries/{id}/versions/{version}/restore/",
        "versions/{id}/content",
        "trash/",
        "trash/{id}/",
        "trash/{id}/undelete/",
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
