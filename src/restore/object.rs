//! Entries whose bytes are in an object store: streamed into a draft, and checked like all others.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Hasher, UploadPath};
use crate::remote::{Remote, Trouble};
use crate::restore::damage::{Reason, check, expected_digest};
use crate::store::Fetched;
use crate::uploads::{Draft, PlaceError};

/// An entry with a URL, as far as it is needed after its row is gone.
#[derive(Debug)]
pub struct ObjectEntry {
    pub id: i64,
    pub path: UploadPath,
    pub url: String,
    pub file_size: u64,
    pub sha256: String,
    pub mtime_ns: i64,
    pub mode: u32,
}

/// After so many objects in a row that the store did not answer for, no other is asked for: each costs
/// seconds to minutes. More than one, since a single object may be what the store stumbles over.
const PATIENCE: u32 = 8;

/// Whether the object store answers, as all workers of a restore have seen it.
#[derive(Debug, Default)]
pub struct Answers(AtomicU32);

impl Answers {
    /// Notes whether the store has answered for an object, whatever it said.
    pub fn note(&self, answered: bool) {
        if answered {
            self.0.store(0, Ordering::Relaxed);
        } else {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether it did not answer the last time. Then those that are under way are waited for before
    /// another is asked for: they may tell enough.
    pub fn are_in_doubt(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Whether it is worth asking.
    pub fn are_expected(&self) -> bool {
        self.0.load(Ordering::Relaxed) < PATIENCE
    }
}

/// Why an object has not become a file.
pub enum Failed {
    /// Its bytes are gone, or not what they should be.
    Damaged(Reason),
    /// The store does not answer now, and would answer for no other object.
    Away(String),
    /// The store does not give this one.
    Refused(String),
    /// The file cannot be written.
    Place(PlaceError),
}

impl ObjectEntry {
    pub fn new(row: &Fetched<'_>, path: UploadPath, url: &str) -> Self {
        Self {
            id: row.id,
            path,
            url: url.to_owned(),
            file_size: row.file_size,
            sha256: row.sha256.to_owned(),
            mtime_ns: row.mtime_ns,
            mode: row.mode,
        }
    }

    /// Streams the object into the draft; returns the draft once its bytes are proved to be the file's.
    pub async fn download(
        &self,
        remote: Option<&Arc<dyn Remote>>,
        draft: Draft,
    ) -> Result<Draft, Failed> {
        let digest = expected_digest(&self.sha256).map_err(Failed::Damaged)?;
        let remote = remote.filter(|remote| remote.owns(&self.url));
        let remote = remote.ok_or_else(|| Failed::Damaged(Reason::Url(self.url.clone())))?;
        let mut taking = Taking { draft, hasher: Hasher::default(), refused: None };
        let taken = Mutex::new(&mut taking);
        let mut sink = |bytes: &[u8]| {
            let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
            taken.take(bytes)
        };
        let downloaded = remote.download(&self.url, self.file_size, &mut sink).await;
        if let Some(error) = taking.refused {
            return Err(Failed::Place(error));
        }
        let length = match downloaded {
            Ok(length) => length,
            Err(error) if matches!(error.trouble, Trouble::Missing | Trouble::Wrong) => {
                return Err(Failed::Damaged(Reason::Object(error.to_string())));
            }
            Err(error)
                if matches!(
                    error.trouble,
                    Trouble::Away | Trouble::Throttled | Trouble::Untrusted
                ) =>
            {
                return Err(Failed::Away(error.to_string()));
            }
            Err(error) => return Err(Failed::Refused(error.to_string())),
        };
        let found = (length, taking.hasher.finish());
        check(found, (self.file_size, digest)).map_err(Failed::Damaged)?;
        Ok(taking.draft)
    }
}

/// A draft that is being filled.
struct Taking {
    draft: Draft,
    hasher: Hasher,
    refused: Option<PlaceError>,
}

impl Taking {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.draft.write_all(bytes).map_err(|error| {
            let shown = io::Error::other(error.to_string());
            self.refused = Some(error);
            shown
        })
    }
}
