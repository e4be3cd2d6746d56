//! A file on its way to the disk: it has no name, or a hidden one, until it is whole.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{
    AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps,
    UTIME_OMIT, fchmod, flock, fstat, futimens, linkat, openat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use super::draft_name;
use super::stat::{file_stat, file_type};
use super::write::{PlaceError, in_the_way};
use crate::model::stat::MODE_MASK;
use crate::model::{FileStat, UploadPath};

/// What became of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// It stands under its name, and looks like this.
    Placed(FileStat),
    /// Meanwhile somebody else made something of that name, which was left as it is.
    Exists,
}

/// What was found out about a file system.
#[derive(Debug, Default)]
pub(super) struct Ways {
    /// Drafts need a name from the start: it can do without no file's.
    pub named_drafts: AtomicBool,
    /// A new file gets other rights than were asked for (umask).
    pub cuts_rights: AtomicBool,
}

/// An unfinished file. Dropped without being published, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    pub(super) directory: Arc<OwnedFd>,
    path: UploadPath,
    pub(super) file: File,
    /// The hidden name, while there is one.
    pub(super) temporary: Option<String>,
    /// The rights that were asked for at its birth, where those are the ones that it is to have.
    born_with: Option<Mode>,
    ways: Arc<Ways>,
}

impl Draft {
    /// Begins the file of this path in its directory. `mode` is given to it at once, where that is possible.
    pub(super) fn begin(
        directory: Arc<OwnedFd>,
        path: &UploadPath,
        mode: Option<u32>,
        ways: &Arc<Ways>,
    ) -> Result<Self, PlaceError> {
        let mut born_with = mode.map(|mode| Mode::from(mode & MODE_MASK));
        born_with.take_if(|_| ways.cuts_rights.load(Ordering::Relaxed));
        let nameless = if ways.named_drafts.load(Ordering::Relaxed) {
            None
        } else {
            let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
            match openat(&directory, ".", flags, born_with.unwrap_or(PRIVATE)) {
                Ok(fd) => Some(File::from(fd)),
                // NFS, older overlayfs, FUSE, gVisor; kernels that do not know the flag see a
                // directory opened for writing.
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => {
                    ways.named_drafts.store(true, Ordering::Relaxed);
                    None
                }
                Err(error) => return Err(PlaceError::while_trying("begin the file")(error)),
            }
        };
        let (file, temporary) = match nameless {
            Some(file) => (file, None),
            None => {
                born_with = None;
                let (file, temporary) =
                    make_named(&directory).map_err(PlaceError::while_trying("begin the file"))?;
                (file, Some(temporary))
            }
        };
        let (path, ways) = (path.clone(), Arc::clone(ways));
        Ok(Self { directory, path, file, temporary, born_with, ways })
    }

