//! No database server, no settings: a plain web server and an SQLite file that comes with it.

use std::fs;
use std::net::TcpListener;

use crate::shop::{Site, python};
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

fn serve(sandbox: &Sandbox, port: u16) -> (Running, Site) {
    let mut command = sandbox.command(&["run", "--"]);
    for name in ["DATABASE_URL", "IMAGECACHED_UPLOAD_DIR", "IMAGECACHED_LOG_LEVEL"] {
        command.env_remove(name);
    }
    command.arg(python()).args(["-m", "http.server", "--bind", "127.0.0.1"]);
    command.arg(port.to_string()).args(["--directory", "media"]);
    let running = Running::start(command);
    let site = Site::new(&format!("127.0.0.1:{port}"));
    wait_until("the web server", || site.answers("/"));
    (running, site)
}

#[test]
fn a_static_site_needs_no_database_server() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let (running, site) = serve(&sandbox, free_port());
    sandbox.write("2025/cat.jpg", b"\xff\xd8\xff\xe0 a cat");
    assert_eq!(site.get("/2025/cat.jpg"), b"\xff\xd8\xff\xe0 a cat");
    let (status, log) = running.stop();
    assert_eq!(status.code(), Some(128 + 15), "http.server dies of TERM:\n{log}");
    let warning = log.lines().find(|line| line.contains("event=sqlite_ephemeral"));
    let warning = warning.unwrap_or_else(|| panic!("not a word about the disk:\n{log}"));
    assert!(warning.contains("this protects nothing"), "{warning}");
    assert!(warning.contains("imagecached.sqlite3"), "{warning}");
    assert!(log.lines().last().is_some_and(|last| last.contains("unsaved=0")), "{log}");

    sandbox.wipe();
    let (running, site) = serve(&sandbox, free_port());
    assert_eq!(site.get("/2025/cat.jpg"), b"\xff\xd8\xff\xe0 a cat");
    running.stop();
    assert!(fs::exists(sandbox.beside().join("imagecached.sqlite3")).unwrap());
    sandbox.remove();
}
