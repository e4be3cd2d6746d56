//! Runs one test of this very binary again as a process of its own, for what can only be seen from
//! outside: PID 1, the terminal, another environment.

use std::ffi::OsString;
use std::process::Command;

/// The arguments that run the one test `name` (with its module path, marked `#[ignore]`) and let it
/// print: `PREFIX… THIS-BINARY --exact NAME …`.
pub(super) fn arguments(prefix: &[&str], name: &str) -> Vec<OsString> {
    let binary = std::env::current_exe().expect("a test binary knows its own path");
    let mut all: Vec<OsString> = prefix.iter().map(OsString::from).collect();
    all.push(binary.into());
    all.extend(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"].map(Into::into));
    all
}

/// The same as a command that can be given an environment and pipes.
pub(super) fn command(prefix: &[&str], name: &str) -> Command {
    let all = arguments(prefix, name);
    let mut command = Command::new(&all[0]);
    command.args(&all[1..]);
    command
}
