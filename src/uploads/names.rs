//! The names in the upload directory, and nothing more of them: the kernel is asked for the lists of the
//! directories, and about no file. That is several times as quick as a scan, and needs no inode to be read from the
//! disk.

use std::ffi::CStr;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::FileType;

use super::beneath::Beneath;
use super::draft_name;
use super::own_names::is_own;
use super::sweep::remove_if_left;
use super::walk::{Seen, walk};
use crate::model::Stock;
use crate::model::index::key;

/// What a look at all names has found. Our own files are passed over.
#[derive(Debug, Default)]
pub struct Names {
    /// Keys of regular files.
    files: Vec<u128>,
    /// Keys of what is neither a file nor a directory.
    others: Vec<u128>,
    /// The first thing that could not be looked at, by its path for people: what is in it is not known.
    pub unreadable: Option<(String, io::Error)>,
}

impl Names {
    /// The regular files.
    #[must_use]
    pub fn files(self) -> Stock {
        Stock::new(self.files)
    }

    /// Whatever has a name, but for directories.
    #[must_use]
    pub fn all(mut self) -> Stock {
        self.files.append(&mut self.others);
        Stock::new(self.files)
    }
}

/// Looks at all names beneath the upload directory. What vanishes meanwhile is no error.
///
/// # Errors
/// `NotFound` when the root is missing.
pub fn names(root: &Path) -> io::Result<Names> {
    look(root, &mut |_, _| {})
}

/// As [`names`], and removes on the way the drafts that a killed restore has left; says how many those were.
///
/// # Errors
/// As [`names`].
pub fn names_swept(root: &Path) -> io::Result<(Names, u64)> {
    let mut removed = 0;
    let names = look(root, &mut |directory, name| {
        removed += u64::from(remove_if_left(directory, name));
    })?;
    Ok((names, removed))
}

/// `draft` is called with every unfinished file of ours.
fn look(root: &Path, draft: &mut dyn FnMut(BorrowedFd<'_>, &CStr)) -> io::Result<Names> {
    let root = Beneath::open(root)?;
    let mut names = Names::default();
    let mut path = Vec::new();
    walk(&root, b"", &mut |seen| {
        match seen {
            Seen::Name { directory, name, kind: FileType::RegularFile, .. }
                if draft_name::is_one(name.to_bytes()) =>
            {
                draft(directory, name);
            }
            Seen::Name { parent, name, kind: FileType::RegularFile, .. }
                if is_own(parent, name.to_bytes()) => {}
            Seen::Name { parent, name, kind, .. } => {
                path.clear();
                path.extend_from_slice(parent);
                if !parent.is_empty() {
                    path.push(b'/');
                }
                path.extend_from_slice(name.to_bytes());
                // No entry has a path that is not text.
                if let Ok(path) = std::str::from_utf8(&path) {
                    let keys = match kind {
                        FileType::RegularFile => &mut names.files,
                        _ => &mut names.others,
                    };
                    keys.push(key(path));
                }
            }
            Seen::Unreadable { path, cause } if names.unreadable.is_none() => {
                let shown = if path.is_empty() { b"." } else { path };
                names.unreadable = Some((String::from_utf8_lossy(shown).into_owned(), cause));
            }
            // No entry's path is so long.
            Seen::Unreadable { .. } | Seen::TooDeep { .. } => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(names)
}
