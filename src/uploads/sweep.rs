//! Removing what a killed restore, or a machine that stopped, has left behind.

use std::ffi::CStr;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{
    AtFlags, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock, openat, renameat_with,
    statat, unlinkat,
};
use rustix::io::Errno;

use super::beneath::WAYPOINT;
use super::draft_name;
use super::root::Root;
use super::stat::{file_stat, file_type};
use crate::model::{FileStat, UploadPath};

/// Removes a draft whose writer is gone, and says whether it did: on a shared volume another instance may be writing
/// it right now, and holds a lock on it for as long as it does. One that cannot be removed is left, to be tried at
/// the next start.
pub(super) fn remove_if_left(directory: BorrowedFd<'_>, draft: &CStr) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(directory, draft, flags, Mode::empty())
        .and_then(|file| {
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            // Still locked by us while it goes: a writer that has just made it and waits for the lock then sees
            // that it lost the name.
            unlinkat(directory, draft, AtFlags::empty())
        })
        .is_ok()
}

impl Root {
    /// Removes the file of this name if it still is the very one that was `seen`, and says whether it was. It is looked
    /// at once more when it has lost its name and nobody can open it any more; one that was written meanwhile gets its
    /// name back.
    ///
    /// # Errors
    /// Of the file system; the file is where it was, or under a hidden name when a new one has taken its place.
    pub fn remove_seen(&self, path: &UploadPath, seen: &FileStat) -> io::Result<bool> {
        let directory = self.beneath().open_at(path.parent().as_bytes(), WAYPOINT)?;
        let name = path.file_name();
        let is_seen = |name: &str| {
            let found = statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let look = |stat: &FileStat| (stat.inode, stat.size, stat.mtime_ns);
            let same = look(&file_stat(&found)) == look(seen);
            Ok::<_, Errno>(same && file_type(&found) == FileType::RegularFile)
        };
        match is_seen(name) {
            Ok(true) => {}
            Ok(false) | Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let aside = draft_name::make()?;
        let moved = renameat_with(&directory, name, &directory, &aside, RenameFlags::NOREPLACE);
        let at = match moved {
            Ok(()) if is_seen(&aside)? => aside.as_str(),
            Ok(()) => {
                renameat_with(&directory, &aside, &directory, name, RenameFlags::NOREPLACE)?;
                return Ok(false);
            }
            // NFS and some FUSE file systems can rename only with replacing.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => name,
            Err(Errno::NOENT) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        unlinkat(&directory, at, AtFlags::empty())?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::uploads::UploadDir;

    #[test]
    fn only_the_file_that_was_seen_goes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("d/a.jpg");
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(&file, "torn").unwrap();
        let root = UploadDir::new(dir.path().to_owned()).open().unwrap();
        let path = UploadPath::parse("d/a.jpg").unwrap();
        let seen = root.stat(&path).unwrap().unwrap();
        for other in [
            FileStat { size: 5, ..seen },
            FileStat { mtime_ns: seen.mtime_ns + 1, ..seen },
            FileStat { inode: seen.inode + 1, ..seen },
        ] {
            assert!(!root.remove_seen(&path, &other).unwrap());
            assert_eq!(fs::read(&file).unwrap(), b"torn");
        }
        assert!(root.remove_seen(&path, &seen).unwrap());
        assert_eq!(fs::read_dir(dir.path().join("d")).unwrap().count(), 0);
        assert!(!root.remove_seen(&path, &seen).unwrap());
    }
}
