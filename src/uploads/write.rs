//! Putting files back, without ever showing a half-written one, without ever touching one that
//! exists, and without ever leaving the upload directory.
//!
//! A [`Placer`] makes a [`Draft`], which becomes a file under its name when it is published.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, statat, syncfs};
use rustix::io::Errno;

use super::beneath::{Beneath, WAYPOINT, step};
use super::draft::{Draft, Ways};
use super::root::UploadDir;
use super::stat::file_type;
use crate::model::UploadPath;

/// Why a file was not put back.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// There is a file of that name; it is left as it is.
    #[error("the file exists already, and is left as it is")]
    Exists,
    /// Something that is not a file of ours is in the way. Nothing is written through it or over it.
    #[error("{at:?} is {found}, and nothing is written through it or over it; move it away")]
    Escapes {
        /// The part of the upload path, from its beginning, at which it stands.
        at: String,
        /// What it is, with its article.
        found: &'static str,
    },
    /// No room: the disk or a quota is full.
    #[error("the disk or the quota is full ({0}); make room")]
    Full(#[source] io::Error),
    /// Anything else.
    #[error("could not {what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl PlaceError {
    /// For `map_err`: what was being done when the system said no.
    pub(super) fn while_trying<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| {
            let source = error.into();
            match Errno::from_io_error(&source) {
                Some(Errno::NOSPC | Errno::DQUOT) => Self::Full(source),
                _ => Self::Io { what, source },
            }
        }
    }
}

/// Puts files back into one upload directory. Each worker thread has its own.
///
/// It keeps no directory open but the root and those that drafts are under way in: a directory that is moved out of
/// the upload directory must not take what is restored with it.
#[derive(Debug)]
pub struct Placer {
    root: Beneath,
    /// The directory of the last draft, for as long as one is under way in it.
    last: (String, Weak<OwnedFd>),
    ways: Arc<Ways>,
}

impl Placer {
    /// Opens the upload directory.
    ///
    /// # Errors
    /// As [`UploadDir::open`].
    pub fn new(root: &UploadDir) -> io::Result<Self> {
        let root = Beneath::open(root.root())?;
        let last = (String::new(), Weak::new());
        Ok(Self { root, last, ways: Arc::default() })
    }

    /// A placer that makes all drafts under a temporary name, as it does of itself where the file
    /// system has no `O_TMPFILE`. For tests.
    ///
    /// # Errors
    /// As [`Placer::new`].
    pub fn with_named_drafts(root: &UploadDir) -> io::Result<Self> {
        let placer = Self::new(root)?;
        placer.ways.named_drafts.store(true, Ordering::Relaxed);
        Ok(placer)
    }

    /// Begins a file. Missing directories are made, with the rights that the umask gives.
    ///
    /// # Errors
    /// [`PlaceError::Exists`] and [`PlaceError::Escapes`] concern this path only. Nothing is left
    /// behind on any error but directories.
    pub fn draft(&mut self, path: &UploadPath) -> Result<Draft, PlaceError> {
        let directory = self.directory_of(path)?;
        match statat(&directory, path.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Ok(stat) => {
                return Err(match file_type(&stat) {
                    FileType::RegularFile => PlaceError::Exists,
                    kind => in_the_way(path.as_str(), kind),
                });
            }
            Err(error) => return Err(PlaceError::while_trying("look whether it exists")(error)),
        }
        Draft::begin(directory, path, None, &self.ways)
    }

    /// As [`Placer::draft`], of a file that takes no time to write, and that is to have these rights: whether there is
    /// something of that name is found out when it is published.
    ///
    /// # Errors
    /// As [`Placer::draft`], but for [`PlaceError::Exists`].
    pub fn brief_draft(&mut self, path: &UploadPath, mode: u32) -> Result<Draft, PlaceError> {
        let directory = self.directory_of(path)?;
        Draft::begin(directory, path, Some(mode), &self.ways)
    }

    /// As [`Placer::draft`], of a file that is to take the place of the one of that name: with [`Draft::replace`].
    ///
    /// # Errors
    /// As [`Placer::draft`], but for [`PlaceError::Exists`].
    pub fn replacement(&mut self, path: &UploadPath) -> Result<Draft, PlaceError> {
        let directory = self.directory_of(path)?;
        Draft::begin(directory, path, None, &self.ways)
    }

    /// Brings everything that was written to the root's file system onto the disk (`syncfs`): one
    /// call after many files costs a tiny part of one `fsync` each.
    ///
    /// # Errors
    /// Of the disk: some file since the last call may not have been written.
    pub fn sync(&self) -> io::Result<()> {
        // `syncfs` does not take the kind of descriptor that paths are resolved from.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(syncfs(openat(self.root.fd(), ".", flags, Mode::empty())?)?)
    }

    /// The directory of a file, made when missing; the one of the last draft as long as that is under way.
    fn directory_of(&mut self, path: &UploadPath) -> Result<Arc<OwnedFd>, PlaceError> {
        if let Some(directory) = self.last.1.upgrade()
            && self.last.0 == path.parent()
        {
            return Ok(directory);
        }
        let directory = Arc::new(self.directory(path)?);
        self.last = (path.parent().to_owned(), Arc::downgrade(&directory));
        Ok(directory)
    }

    /// The directory of a file, made when missing.
    fn directory(&self, path: &UploadPath) -> Result<OwnedFd, PlaceError> {
        match self.root.open_at(path.parent().as_bytes(), WAYPOINT) {
            Ok(directory) => return Ok(directory),
            // Missing, or a wrong part of the path: which one is found out on the way down.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(error) => return Err(PlaceError::while_trying("open its directory")(error)),
        }
        let mut reached: Option<OwnedFd> = None;
        let mut end = 0;
        for part in path.parent().split('/') {
            end += part.len();
            let from = reached.as_ref().map_or(self.root.fd(), |fd| fd.as_fd());
            let opened = match step(from, part.as_bytes()) {
                Err(Errno::NOENT) => match mkdirat(from, part, Mode::from(0o777)) {
                    // Another worker may have been first.
                    Ok(()) | Err(Errno::EXIST) => step(from, part.as_bytes()),
                    Err(error) => {
                        return Err(PlaceError::while_trying("make its directory")(error));
                    }
                },
                opened => opened,
            };
            reached = Some(match opened {
                Ok(fd) => fd,
                Err(Errno::LOOP | Errno::NOTDIR) => {
                    let kind = statat(from, part, AtFlags::SYMLINK_NOFOLLOW)
                        .map_or(FileType::Unknown, |stat| file_type(&stat));
                    return Err(in_the_way(&path.as_str()[..end], kind));
                }
                Err(error) => return Err(PlaceError::while_trying("open its directory")(error)),
            });
            end += 1;
        }
        // `split` gives one part at least, so the loop has reached something.
        reached.ok_or(Errno::NOENT).map_err(PlaceError::while_trying("open its directory"))
    }
}

pub(super) fn in_the_way(at: &str, kind: FileType) -> PlaceError {
    let found = match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symlink",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::Unknown => "something else",
    };
    PlaceError::Escapes { at: at.to_owned(), found }
}
