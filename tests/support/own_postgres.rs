//! A PostgreSQL server that belongs to one test, which may stop it, start it again, or fill its disk.
//!
//! It is reached by a socket in a directory of its own, so that it has no port that somebody else could
//! take while it is stopped.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::running::{send, wait_until};
use super::server_user::{as_server, give_to_server, postgres_program};
use super::small_disk::SmallDisk;

pub struct OwnPostgres<'disk> {
    /// Socket, log, and what is not on the small disk.
    directory: TempDir,
    data: PathBuf,
    disk: Option<&'disk SmallDisk>,
    process: Option<Child>,
}

impl<'disk> OwnPostgres<'disk> {
    /// A fresh server that answers.
    pub fn start() -> Self {
        let directory = directory();
        let data = directory.path().join("data");
        Self::begin(Self { directory, data, disk: None, process: None })
    }

    /// The same with its tables on the small disk. The write-ahead log is on another one: a server that
    /// cannot write its log does not say that it is full, it ends.
    pub fn on(disk: &'disk SmallDisk) -> Self {
        let data = disk.inside("postgres");
        Self::begin(Self { directory: directory(), data, disk: Some(disk), process: None })
    }

    fn begin(mut server: Self) -> Self {
        let data = server.data.as_os_str();
        let log = server.directory.path().join("wal");
        let mut initdb = as_server(postgres_program("initdb"));
        initdb.arg("--pgdata").arg(data).arg("--waldir").arg(log);
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]);
        initdb.args(["--locale=C.UTF-8", "--no-instructions"]);
        run(&mut server.put(initdb));
        server.start_again();
        server
    }

    /// The URL of its one database, as superuser.
    pub fn url(&self) -> String {
        let socket = self.directory.path().as_os_str().as_encoded_bytes();
        let socket: String = url::form_urlencoded::byte_serialize(socket).collect();
        format!("postgres:///postgres?host={socket}&user=postgres")
    }

    /// Ends it: connections break, and new ones are refused.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        // "Fast": it ends its sessions and itself, with everything written down.
        send(i32::try_from(process.id()).expect("a pid"), 2);
        process.wait().expect("a child of ours");
    }

    /// Starts it again, and waits until it answers.
    pub fn start_again(&mut self) {
        let log = std::fs::File::create(self.directory.path().join("log")).expect("a log");
        let mut postgres = as_server(postgres_program("postgres"));
        postgres.arg("-D").arg(&self.data).arg("-k").arg(self.directory.path());
        postgres.args(["-c", "listen_addresses=", "-c", "timezone=UTC"]);
        postgres.args(["-c", "shared_buffers=8MB", "-c", "max_connections=20"]);
        let mut postgres = self.put(postgres);
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(postgres.spawn().expect("PostgreSQL starts"));
        wait_until("PostgreSQL's answer", || self.is_ready());
    }

    fn is_ready(&self) -> bool {
        let mut ready = Command::new(postgres_program("pg_isready"));
        ready.arg("--username=postgres").arg("--host").arg(self.directory.path());
        ready.stdout(Stdio::null()).status().expect("pg_isready runs").success()
    }

    /// The command, as it finds the small disk if there is one.
    fn put(&self, command: Command) -> Command {
        self.disk.map(|disk| disk.put(&command)).unwrap_or(command)
    }
}

impl Drop for OwnPostgres<'_> {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        // "Immediate": its data is about to be thrown away.
        if matches!(process.try_wait(), Ok(None)) {
            send(i32::try_from(process.id()).expect("a pid"), 3);
        }
        let _ = process.wait();
    }
}

/// A directory for the server alone.
fn directory() -> TempDir {
    let directory = TempDir::with_prefix("imagecached-pg-").expect("a directory");
    give_to_server(directory.path());
    directory
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
