//! Walking the tree: every name once, no symlink followed, one directory open at a time.

use std::ffi::CStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Dir, FileType, OFlags, statat};
use rustix::io::Errno;

use super::beneath::Beneath;
use super::stat::file_type;
use crate::model::upload_path::MAX_PATH_BYTES;

/// What a walk comes across. Paths are relative to the root.
pub(super) enum Seen<'a> {
    /// A name in a directory that is open; anything but a directory.
    Name { directory: BorrowedFd<'a>, parent: &'a [u8], name: &'a CStr, kind: FileType },
    /// A directory so deep that no file in it can have an upload path. It is not entered.
    TooDeep { path: &'a [u8] },
    /// A directory or name that could not be looked at.
    Unreadable { path: &'a [u8], cause: io::Error },
}

/// Walks `beneath` (empty for everything) and returns how many directories it has read.
///
/// What vanishes during the walk is no error, and neither is `beneath` itself being gone or not
/// being a directory. An error means that the kernel could not be asked at all.
pub(super) fn walk(
    root: &Beneath,
    beneath: &[u8],
    each: &mut dyn FnMut(Seen<'_>) -> ControlFlow<()>,
) -> io::Result<u64> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut waiting = vec![beneath.to_vec()];
    let mut directories = 0;
    while let Some(parent) = waiting.pop() {
        // Each one is opened from the root by its whole path: a stack of open handles would be as
        // deep as the tree, and a tree can be deeper than a process may have files open.
        let mut entries = match root.open_at(&parent, flags).and_then(Dir::new) {
            Ok(entries) => entries,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
            Err(cause) => {
                let cause = cause.into();
                if each(Seen::Unreadable { path: &parent, cause }).is_break() {
                    return Ok(directories);
                }
                continue;
            }
        };
        directories += 1;
        while let Some(entry) = entries.read() {
            let entry = match entry {
                Ok(entry) => entry,
                // A directory that was removed while it was read.
                Err(Errno::NOENT) => break,
                Err(cause) => {
                    let cause = cause.into();
                    if each(Seen::Unreadable { path: &parent, cause }).is_break() {
                        return Ok(directories);
                    }
                    break;
                }
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let directory = entries.fd()?;
            let flow = match kind_of(directory, name, entry.file_type()) {
                Ok(None) => ControlFlow::Continue(()),
                Ok(Some(FileType::Directory)) => {
                    let path = join(&parent, name.to_bytes());
                    if path.len() < MAX_PATH_BYTES {
                        waiting.push(path);
                        ControlFlow::Continue(())
                    } else {
                        each(Seen::TooDeep { path: &path })
                    }
                }
                Ok(Some(kind)) => each(Seen::Name { directory, parent: &parent, name, kind }),
                Err(cause) => {
                    let path = join(&parent, name.to_bytes());
                    each(Seen::Unreadable { path: &path, cause: cause.into() })
                }
            };
            if flow.is_break() {
                return Ok(directories);
            }
        }
    }
    Ok(directories)
}

/// Puts a name behind its directory.
pub(super) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(parent.len() + 1 + name.len());
    if !parent.is_empty() {
        path.extend_from_slice(parent);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Some file systems do not say in a listing what a name is. `None` when it is gone meanwhile.
fn kind_of(
    directory: BorrowedFd<'_>,
    name: &CStr,
    listed: FileType,
) -> Result<Option<FileType>, Errno> {
    if listed != FileType::Unknown {
        return Ok(Some(listed));
    }
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(file_type(&stat))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}
