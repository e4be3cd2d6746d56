//! The upload directory on real file systems: on the disk that holds the project, and in memory.

mod limits;
#[path = "../support/namespace.rs"]
mod namespace;
mod scan;
mod watch;
mod write;

use std::path::Path;

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
