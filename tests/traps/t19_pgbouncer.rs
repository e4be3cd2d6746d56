//! PgBouncer in transaction mode: a server connection belongs to a client for one transaction only. The suite
//! over all stores (`tests/store_contract`) runs through it; here the real program does, while clients, the
//! pooler and the server's connections come and go.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::noise;
use crate::support::database::Kind;
use crate::support::port::Port;
use crate::support::program::{Running, Sandbox, send, wait_until};
use crate::support::server_user::as_server;

/// A pooler of the test's own, since it is stopped and started.
struct PgBouncer {
    directory: TempDir,
    port: Port,
    child: Child,
}

impl PgBouncer {
    /// In front of the server of this URL. Fewer server connections than the program may have, so that they are shared,
    /// and none that idles for long.
    fn start(server: &url::Url) -> Self {
        let port = Port::new();
        let directory = TempDir::with_prefix("imagecached-pgbouncer-").unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let users = directory.path().join("users");
        fs::write(&users, format!("\"{}\" \"\"\n", server.username())).unwrap();
        let (host, server_port) = (server.host_str().unwrap(), server.port().unwrap());
        let configuration = format!(
            "[databases]\n* = host={host} port={server_port}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\nunix_socket_dir =\n\
             auth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 2\n\
             server_idle_timeout = 1\nignore_startup_parameters = extra_float_digits\n",
            port.number(),
            users.display()
        );
        fs::write(directory.path().join("pgbouncer.ini"), configuration).unwrap();
        let child = Self::run(&directory, &port);
        Self { directory, port, child }
    }

    fn run(directory: &TempDir, port: &Port) -> Child {
        // Debian keeps it out of an ordinary user's PATH.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let mut child = as_server("pgbouncer")
            .args(["--quiet", "pgbouncer.ini"])
            .current_dir(directory.path())
            .env("PATH", path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs `setpriv` of util-linux");
        wait_until("PgBouncer", || {
            assert!(child.try_wait().unwrap().is_none(), "PgBouncer has ended at once");
            TcpStream::connect(("127.0.0.1", port.number())).is_ok()
        });
        child
    }

    /// Starts it anew.
    fn start_again(&mut self) {
        self.child = Self::run(&self.directory, &self.port);
    }

    /// At once, with whatever is under way.
    fn stop(&mut self) {
        send(i32::try_from(self.child.id()).unwrap(), 9);
        self.child.wait().unwrap();
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn watch(sandbox: &Sandbox) -> Running {
    let mut watch = sandbox.watch_with(&["scan_interval=1d", "inline_limit=1MiB"]);
    watch.wait_for_log("event=scan_finished");
    watch
}

#[test]
fn t19_the_whole_cycle_through_pgbouncer() {
    let mut sandbox = Sandbox::new(Kind::Postgres);
    let mut url = url::Url::parse(&sandbox.url()).unwrap();
    let mut pooler = PgBouncer::start(&url);
    url.set_port(Some(pooler.port.number())).unwrap();
    sandbox.environment.push(("DATABASE_URL".into(), url.to_string()));
    let upload = |name: &str| {
        for n in 0..20 {
            sandbox.write(&format!("{name}/{n}.jpg"), &noise(n, 30_000));
        }
        sandbox.write(&format!("{name}/large.bin"), &noise(99, 3 << 20));
    };

    // The client is restarted twice: its statements of before must not be in the way of the next one's.
    let mut stored = 0;
    for client in ["first", "second", "third"] {
        let watch = watch(&sandbox);
        upload(client);
        stored += 21;
        sandbox.wait_for_entries(stored);
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert!(!log.contains("event=database_away"), "{log}");
    }

    let mut watch = watch(&sandbox);
    // The server's connections go, those that idle and those that do not.
    let backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    upload("before the server closed them");
    sandbox.wait_for_entries(stored + 21);
    wait_until("the end of idle server connections", || sandbox.numbers(backends) == [0]);
    upload("after the server closed them");
    sandbox.wait_for_entries(stored + 42);
    sandbox.numbers(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    upload("after they were cut");
    sandbox.wait_for_entries(stored + 63);

    // The pooler itself: between uploads, and in the middle of them.
    pooler.stop();
    pooler.start_again();
    upload("after a restart");
    sandbox.wait_for_entries(stored + 84);
    upload("in the middle of a restart");
    pooler.stop();
    pooler.start_again();
    sandbox.wait_for_entries(stored + 105);
    stored += 105;
    pooler.stop();
    upload("while it is away");
    watch.wait_for_log("event=database_away");
    pooler.start_again();
    watch.wait_for_log("event=database_back");
    sandbox.wait_for_entries(stored + 21);
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");

    // Every other command.
    let files = sandbox.files();
    sandbox.wipe();
    sandbox.ok(&["restore"]);
    assert!(sandbox.files() == files);
    let told = sandbox.ok(&["cache-all"]);
    assert!(told.starts_with(&format!("0 cached, {} unchanged", files.len())), "{told}");
    assert_eq!(sandbox.ok(&["list"]).lines().count(), files.len());
    assert_eq!(sandbox.content("first/large.bin"), noise(99, 3 << 20));
    assert!(sandbox.ok(&["status"]).contains("every one is safe"));
    sandbox.ok(&["migrate"]);
    sandbox.ok(&["self-test"]);
    sandbox.ok(&["cleanup", "--days", "90"]);
    sandbox.remove();
}
