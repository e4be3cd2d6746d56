//! The disk that is thrown away: where the upload directory is.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::plan::Medium;

/// How large a small disk is.
const SMALL: u64 = 48 << 20;

/// A directory on the wanted medium, for a round.
pub struct Disk {
    path: PathBuf,
    mounted: bool,
    /// Where it is not beneath the round's directory.
    elsewhere: Option<TempDir>,
}

impl Disk {
    pub fn new(medium: Medium, directory: &Path) -> Self {
        let path = directory.join("disk");
        let elsewhere = match medium {
            Medium::Memory => {
                Some(TempDir::with_prefix_in("imagecached-chaos-", "/dev/shm").expect("a tmpfs"))
            }
            _ => None,
        };
        let path = elsewhere.as_ref().map_or(path, |place| place.path().join("disk"));
        fs::create_dir(&path).expect("a directory");
        let mounted = medium == Medium::Small;
        if mounted {
            assert!(mount(&path), "a tmpfs could be mounted before");
        }
        Self { path, mounted, elsewhere }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room there is.
    pub fn fill(&self) {
        let ballast = File::create(self.ballast()).expect("a name needs no room");
        let mut size = 0;
        for step in [1 << 20, 64 << 10, 4 << 10] {
            let flags = rustix::fs::FallocateFlags::empty();
            while size < SMALL && rustix::fs::fallocate(&ballast, flags, size, step).is_ok() {
                size += step;
            }
        }
    }

    pub fn free(&self) {
        // It may never have been full.
        let _ = fs::remove_file(self.ballast());
    }

    /// Keeps what is on it when the round is over. What was mounted is gone when we are: that is copied.
    pub fn keep(mut self) {
        if self.mounted {
            let copy = self.path.with_extension("kept");
            let _ = Command::new("cp").arg("--archive").args([&self.path, &copy]).status();
        }
        if let Some(elsewhere) = self.elsewhere.take() {
            println!("the upload directory is beneath {}", elsewhere.keep().display());
        }
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg(&self.path).status();
        }
    }
}

/// Whether small disks can be mounted here.
pub fn can_mount(directory: &Path) -> bool {
    let probe = directory.join("probe");
    fs::create_dir(&probe).expect("a directory");
    let mounted = mount(&probe);
    if mounted {
        let _ = Command::new("umount").arg(&probe).status();
    }
    mounted
}

fn mount(path: &Path) -> bool {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", &format!("size={SMALL}"), "imagecached-chaos"]).arg(path);
    mount.output().is_ok_and(|done| done.status.success())
}
