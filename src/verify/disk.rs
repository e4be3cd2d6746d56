//! A file on disk, compared with what its entry says.

use std::io;

use crate::model::UploadPath;
use crate::model::settle::Writers;
use crate::payload::check::Checked;
use crate::uploads::{OpenError, UploadDir};

/// What is found under an entry's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDisk {
    /// Nobody has looked: there is no upload directory here, or the path is none.
    NotAsked,
    Absent,
    /// The bytes that the entry is about.
    Same,
    /// Other bytes.
    Other {
        /// Size and mtime are the entry's: no scan would take it for a new upload.
        same_look: bool,
    },
    /// Somebody is writing it.
    Busy,
    /// It cannot be read, or is no file: why.
    Unreadable(String),
}

/// Compares a file with an entry, on a thread that may wait for the disk.
pub async fn compare(upload_dir: &UploadDir, path: &UploadPath, entry: &Checked) -> OnDisk {
    let (upload_dir, path) = (upload_dir.clone(), path.clone());
    let (size, mtime_ns, sha256) = (entry.file_size, entry.mtime_ns, entry.sha256);
    let looking = tokio::task::spawn_blocking(move || {
        let mut file = match upload_dir.open().map(|root| root.open(&path)) {
            Ok(Ok(file)) => file,
            Ok(Err(OpenError::Gone)) => return OnDisk::Absent,
            Ok(Err(OpenError::Skip(why))) => return OnDisk::Unreadable(why.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return OnDisk::Absent,
            Ok(Err(OpenError::Io(error))) | Err(error) => {
                return OnDisk::Unreadable(format!("cannot read it on disk: {error}"));
            }
        };
        let stat = *file.stat();
        if file.writers() == Writers::Some {
            return OnDisk::Busy;
        }
        if stat.size != size || sha256.is_none() {
            return OnDisk::Other { same_look: (stat.size, stat.mtime_ns) == (size, mtime_ns) };
        }
        match file.digest() {
            Ok(None) => OnDisk::Busy,
            Ok(found) if found == sha256 => OnDisk::Same,
            Ok(_) => OnDisk::Other { same_look: stat.mtime_ns == mtime_ns },
            Err(error) => OnDisk::Unreadable(format!("cannot read it on disk: {error}")),
        }
    });
    looking.await.expect("looking at a file does not panic")
}
