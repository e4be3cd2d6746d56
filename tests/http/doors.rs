//! The API's own doors: who may call what. That an upload never acts as a page is a trap's test (`t33_http.rs`).

use crate::server::{CHANGES, PREFIX, Server, TOKEN, bearer};
use crate::support::database::Kind;
use crate::support::program::Sandbox;

const READS: [&str; 4] = ["status/", "entries/", "entries/1/", "entries/1/content"];

#[test]
fn a_call_that_changes_something_without_the_token() {
    let server = Server::watch(&[]);
    server.sandbox.write("a.jpg", b"a");
    server.sandbox.wait_for_entries(1);
    let cookie = server.log_in();
    for call in CHANGES {
        assert_eq!(server.change(call, &[]), 401, "{call}");
        assert_eq!(server.change(call, &["Authorization: Bearer wrong"]), 401, "{call}");
        // A browser's session alone is what another site's form would bring.
        assert_eq!(server.change(call, &[&cookie]), 403, "{call}");
        assert_eq!(server.change(call, &[&bearer(), "Origin: http://evil.example"]), 403, "{call}");
    }
    assert_eq!(server.sandbox.paths(), ["a.jpg"]);
    assert_eq!(server.change("DELETE entries/1/", &[&bearer()]), 204);
    server.end();
}

#[test]
fn a_read_beyond_loopback_without_the_token() {
    let server = Server::start("watch", "0.0.0.0:0", &[]);
    server.sandbox.write("a.jpg", b"a");
    server.sandbox.wait_for_entries(1);
    let below = READS.iter().map(|path| format!("{PREFIX}/{path}"));
    for path in below.chain(["/metrics".to_owned(), format!("{PREFIX}/openapi.json")]) {
        assert_eq!(server.get(&path, &[]).status, 401, "{path}");
        assert_eq!(server.get(&path, &[&bearer()]).status, 200, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.get(path, &[]).status, 200, "{path}");
    }
    server.end();
}

#[test]
fn flush_answers_over_http_when_the_file_is_in_the_database() {
    let server = Server::watch(&["scan_interval=1h"]);
    for n in 0..20 {
        server.sandbox.write(&format!("new/{n}/a.jpg"), b"bytes");
        let answer = server.ask(&format!("POST {PREFIX}/flush/?timeout=60"), &[&bearer()], "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(server.sandbox.paths().len(), n + 1);
    }
    server.end();
}

#[test]
fn serve_without_its_database_is_alive_and_not_ready_and_lacks_the_directory() {
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.environment.push(("DATABASE_URL".into(), "postgres://u:s3cret@127.0.0.1:1/db".into()));
    sandbox.environment.push(("IMAGECACHED_TOKEN".into(), TOKEN.into()));
    let server = Server::of(sandbox, "serve", "127.0.0.1:0", &["database_wait=1s"]);
    assert_eq!(server.get("/healthz", &[]).status, 200);
    let ready = server.get("/readyz", &[]);
    assert_eq!(ready.status, 503, "{}", ready.body);
    assert!(!ready.body.contains("s3cret"), "{}", ready.body);
    assert_eq!(server.change("POST flush/", &[&bearer()]), 409);
    server.end();
}

#[test]
fn the_doctor_of_a_process_without_the_upload_directory_judges_none() {
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.environment.push(("IMAGECACHED_TOKEN".into(), TOKEN.into()));
    // The directory that the program finds configured is not the app's: its file is nobody's upload, and
    // the entry's file is not missing there.
    sandbox.write("gone.jpg", b"stored");
    sandbox.ok(&["cache-all"]);
    sandbox.wipe();
    sandbox.write("stray.jpg", b"never stored");
    let doctor = format!("{PREFIX}/admin/doctor/");
    let server = Server::of(sandbox, "serve", "127.0.0.1:0", &[]);
    let page = server.get(&doctor, &[]);
    assert_eq!(page.status, 200, "{}", page.head);
    for told in [
        "This process has no upload directory",
        "as far as can be seen from here",
        "directory.root",
        "not in this process",
    ] {
        assert!(page.body.contains(told), "{told}:\n{}", page.body);
    }
    for told in ["database.reachable", "cache.entries", "1 entry"] {
        assert!(page.body.contains(told), "{told}:\n{}", page.body);
    }
    let uploads = server.sandbox.uploads.display().to_string();
    for untold in [
        "stray.jpg",
        "gone.jpg",
        "cache.missing",
        "cache.unsaved",
        "cache.room",
        "directory.files",
        "watcher.",
        "daemon.",
        "platform.state_dir",
        &uploads,
    ] {
        assert!(!page.body.contains(untold), "{untold}:\n{}", page.body);
    }
    assert!(server.sandbox.uploads.join("stray.jpg").exists());
    // Beside the app they are told.
    let Server { running, sandbox, .. } = server;
    running.stop();
    let server = Server::of(sandbox, "watch", "127.0.0.1:0", &[]);
    let page = server.get(&doctor, &[]).body;
    for told in ["directory.files", "watcher.", "cache.missing"] {
        assert!(page.contains(told), "{told}:\n{page}");
    }
    assert!(!page.contains("not in this process"), "{page}");
    server.end();
}
