//! Servers of a test's own, as a user that is not root: that is what they refuse to be.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A command as that user, which ends with this process however that ends.
pub fn as_server(program: impl AsRef<OsStr>) -> Command {
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--pdeathsig", "KILL"]).current_dir("/");
    if let Some(user) = server_user() {
        setpriv.args(["--reuid", &user, "--clear-groups"]);
    }
    setpriv.arg("--").arg(program);
    setpriv
}

/// Lets that user write to a directory.
pub fn give_to_server(directory: &Path) {
    if let Some(user) = server_user() {
        let given = Command::new("chown").arg(format!("{user}:")).arg(directory).status();
        assert!(given.expect("chown runs").success());
    }
}

/// A program of PostgreSQL's, which Debian keeps out of the PATH.
pub fn postgres_program(name: &str) -> PathBuf {
    Path::new(&variable("IMAGECACHED_TEST_PG_BIN")).join(name)
}

/// Somebody else, if we are root.
fn server_user() -> Option<String> {
    rustix::process::geteuid().is_root().then(|| variable("IMAGECACHED_TEST_USER"))
}

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run tests/with-services cargo test"))
}
