//! The upload directory by its path ([`UploadDir`]), and opened ([`Root`]).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, FileType, OFlags, fstat, statat};
use rustix::io::Errno;

use super::beneath::Beneath;
use super::read::{OpenError, OpenFile};
use super::stat::{SkipReason, file_stat, file_type};
use crate::model::{FileStat, UploadPath};

/// Where the upload directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadDir {
    root: PathBuf,
}

impl UploadDir {
    /// `root` is absolute.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        debug_assert!(root.is_absolute(), "{} is not absolute", root.display());
        Self { root }
    }

    /// The absolute path.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the directory, and those above it, when missing.
    ///
    /// # Errors
    /// As [`std::fs::create_dir_all`].
    pub fn make(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.root)
    }

    /// Opens it.
    ///
    /// # Errors
    /// `NotFound` when it is gone, `NotADirectory` when something else is in its place.
    pub fn open(&self) -> io::Result<Root> {
        Ok(Root::new(Beneath::open(&self.root)?, self.root.clone()))
    }
}

/// The upload directory, opened: what is asked of it is asked of this very directory, even when the
/// path has come to lead elsewhere since.
#[derive(Debug)]
pub struct Root {
    beneath: Beneath,
    path: PathBuf,
    /// The kernel lets only a file's owner read without touching the access time.
    noatime_refused: AtomicBool,
}

impl Root {
    fn new(beneath: Beneath, path: PathBuf) -> Self {
        Self { beneath, path, noatime_refused: AtomicBool::new(false) }
    }

    /// The directory itself.
    pub(super) fn beneath(&self) -> &Beneath {
        &self.beneath
    }

    /// Looks at a regular file. `None` when there is none of that name: nothing, something else, or
    /// something that only a symlink leads to.
    ///
    /// # Errors
    /// Whatever keeps the answer from being known, such as a lack of rights.
    pub fn stat(&self, path: &UploadPath) -> io::Result<Option<FileStat>> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = self.beneath.open_at(path.as_str().as_bytes(), flags);
        match opened.and_then(fstat) {
            Ok(stat) if file_type(&stat) == FileType::RegularFile => Ok(Some(file_stat(&stat))),
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is nothing at all under this name: no file, no link, nothing that a link leads to. A
    /// directory that has moved to another volume and left a link behind misses nothing.
    ///
    /// # Errors
    /// Whatever keeps the answer from being known.
    pub fn is_missing(&self, path: &UploadPath) -> io::Result<bool> {
        match statat(self.beneath.fd(), path.as_str(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(false),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a regular file for reading, without waiting and without touching its access time where
    /// that is allowed.
    ///
    /// # Errors
    /// [`OpenError::Gone`] when there is nothing of that name, [`OpenError::Skip`] when what is
    /// there is not to be read.
    pub fn open(&self, path: &UploadPath) -> Result<OpenFile, OpenError> {
        // Opening a FIFO wakes a writer that waits for a reader, and opening a device can do
        // anything: look first. What is swapped in after this look is caught by the one below.
        let look = statat(self.beneath.fd(), path.as_str(), AtFlags::SYMLINK_NOFOLLOW)?;
        if let Some(why) = SkipReason::of(file_type(&look)) {
            return Err(OpenError::Skip(why));
        }
        self.open_seen(path)
    }

    /// As [`Root::open`], of what the caller has just seen to be a regular file.
    ///
    /// # Errors
    /// As [`Root::open`].
    pub fn open_seen(&self, path: &UploadPath) -> Result<OpenFile, OpenError> {
        let name = path.as_str().as_bytes();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = if self.noatime_refused.load(Ordering::Relaxed) {
            self.beneath.open_at(name, flags)
        } else {
            match self.beneath.open_at(name, flags | OFlags::NOATIME) {
                Err(Errno::PERM) => {
                    self.noatime_refused.store(true, Ordering::Relaxed);
                    self.beneath.open_at(name, flags)
                }
                opened => opened,
            }
        };
        OpenFile::new(opened?)
    }

    /// Whether the path still leads to this very directory.
    #[must_use]
    pub fn still_there(&self) -> bool {
        let here = fstat(self.beneath.fd());
        let there = rustix::fs::stat(&self.path);
        matches!((here, there), (Ok(here), Ok(there))
            if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
    use std::os::unix::net::UnixListener;

    fn path(text: &str) -> UploadPath {
        UploadPath::parse(text).unwrap()
    }

    /// The same tree seen with `openat2` and without.
    fn both_ways(root: &Path) -> [Root; 2] {
        let plain = Beneath::open(root).unwrap().without_openat2();
        [UploadDir::new(root.to_owned()).open().unwrap(), Root::new(plain, root.to_owned())]
    }

    #[test]
    fn files_are_seen_and_everything_else_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/file"), "12345").unwrap();
        symlink("d", root.join("link")).unwrap();
        symlink("d/file", root.join("filelink")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        let meta = fs::metadata(root.join("d/file")).unwrap();
        for root in both_ways(root) {
            let stat = root.stat(&path("d/file")).unwrap().unwrap();
            assert_eq!((stat.size, stat.inode), (5, meta.ino()));
            assert_eq!(stat.mtime_ns, meta.mtime() * 1_000_000_000 + meta.mtime_nsec());
            assert_eq!(stat.ctime_ns, meta.ctime() * 1_000_000_000 + meta.ctime_nsec());
            assert_eq!(stat.mode, meta.mode() & 0o7777);
            for name in ["d", "none", "none/x", "d/file/x", "link/file", "filelink", "dangling"] {
                assert_eq!(root.stat(&path(name)).unwrap(), None, "{name}");
            }
        }
    }

    #[test]
    fn t17_what_is_not_a_file_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/file"), "x").unwrap();
        symlink("d", root.join("link")).unwrap();
        symlink("/dev/zero", root.join("zero")).unwrap();
        let _socket = UnixListener::bind(root.join("socket")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, root.join("fifo"), 0o600.into()).unwrap();
        assert!(fs::symlink_metadata(root.join("fifo")).unwrap().file_type().is_fifo());
        for root in both_ways(root) {
            for (name, want) in [
                ("d", SkipReason::Directory),
                ("link/file", SkipReason::Symlink),
                ("zero", SkipReason::Symlink),
                ("socket", SkipReason::NotAFile("a socket")),
                ("fifo", SkipReason::NotAFile("a FIFO")),
            ] {
                match root.open(&path(name)) {
                    Err(OpenError::Skip(why)) => assert_eq!(why, want, "{name}"),
                    other => panic!("{name}: {other:?}"),
                }
            }
            for name in ["none", "none/x", "d/file/x"] {
                assert!(matches!(root.open(&path(name)), Err(OpenError::Gone)), "{name}");
            }
            assert!(root.open(&path("d/file")).is_ok());
        }
    }

    #[test]
    fn a_root_that_was_replaced_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let place = UploadDir::new(dir.path().join("media/shop"));
        assert_eq!(place.open().unwrap_err().kind(), io::ErrorKind::NotFound);
        place.make().unwrap();
        place.make().unwrap();
        let root = place.open().unwrap();
        assert!(root.still_there());
        fs::rename(place.root(), dir.path().join("media/old")).unwrap();
        assert!(!root.still_there());
        place.make().unwrap();
        assert!(!root.still_there());
    }
}
