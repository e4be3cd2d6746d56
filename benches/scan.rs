//! What a walk over 20,000 files costs, beside the bare calls that it cannot do without: the names in each
//! directory, and a stat of each file.
//!
//!     cargo bench --bench scan
//!
//! The index's answers are in `plan.rs`; here is what the file system and the paths cost.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use divan::Bencher;
use divan::counter::ItemsCount;
use imagecached::uploads::{Found, scan};
use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, statat};
use tempfile::TempDir;

const FILES: usize = 20_000;
const IN_A_DIRECTORY: usize = 100;

fn main() {
    divan::main();
}

fn tree() -> TempDir {
    let root = TempDir::new().expect("a directory for temporary files");
    for n in 0..FILES {
        let directory = root.path().join(format!("{:03}", n / IN_A_DIRECTORY));
        if n % IN_A_DIRECTORY == 0 {
            fs::create_dir(&directory).expect("there is room");
        }
        fs::write(directory.join(format!("{n:06}.jpg")), n.to_string()).expect("there is room");
    }
    root
}

#[divan::bench]
fn our_scan(bencher: Bencher<'_, '_>) {
    let tree = tree();
    bencher.counter(ItemsCount::new(FILES)).bench_local(|| {
        let mut bytes = 0;
        let scanned = scan(tree.path(), "", &mut |found| {
            if let Found::File(_, stat) = found {
                bytes += stat.size;
            }
            ControlFlow::Continue(())
        });
        assert_eq!(scanned.expect("it can be read").files, FILES as u64);
        bytes
    });
}

#[divan::bench]
fn bare_calls(bencher: Bencher<'_, '_>) {
    let tree = tree();
    bencher.counter(ItemsCount::new(FILES)).bench_local(|| {
        let mut files = 0;
        let bytes = stat_all(tree.path(), &mut files);
        assert_eq!(files, FILES);
        bytes
    });
}

/// The sizes of all files beneath a directory of directories.
fn stat_all(root: &Path, files: &mut usize) -> i64 {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut bytes = 0;
    for directory in fs::read_dir(root).expect("it can be read") {
        let path = directory.expect("a directory").path();
        let handle = openat(CWD, &path, flags, Mode::empty()).expect("it can be opened");
        for entry in Dir::read_from(&handle).expect("it can be read") {
            let entry = entry.expect("an entry");
            if entry.file_name().to_bytes().starts_with(b".") {
                continue;
            }
            let stat =
                statat(&handle, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW).expect("a stat");
            bytes += stat.st_size;
            *files += 1;
        }
    }
    bytes
}
