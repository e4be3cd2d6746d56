//! The marker: a small file in the upload directory that says whose uploads these are.
//!
//! Where it is missing, the directory is not the one that was watched: a volume was unmounted, a script
//! has emptied the disk, a deploy has put a fresh directory in its place. What vanishes then was not deleted
//! by the app.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;

use super::draft_name;
use super::root::{Root, UploadDir};
use crate::model::UploadPath;

/// Its name, directly in the upload directory. The watch and the scan pass it over.
pub const NAME: &str = ".imagecached";

/// No identity is longer, in bytes.
const LONGEST: u64 = 4_096;

/// The upload directory as it is, and the marker in it.
#[derive(Debug)]
pub struct Marker {
    upload_dir: UploadDir,
    root: Root,
    identity: String,
}

/// Why the upload directory cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum MarkerError {
    #[error("the upload directory is gone, or another one is in its place")]
    Gone,
    #[error("the upload directory is empty")]
    Empty,
    #[error("the marker {NAME} is missing in the upload directory")]
    Missing,
    #[error(
        "the marker {NAME} in the upload directory names another cache ({found}); if it is \
         an old name of this one, remove the file and restart"
    )]
    Another { found: String },
    #[error("the marker {NAME} in the upload directory cannot be {what}: {source}")]
    Io { what: &'static str, source: io::Error },
}

impl Marker {
    /// Takes the directory as it is now for the right one, and puts a marker into it where there is none.
    /// `identity` is the cache's: one line. Who can fetch the uploads may be able to read it.
    ///
    /// # Errors
    /// When the directory is gone, or has the marker of another cache.
    pub fn set(upload_dir: &UploadDir, identity: &str) -> Result<Self, MarkerError> {
        let root = upload_dir.open().map_err(|_| MarkerError::Gone)?;
        let marker =
            Self { upload_dir: upload_dir.clone(), root, identity: identity.trim().to_owned() };
        match marker.check_name() {
            Err(MarkerError::Missing) => marker.write()?,
            other => other?,
        }
        Ok(marker)
    }

    /// Makes sure that the directory is the one that it was, with its marker and something more in it.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self) -> Result<(), MarkerError> {
        if !self.root.still_there() {
            return Err(MarkerError::Gone);
        }
        let names = fs::read_dir(self.upload_dir.root())
            .map_err(|source| MarkerError::Io { what: "looked for", source })?;
        if names.flatten().all(|entry| entry.file_name() == NAME) {
            return Err(MarkerError::Empty);
        }
        self.check_name()
    }

    /// As [`Root::is_missing`], in this very directory.
    ///
    /// # Errors
    /// Whatever keeps the answer from being known.
    pub fn is_missing(&self, path: &UploadPath) -> io::Result<bool> {
        self.root.is_missing(path)
    }

    fn check_name(&self) -> Result<(), MarkerError> {
        let found = self.read()?;
        if found == self.identity {
            return Ok(());
        }
        Err(MarkerError::Another { found: found.escape_debug().to_string() })
    }

    fn read(&self) -> Result<String, MarkerError> {
        use std::io::Read;
        // Nobody's link or pipe is taken for it.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let path = self.upload_dir.root().join(NAME);
        let opened =
            OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
        let file = opened.map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => MarkerError::Missing,
            _ => MarkerError::Io { what: "read", source },
        })?;
        let mut bytes = Vec::new();
        let read = file.take(LONGEST).read_to_end(&mut bytes);
        read.map_err(|source| MarkerError::Io { what: "read", source })?;
        let text = String::from_utf8_lossy(&bytes);
        Ok(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    fn write(&self) -> Result<(), MarkerError> {
        let text = format!(
            "{}\nimagecached: whose uploads these are. While this file is missing, no delete counts.\n",
            self.identity
        );
        let write = || -> io::Result<()> {
            // Under a name that is swept, so that there is never half a marker.
            let draft = self.upload_dir.root().join(draft_name::make()?);
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(0o644);
            options.open(&draft)?.write_all(text.as_bytes())?;
            fs::rename(&draft, self.upload_dir.root().join(NAME))
        };
        write().map_err(|source| MarkerError::Io { what: "written", source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, UploadDir) {
        let dir = tempfile::tempdir().unwrap();
        let upload_dir = UploadDir::new(dir.path().join("media"));
        upload_dir.make().unwrap();
        fs::write(upload_dir.root().join("a.jpg"), "a").unwrap();
        (dir, upload_dir)
    }

    #[test]
    fn the_directory_as_it_was_is_trusted_and_no_other() {
        let (dir, upload_dir) = place();
        let root = upload_dir.root();
        let marker = Marker::set(&upload_dir, "db/shop").unwrap();
        marker.check().unwrap();
        Marker::set(&upload_dir, "db/shop").unwrap().check().unwrap();
        fs::remove_file(root.join("a.jpg")).unwrap();
        assert!(matches!(marker.check(), Err(MarkerError::Empty)));
        fs::write(root.join("a.jpg"), "a").unwrap();
        fs::remove_file(root.join(NAME)).unwrap();
        assert!(matches!(marker.check(), Err(MarkerError::Missing)));
        fs::rename(root, dir.path().join("old")).unwrap();
        assert!(matches!(marker.check(), Err(MarkerError::Gone)));
        upload_dir.make().unwrap();
        assert!(matches!(marker.check(), Err(MarkerError::Gone)));
    }

    #[test]
    fn the_marker_of_another_cache_is_left_alone() {
        let (_dir, upload_dir) = place();
        Marker::set(&upload_dir, "db/shop").unwrap();
        let error = Marker::set(&upload_dir, "db/test").unwrap_err();
        assert!(matches!(error, MarkerError::Another { found } if found == "db/shop"));
    }
}
