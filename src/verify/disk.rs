//! A file on disk, compared with what its entry says.

use std::io::{self, Read};

use crate::model::settle::Writers;
use crate::model::{Digest, Hasher, UploadPath};
use crate::payload::check::Checked;
use crate::uploads::{OpenError, OpenFile, UploadDir};

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
        match digest(&mut file) {
            Ok(None) => OnDisk::Busy,
            Ok(found) if found == sha256 => OnDisk::Same,
            Ok(_) => OnDisk::Other { same_look: stat.mtime_ns == mtime_ns },
            Err(error) => OnDisk::Unreadable(format!("cannot read it on disk: {error}")),
        }
    });
    looking.await.expect("looking at a file does not panic")
}

/// The sha256 of a file's bytes; `None` when somebody has written it meanwhile.
fn digest(file: &mut OpenFile) -> io::Result<Option<Digest>> {
    let mut hasher = Hasher::default();
    let mut piece = vec![0; 128 << 10];
    let mut left = file.stat().size;
    while left > 0 {
        let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        match file.read(&mut piece[..most])? {
            0 => return Ok(None),
            read => {
                hasher.update(&piece[..read]);
                left -= read as u64;
            }
        }
    }
    let is_still = file.restat()? == *file.stat() && file.writers() != Writers::Some;
    Ok(is_still.then(|| hasher.finish()))
}