    /// The name that it is to have.
    pub(super) fn name(&self) -> &str {
        self.path.file_name()
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// [`PlaceError::Full`] or [`PlaceError::Io`]; the draft is of no use any more.
    pub fn write_all(&mut self, bytes: &[u8]) -> Result<(), PlaceError> {
        self.file.write_all(bytes).map_err(PlaceError::while_trying("write the file"))
    }

    /// Gives the file its time (nanoseconds since 1970), its rights (only those of [`MODE_MASK`])
    /// and its name, in this order: under its name it is never anything but whole.
    ///
    /// # Errors
    /// [`PlaceError::Full`] or [`PlaceError::Io`]; nothing is left behind. Trying again may help:
    /// a placer learns from an error what the file system cannot do.
    pub fn publish(mut self, mtime_ns: i64, mode: u32) -> Result<Published, PlaceError> {
        self.dress(mtime_ns, mode)?;
        let named = match self.temporary.take() {
            None => self.link_nameless(self.name()),
            Some(temporary) => {
                let named = self.rename_from(&temporary);
                if !matches!(named, Ok(Named::Moved)) {
                    // Linked under its name, or given up: either way the hidden name goes.
                    let _ = unlinkat(&self.directory, &temporary, AtFlags::empty());
                }
                named
            }
        };
        match named {
            Ok(Named::Moved | Named::Linked) => {}
            Err(Errno::EXIST) => return self.exists(),
            Err(error) => return Err(PlaceError::while_trying("give the file its name")(error)),
        }
        let look = self.look()?;
        let wanted = mode & MODE_MASK;
        if look.mode == wanted {
            return Ok(Published::Placed(look));
        }
        self.ways.cuts_rights.store(true, Ordering::Relaxed);
        self.set_rights(Mode::from(wanted))?;
        Ok(Published::Placed(self.look()?))
    }

    /// What it means that the name is taken.
    fn exists(&self) -> Result<Published, PlaceError> {
        match statat(&self.directory, self.name(), AtFlags::SYMLINK_NOFOLLOW)
            .map(|it| file_type(&it))
        {
            Ok(FileType::RegularFile) | Err(_) => Ok(Published::Exists),
            Ok(kind) => Err(in_the_way(self.path.as_str(), kind)),
        }
    }

    /// How it looks. After the last change of the inode the ctime is the one that a scan will see.
    pub(super) fn look(&self) -> Result<FileStat, PlaceError> {
        let stat = fstat(&self.file).map_err(PlaceError::while_trying("look at the new file"))?;
        Ok(file_stat(&stat))
    }

    /// Gives the file its time and its rights.
    pub(super) fn dress(&self, mtime_ns: i64, mode: u32) -> Result<(), PlaceError> {
        let rights = Mode::from(mode & MODE_MASK);
        if self.born_with != Some(rights) {
            self.set_rights(rights)?;
        }
        let last_access = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let last_modification = Timespec {
            tv_sec: mtime_ns.div_euclid(1_000_000_000),
            tv_nsec: mtime_ns.rem_euclid(1_000_000_000),
        };
        futimens(&self.file, &Timestamps { last_access, last_modification })
            .map_err(PlaceError::while_trying("set the file's time"))
    }

    fn set_rights(&self, rights: Mode) -> Result<(), PlaceError> {
        fchmod(&self.file, rights).map_err(PlaceError::while_trying("set the file's rights"))
    }

    /// Gives a file without a name its first one. Fails with `EXIST` when the name is taken.
    pub(super) fn link_nameless(&self, name: &str) -> Result<Named, Errno> {
        let dir = &self.directory;
        let linked = match linkat(&self.file, "", dir, name, AtFlags::EMPTY_PATH) {
            // Before Linux 6.10 only a privileged program may name a file by its descriptor alone;
            // through /proc any program may.
            Err(Errno::NOENT) => {
                let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
                linkat(CWD, link, dir, name, AtFlags::SYMLINK_FOLLOW)
            }
            linked => linked,
        };
        // One of these errors may have had another cause, such as a directory deleted meanwhile.
        // Then the next drafts have a hidden name without need, which does no harm.
        if linked.is_err_and(|error| error != Errno::EXIST) {
            self.ways.named_drafts.store(true, Ordering::Relaxed);
        }
        linked.map(|()| Named::Linked)
    }

    /// Moves the file from its hidden name to its own. Fails with `EXIST` when the name is taken.
    fn rename_from(&self, temporary: &str) -> Result<Named, Errno> {
        let dir = &self.directory;
        match renameat_with(dir, temporary, dir, self.name(), RenameFlags::NOREPLACE) {
            Ok(()) => Ok(Named::Moved),
            // NFS and some FUSE file systems can rename only with replacing.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                linkat(dir, temporary, dir, self.name(), AtFlags::empty()).map(|()| Named::Linked)
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nobody is left to tell; what remains is swept at the next start.
            let _ = unlinkat(&self.directory, temporary, AtFlags::empty());
        }
    }
}

/// How a file came to its name.
pub(super) enum Named {
    /// The hidden name is gone with it.
    Moved,
    /// A hidden name, if there was one, is still there.
    Linked,
}

/// Rights of a file while it is unfinished.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Makes a file under a hidden name, locked so that nobody sweeps it away.
fn make_named(directory: &OwnedFd) -> io::Result<(File, String)> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    loop {
        let temporary = draft_name::make()?;
        let file = match openat(directory, &temporary, flags, PRIVATE) {
            Err(Errno::EXIST) => continue,
            opened => File::from(opened?),
        };
        // Where there are no locks there is no sweeping either: go on without.
        let _ = flock(&file, FlockOperation::LockExclusive);
        // A sweep may have come between the making and the lock.
        if fstat(&file)?.st_nlink > 0 {
            return Ok((file, temporary));
        }
    }
}
