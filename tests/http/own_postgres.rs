//! A PostgreSQL server that belongs to one test, which may stop it and start it again.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tempfile::TempDir;

use crate::support::program::{Sandbox, send, wait_until};

/// The server. It is reached by a socket in its own directory, so that it has no port that somebody
/// else could take while it is stopped.
pub struct OwnPostgres {
    directory: TempDir,
    process: Option<Child>,
}

impl OwnPostgres {
    /// A fresh server that answers.
    pub fn start(sandbox: &Sandbox) -> Self {
        let directory = TempDir::with_prefix("imagecached-pg-").expect("a directory");
        std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(0o755))
            .expect("its permissions");
        let mut server = Self { directory, process: None };
        if rustix::process::getuid().is_root() {
            // The server refuses to run as root.
            let owner = format!("{}:", variable("IMAGECACHED_TEST_USER"));
            succeeded(Command::new("chown").arg(owner).arg(server.directory.path()).output());
        }
        let options =
            ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"];
        let mut initdb = server.program("initdb");
        initdb.arg("--pgdata").arg(server.data()).args(options).arg("--no-sync");
        succeeded(initdb.output());
        server.start_again(sandbox);
        server
    }

    /// Its URL.
    pub fn url(&self) -> String {
        let socket: String =
            url::form_urlencoded::byte_serialize(self.directory().as_os_str().as_encoded_bytes())
                .collect();
        format!("postgres:///postgres?host={socket}&user=postgres")
    }

    /// Ends it: connections break, and new ones are refused.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        // Interrupted, it ends its sessions and itself, with everything written down.
        send(i32::try_from(process.id()).expect("a pid"), 2);
        process.wait().expect("a child of ours");
    }

    /// Starts it again, and waits until it answers.
    pub fn start_again(&mut self, sandbox: &Sandbox) {
        let log = std::fs::File::create(self.directory().join("log")).expect("a log");
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.data()).args(["-c", "listen_addresses=", "-k"]);
        postgres.arg(self.directory()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.process = Some(postgres.spawn().expect("PostgreSQL starts"));
        let url = self.url();
        wait_until("PostgreSQL's answer", || {
            sandbox.block_on(async {
                match PgConnection::connect(&url).await {
                    Ok(connection) => connection.close().await.is_ok(),
                    Err(_) => false,
                }
            })
        });
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn data(&self) -> PathBuf {
        self.directory().join("data")
    }

    /// One of its programs, as its user; it dies with this process even if that is killed outright.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).current_dir(self.directory());
        if rustix::process::getuid().is_root() {
            let user = variable("IMAGECACHED_TEST_USER");
            command.args(["--reuid", &user, "--clear-groups"]);
        }
        command.arg("--").arg(Path::new(&variable("IMAGECACHED_TEST_PG_BIN")).join(name));
        command
    }
}

impl Drop for OwnPostgres {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run tests/with-services cargo test"))
}

fn succeeded(output: std::io::Result<Output>) {
    let output = output.expect("the program starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
}
