//! A file on disk, compared with what its entry says.

use std::io;

use crate::model::settle::Writers;
use crate::model::{Digest, UploadPath};
use crate::payload::check::Checked;
use crate::uploads::{OpenError, Root, UploadDir};

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

/// What a file on disk should be.
pub struct Wanted {
    path: UploadPath,
    size: u64,
    mtime_ns: i64,
    sha256: Option<Digest>,
}

impl Wanted {
    /// The file of an entry.
    pub fn of(entry: &Checked, path: UploadPath) -> Self {
        let &Checked { file_size: size, mtime_ns, sha256, .. } = entry;
        Self { path, size, mtime_ns, sha256 }
    }

    fn compare(&self, root: &Root) -> OnDisk {
        let mut file = match root.open(&self.path) {
            Ok(file) => file,
            Err(OpenError::Gone) => return OnDisk::Absent,
            Err(OpenError::Skip(why)) => return OnDisk::Unreadable(why.to_string()),
            Err(OpenError::Io(error)) => return unreadable(&error),
        };
        let stat = *file.stat();
        if file.writers() == Writers::Some {
            return OnDisk::Busy;
        }
        if stat.size != self.size || self.sha256.is_none() {
            let same_look = (stat.size, stat.mtime_ns) == (self.size, self.mtime_ns);
            return OnDisk::Other { same_look };
        }
        match file.digest() {
            Ok(None) => OnDisk::Busy,
            Ok(found) if found == self.sha256 => OnDisk::Same,
            Ok(_) => OnDisk::Other { same_look: stat.mtime_ns == self.mtime_ns },
            Err(error) => unreadable(&error),
        }
    }
}

/// Compares files with what is wanted of them, in this order, on a thread that may wait for the disk: one for all of
/// them, since to hand over each file by itself takes several times as long as to read a small one. Where nothing is
/// wanted, nobody looks.
pub async fn compare(upload_dir: &UploadDir, wanted: Vec<Option<Wanted>>) -> Vec<OnDisk> {
    let upload_dir = upload_dir.clone();
    let looking = tokio::task::spawn_blocking(move || {
        let root = upload_dir.open();
        let look = |wanted: Option<Wanted>| match (wanted, &root) {
            (None, _) => OnDisk::NotAsked,
            (Some(wanted), Ok(root)) => wanted.compare(root),
            (Some(_), Err(error)) if error.kind() == io::ErrorKind::NotFound => OnDisk::Absent,
            (Some(_), Err(error)) => unreadable(error),
        };
        wanted.into_iter().map(look).collect()
    });
    looking.await.expect("looking at files does not panic")
}

fn unreadable(error: &io::Error) -> OnDisk {
    OnDisk::Unreadable(format!("cannot read it on disk: {error}"))
}
