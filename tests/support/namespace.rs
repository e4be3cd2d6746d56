//! Limits of the kernel, lowered for a test alone: in a user namespace, whose limits can be set without
//! harm to anybody else on the machine.

use std::process::Command;

/// Runs an ignored test of this program in a process and user namespace of its own, started through
/// `before`.
pub fn in_user_namespace(before: &[&str], test: &str) {
    let done = Command::new("unshare")
        .arg("--user")
        .args(before)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .expect("this test needs `unshare` of util-linux");
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && said.contains("1 passed"),
        "{test} (which needs user namespaces):\n{said}"
    );
}

/// Runs an ignored test of this program with a limit of its own, such as `max_inotify_watches`.
pub fn with_limit(limit: &str, value: u32, test: &str) {
    let script = format!("echo {value} > /proc/sys/user/{limit} && exec \"$0\" \"$@\"");
    in_user_namespace(&["--map-root-user", "sh", "-c", &script], test);
}
