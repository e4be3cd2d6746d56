//! The upload directory on real file systems: on the disk that holds the project, and in memory.

mod limits;
mod scan;
mod watch;
mod write;

use std::path::Path;
use std::process::Command;

use imagecached::model::UploadPath;
use tempfile::TempDir;

/// An empty directory on the project's disk.
fn on_disk() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// An empty directory in memory.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

fn path(text: &str) -> UploadPath {
    UploadPath::parse(text).unwrap()
}

/// Everything beneath a directory, by relative path, sorted; directories end in `/`.
fn listing(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = walkdir::WalkDir::new(root)
        .min_depth(1)
        .into_iter()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(root).unwrap().display().to_string();
            if entry.file_type().is_dir() { name + "/" } else { name }
        })
        .collect();
    names.sort();
    names
}

/// Runs an ignored test of this program in a process and user namespace of its own, started through
/// `before`.
fn in_user_namespace(before: &[&str], test: &str) {
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
