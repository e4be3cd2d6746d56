//! No database server, no settings: a plain web server and an SQLite file that comes with it.

use std::fs;

use crate::shop::Site;
use crate::support::database::Kind;
use crate::support::port::Port;
use crate::support::program::{Running, Sandbox, wait_until};

const README: &str = include_str!("../../README.md");

/// What the README says to type, on another port.
fn serve(sandbox: &Sandbox, port: &Port) -> (Running, Site) {
    let port = port.number();
    let line = README.lines().find_map(|line| line.strip_prefix("    cargo run --release -- "));
    let line = line.expect("the README's command").replace("8000", &port.to_string());
    let mut command = sandbox.command(&line.split(' ').collect::<Vec<_>>());
    for name in ["DATABASE_URL", "IMAGECACHED_UPLOAD_DIR", "IMAGECACHED_LOG_LEVEL"] {
        command.env_remove(name);
    }
    let running = Running::start(command);
    let site = Site::new(&format!("127.0.0.1:{port}"));
    wait_until("the web server", || site.answers("/"));
    (running, site)
}

#[test]
fn a_static_site_needs_no_database_server() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let port = Port::new();
    let (running, site) = serve(&sandbox, &port);
    sandbox.write("2025/cat.jpg", b"\xff\xd8\xff\xe0 a cat");
    assert_eq!(site.get("/2025/cat.jpg"), b"\xff\xd8\xff\xe0 a cat");
    running.signal(2);
    let (status, log) = running.wait();
    assert_eq!(status.code(), Some(0), "http.server's code after Ctrl-C:\n{log}");
    let warning = log.lines().find(|line| line.contains("event=sqlite_ephemeral"));
    let warning = warning.unwrap_or_else(|| panic!("not a word about the disk:\n{log}"));
    assert!(warning.contains("this protects nothing"), "{warning}");
    assert!(warning.contains("imagecached.sqlite3"), "{warning}");
    assert!(log.lines().last().is_some_and(|last| last.contains("unsaved=0")), "{log}");

    sandbox.wipe();
    let (running, site) = serve(&sandbox, &port);
    assert_eq!(site.get("/2025/cat.jpg"), b"\xff\xd8\xff\xe0 a cat");
    running.stop();
    assert!(fs::exists(sandbox.beside().join("imagecached.sqlite3")).unwrap());
    sandbox.remove();
}
