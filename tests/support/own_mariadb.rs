//! A MariaDB of a test's own, for what cannot be done to one that others use as well.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use super::port::Port;
use super::program::{send, wait_until};
use super::server_user::{as_server, give_to_server};

pub struct OwnMariaDb {
    server: Child,
    port: Port,
    directory: tempfile::TempDir,
}

impl OwnMariaDb {
    /// An empty server that answers.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).expect("a chmod");
        give_to_server(directory.path());
        let data = format!("--datadir={}/data", directory.path().display());
        let size = ["--innodb-log-file-size=16M", "--innodb-buffer-pool-size=32M"];
        run(as_server("mariadb-install-db")
            .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
            .args(["--auth-root-authentication-method=normal", &data])
            .args(size));
        let port = Port::new();
        let inside = |name: &str| directory.path().join(name).display().to_string();
        let server = as_server("mariadbd")
            .args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"])
            .args(["--skip-log-bin", &data, &format!("--port={}", port.number())])
            .args([
                format!("--socket={}", inside("socket")),
                format!("--pid-file={}", inside("pid")),
            ])
            .args(size)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("MariaDB starts");
        let mariadb = Self { server, port, directory };
        wait_until("MariaDB", || {
            let mut ping = mariadb.client("mariadb-admin");
            ping.arg("ping").output().expect("mariadb-admin runs").status.success()
        });
        mariadb.run(
            "CREATE DATABASE app; CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'; \
             GRANT ALL ON app.* TO app@'127.0.0.1'",
        );
        mariadb
    }

    /// The URL of its one database, as a user who is the owner of that and of nothing else.
    pub fn url(&self) -> String {
        format!("mysql://app:app@127.0.0.1:{}/app", self.port.number())
    }

    /// Runs statements as an administrator.
    pub fn run(&self, sql: &str) {
        run(self.client("mariadb").args(["--execute", sql]));
    }

    fn client(&self, program: &str) -> Command {
        let mut client = Command::new(program);
        client.args(["--no-defaults", "--protocol=socket", "--user=root"]);
        client.arg(format!("--socket={}", self.directory.path().join("socket").display()));
        client
    }
}

impl Drop for OwnMariaDb {
    fn drop(&mut self) {
        // Its data is about to be thrown away.
        if matches!(self.server.try_wait(), Ok(None)) {
            send(i32::try_from(self.server.id()).expect("a pid"), 9);
        }
        let _ = self.server.wait();
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}
