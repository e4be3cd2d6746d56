//! A PostgreSQL of a test's own, on a small disk: what fills up there is nobody else's.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::program::{send, wait_until};
use super::small_disk::SmallDisk;

pub struct OwnPostgres {
    server: Child,
    port: u16,
    /// The write-ahead log, on an ordinary disk.
    _log: tempfile::TempDir,
}

impl OwnPostgres {
    /// With its tables on the small disk. The write-ahead log is on another one: a server that cannot
    /// write its log does not say that it is full, it ends.
    pub fn on(disk: &SmallDisk) -> Self {
        let log = tempfile::tempdir().expect("a directory");
        let data = disk.inside("postgres");
        if is_root() {
            let user = format!("{}:", variable("IMAGECACHED_TEST_USER"));
            run(Command::new("chown").arg(user).arg(log.path()));
        }
        let mut initdb = server_program("initdb");
        initdb.arg("--pgdata").arg(&data).arg("--waldir").arg(log.path().join("wal"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]);
        initdb.args(["--locale=C.UTF-8", "--no-instructions"]).current_dir("/");
        run(&mut disk.put(&initdb));
        let port = free_port();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n\
             shared_buffers = 8MB\nmax_connections = 20\ntimezone = 'UTC'\n"
        );
        fs::write(disk.outside("postgres/postgresql.auto.conf"), settings).expect("room for it");
        let mut postgres = server_program("postgres");
        postgres.arg("-D").arg(&data).current_dir("/");
        let mut postgres = disk.put(&postgres);
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = postgres.spawn().expect("PostgreSQL starts");
        let postgres = Self { server, port, _log: log };
        wait_until("PostgreSQL", || postgres.is_ready());
        postgres
    }

    /// The URL of its one database, as superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn is_ready(&self) -> bool {
        let mut ready = Command::new(program("pg_isready"));
        ready.args(["--host=127.0.0.1", "--username=postgres", "--port"]);
        ready.arg(self.port.to_string()).stdout(Stdio::null());
        ready.status().expect("pg_isready runs").success()
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        // "Immediate": its data is about to be thrown away.
        if matches!(self.server.try_wait(), Ok(None)) {
            send(i32::try_from(self.server.id()).expect("a pid"), 3);
        }
        let _ = self.server.wait();
    }
}

/// A server refuses to be root.
fn server_program(name: &str) -> Command {
    if !is_root() {
        return Command::new(program(name));
    }
    let user = variable("IMAGECACHED_TEST_USER");
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--pdeathsig", "KILL", "--reuid", &user, "--clear-groups", "--"]);
    setpriv.arg(program(name));
    setpriv
}

fn program(name: &str) -> String {
    Path::new(&variable("IMAGECACHED_TEST_PG_BIN")).join(name).display().to_string()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/with-services"))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
