//! The place of a self-test: a directory for its files, and a prefix for its entries.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::model::scratch::SELF_TEST;

/// A directory that only this user can enter. It is gone when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    root: PathBuf,
    prefix: String,
}

impl Scratch {
    /// Makes the directory under a name that nobody has.
    ///
    /// # Errors
    /// As [`fs::create_dir`].
    pub fn make() -> io::Result<Self> {
        let prefix = format!("{SELF_TEST}{:016x}", getrandom::u64()?);
        // The watcher and the walks want a path without links.
        let root = std::env::temp_dir().canonicalize()?.join(&prefix);
        DirBuilder::new().mode(0o700).create(&root)?;
        Ok(Self { root, prefix })
    }

    /// The directory that stands for an upload directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the upload paths of all entries begin with, without the `/`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether an entry of this path is one of the test's.
    pub fn owns(&self, path: &str) -> bool {
        path.strip_prefix(&self.prefix).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Empties the directory, as a deploy does; the one for the files is there again.
    ///
    /// # Errors
    /// Of the file system.
    pub fn wipe(&self) -> io::Result<()> {
        let files = self.root.join(&self.prefix);
        match fs::remove_dir_all(&files) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir(&files),
        }
    }

    /// Removes the directory.
    ///
    /// # Errors
    /// Of the file system; one that is gone already is no error.
    pub fn remove(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_owns_its_own_and_leaves_nothing() {
        let scratch = Scratch::make().unwrap();
        scratch.wipe().unwrap();
        let prefix = scratch.prefix().to_owned();
        assert!(scratch.owns(&format!("{prefix}/a")));
        assert!(!scratch.owns(&format!("{prefix}0/a")) && !scratch.owns("a.jpg"));
        let root = scratch.root().to_owned();
        fs::write(root.join(&prefix).join("a"), "x").unwrap();
        drop(scratch);
        assert!(!root.exists());
    }
}
