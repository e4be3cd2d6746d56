//! Database servers of the chaos' own, since they are stopped and killed all the time.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::plan::{Product, Stop};
use crate::support::port::Port;
use crate::support::server_user::{as_server, give_to_server, postgres_program};

/// A server may take so long to come up, with all that it must recover.
const PATIENCE: Duration = Duration::from_secs(120);

/// PostgreSQL or MariaDB, with its data in a directory of its own.
pub struct Server {
    product: Product,
    directory: PathBuf,
    port: Port,
    process: Option<Child>,
}

impl Server {
    /// Makes an empty server and starts it.
    pub fn new(product: Product, parent: &Path) -> Self {
        let directory = parent.join(format!("{product:?}").to_lowercase());
        fs::create_dir(&directory).expect("a directory");
        fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).expect("a chmod");
        give_to_server(&directory);
        let data = format!("{}/data", directory.display());
        let made = match product {
            Product::Postgres => as_server(postgres_program("initdb"))
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"])
                .arg(format!("--pgdata={data}"))
                .output(),
            _ => as_server("mariadb-install-db")
                .args(["--no-defaults", "--skip-test-db", "--skip-name-resolve"])
                .args(["--auth-root-authentication-method=normal", "--innodb-log-file-size=16M"])
                .arg(format!("--datadir={data}"))
                .output(),
        };
        let made = made.expect("the server's programs are here");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Self { product, directory, port: Port::new(), process: None };
        server.start();
        server
    }

    /// Makes a database; gives its URL.
    pub fn make_database(&self, name: &str) -> String {
        let port = self.port.number().to_string();
        let (mut make, url) = match self.product {
            Product::Postgres => {
                let mut make = Command::new(postgres_program("createdb"));
                make.args(["--host=127.0.0.1", "--username=postgres", "--port", &port, name]);
                (make, format!("postgres://postgres@127.0.0.1:{port}/{name}"))
            }
            _ => {
                let mut make = self.mariadb_admin();
                make.args(["create", name]);
                (make, format!("mysql://root@127.0.0.1:{port}/{name}"))
            }
        };
        let made = make.output().expect("the client is here");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        url
    }

    /// Ends it; what was committed must be there after the next start.
    pub fn stop(&mut self, how: Stop) {
        let Some(mut process) = self.process.take() else { return };
        let signal = match (self.product, how) {
            (Product::Postgres, Stop::Fast) => "INT",
            (Product::Postgres, Stop::Immediate) => "QUIT",
            (_, Stop::Fast) => "TERM",
            (_, Stop::Immediate | Stop::Kill) => "KILL",
        };
        let pid = process.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(sent.expect("kill runs").success(), "{:?} has ended by itself", self.product);
        process.wait().expect("a child of ours");
    }

    /// Starts it, unless it runs, and waits until it answers.
    pub fn start(&mut self) {
        let began = Instant::now();
        while !(self.is_running() && self.answers()) {
            assert!(began.elapsed() < PATIENCE, "{:?}:\n{}", self.product, self.log());
            if !self.is_running() {
                // After a kill its children may hold on to what it needs for some moments: once more.
                self.process = Some(self.spawn());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_running(&mut self) -> bool {
        self.process
            .as_mut()
            .is_some_and(|process| process.try_wait().expect("a child of ours").is_none())
    }

    fn answers(&self) -> bool {
        let mut ask = match self.product {
            Product::Postgres => {
                let mut ask = Command::new(postgres_program("pg_isready"));
                ask.args(["--host=127.0.0.1", "--port", &self.port.number().to_string()]);
                ask
            }
            _ => {
                let mut ask = self.mariadb_admin();
                ask.arg("ping");
                ask
            }
        };
        ask.output().expect("the client is here").status.success()
    }

    fn spawn(&self) -> Child {
        let (directory, port) = (self.directory.display(), self.port.number());
        let mut command = match self.product {
            Product::Postgres => {
                let mut command = as_server(postgres_program("postgres"));
                command.arg("-D").arg(self.directory.join("data"));
                for setting in [
                    "listen_addresses=127.0.0.1".to_owned(),
                    format!("port={port}"),
                    format!("unix_socket_directories={directory}"),
                    "shared_buffers=32MB".to_owned(),
                    "max_wal_size=256MB".to_owned(),
                    // What a killed server has written is in the system's cache, and that lives on.
                    "fsync=off".to_owned(),
                ] {
                    command.args(["-c", &setting]);
                }
                command
            }
            _ => {
                let mut command = as_server("mariadbd");
                command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve"]);
                command.args(["--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M"]);
                command.args(["--skip-log-bin", "--max-connections=200"]);
                for option in ["datadir", "socket", "pid-file"] {
                    let name = if option == "datadir" { "data" } else { option };
                    command.arg(format!("--{option}={directory}/{name}"));
                }
                command.arg(format!("--port={port}"));
                command
            }
        };
        let mut log = fs::OpenOptions::new();
        let log = log.append(true).create(true).open(self.directory.join("log")).expect("a log");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor")).stderr(log);
        command.spawn().expect("the server starts")
    }

    fn mariadb_admin(&self) -> Command {
        let mut command = Command::new("mariadb-admin");
        command.args(["--no-defaults", "--host=127.0.0.1", "--user=root"]);
        command.arg(format!("--port={}", self.port.number()));
        command
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.is_running() {
            self.stop(Stop::Immediate);
        }
    }
}
