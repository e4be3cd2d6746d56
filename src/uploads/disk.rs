//! The disk under the upload directory: how much room there is, and what kind of disk it is.

use std::io;
use std::path::Path;

use rustix::fs::{statfs, statvfs};

/// The file system that holds the upload directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that a program without privilege can still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
    /// Its name, such as `ext4`; `None` for one that is not known here.
    pub file_system: Option<&'static str>,
}

impl Disk {
    /// Looks at the file system under `path`.
    ///
    /// # Errors
    /// `NotFound` when there is no such path.
    pub fn under(path: &Path) -> io::Result<Self> {
        let room = statvfs(path)?;
        // The field has another width and sign on other processors; all magics fit 32 bits.
        let magic = statfs(path)?.f_type as u32;
        Ok(Self {
            free: room.f_bavail.saturating_mul(room.f_frsize),
            total: room.f_blocks.saturating_mul(room.f_frsize),
            file_system: name_of(magic),
        })
    }

    /// Whether what is written is gone when the container or the machine stops, as far as the file
    /// system tells: memory, or the layer on top of a container's image.
    #[must_use]
    pub fn is_ephemeral(&self) -> bool {
        matches!(self.file_system, Some("tmpfs" | "ramfs" | "overlay"))
    }

    /// Whether a write that has been taken finds room: the file system is this machine's own, and keeps room for what
    /// it has not flushed yet. A file server may refuse it later, when nobody is there to hear of it.
    #[must_use]
    pub fn keeps_room(&self) -> bool {
        matches!(self.file_system, Some("ext4" | "xfs" | "btrfs" | "zfs" | "f2fs"))
    }
}

/// Names of the file systems that an upload directory may be on, by the magic numbers of
/// `statfs(2)`.
fn name_of(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x0000_ef53 => "ext4",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlay",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x2fc1_2fc1 => "zfs",
        0xf2f5_2010 => "f2fs",
        0x0000_6969 => "nfs",
        0xff53_4d42 | 0xfe53_4d42 => "cifs",
        0x6573_5546 => "fuse",
        0x0102_1997 => "9p",
        0x00c3_6400 => "ceph",
        0x8584_58f6 => "ramfs",
        0x0000_4d44 => "vfat",
        0x2011_bab0 => "exfat",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_from_a_disk() {
        let memory = Disk::under(Path::new("/dev/shm")).unwrap();
        assert_eq!(memory.file_system, Some("tmpfs"));
        assert!(memory.is_ephemeral() && !memory.keeps_room());
        assert!(memory.free <= memory.total && memory.total > 0);
        let proc = Disk::under(Path::new("/proc")).unwrap();
        assert_eq!(proc.file_system, None);
        assert!(Disk::under(Path::new("/none")).is_err());
    }
}
