//! The scan: a walk over the upload directory that finds what the watch may have missed.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;

use super::beneath::Beneath;
use super::own_names::is_own;
use super::stat::{SkipReason, file_stat, file_type};
use super::walk::{Seen, join, walk};
use crate::model::upload_path::PathError;
use crate::model::{FileStat, UploadPath};

/// What a scan finds.
#[derive(Debug)]
pub enum Found {
    /// A regular file.
    File(UploadPath, FileStat),
    /// Something that cannot be stored.
    Skipped {
        /// Its path for people: what is not UTF-8 is replaced.
        shown: String,
        /// Why it cannot.
        why: SkipReason,
    },
    /// Something that could not be looked at: what is in it is not known.
    Unreadable {
        /// Its path for people.
        shown: String,
        /// Why it could not.
        cause: io::Error,
    },
}

/// What a scan has been through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scanned {
    /// Regular files found.
    pub files: u64,
    /// Directories read.
    pub directories: u64,
}

/// Goes through everything beneath the relative directory `beneath` (empty: the whole upload
/// directory), in no particular order, and hands on what it finds until `each` breaks off.
///
/// Symlinks are not followed, mounted file systems are entered, our own files are passed
/// over without a word. A directory or file that vanishes during the walk is no error; neither is
/// `beneath` being gone.
///
/// # Errors
/// `NotFound` when the root is missing. `InvalidInput` when `beneath` could lead out of it.
pub fn scan(
    root: &Path,
    beneath: &str,
    each: &mut dyn FnMut(Found) -> ControlFlow<()>,
) -> io::Result<Scanned> {
    if !beneath.is_empty() {
        UploadPath::parse(beneath)
            .map_err(|why| io::Error::new(io::ErrorKind::InvalidInput, why))?;
    }
    let root = Beneath::open(root)?;
    let mut files = 0;
    let directories = walk(&root, beneath.as_bytes(), &mut |seen| {
        let Some(found) = look(seen) else {
            return ControlFlow::Continue(());
        };
        files += u64::from(matches!(found, Found::File(..)));
        each(found)
    })?;
    Ok(Scanned { files, directories })
}

/// What there is to tell about a name; nothing when it is gone, or ours.
fn look(seen: Seen<'_>) -> Option<Found> {
    match seen {
        Seen::Name { parent, name, kind: FileType::RegularFile, .. }
            if is_own(parent, name.to_bytes()) =>
        {
            None
        }
        Seen::Name { directory, parent, name, kind: FileType::RegularFile } => {
            let path = join(parent, name.to_bytes());
            let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => return None,
                Err(cause) => {
                    return Some(Found::Unreadable { shown: show(&path), cause: cause.into() });
                }
            };
            Some(match SkipReason::of(file_type(&stat)) {
                // It was a file when the directory was listed.
                Some(why) => Found::Skipped { shown: show(&path), why },
                None => match upload_path(&path) {
                    Ok(path) => Found::File(path, file_stat(&stat)),
                    Err(why) => Found::Skipped { shown: show(&path), why: SkipReason::Name(why) },
                },
            })
        }
        Seen::Name { parent, name, kind, .. } => SkipReason::of(kind)
            .map(|why| Found::Skipped { shown: show(&join(parent, name.to_bytes())), why }),
        Seen::TooDeep { path } => {
            let why = SkipReason::Name(PathError::LongPath(path.len()));
            Some(Found::Skipped { shown: show(path), why })
        }
        Seen::Unreadable { path, cause } => Some(Found::Unreadable { shown: show(path), cause }),
    }
}

fn upload_path(path: &[u8]) -> Result<UploadPath, PathError> {
    UploadPath::parse(std::str::from_utf8(path).map_err(|_| PathError::NotUtf8)?)
}

/// For people; the upload directory itself is a dot.
fn show(path: &[u8]) -> String {
    if path.is_empty() { ".".to_owned() } else { String::from_utf8_lossy(path).into_owned() }
}
