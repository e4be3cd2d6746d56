//! Entries of more than one chunk: read one by one, into a draft.

use crate::model::UploadPath;
use crate::model::entry::ChunkSet;
use crate::payload::{ReadError, Reader};
use crate::restore::damage::expected_digest;
use crate::restore::publisher::Written;
use crate::restore::worker::{Halt, Part, Refused, Worker, damaged, refused};
use crate::store::Fetched;
use crate::uploads::PlaceError;

/// An entry whose chunks have to be read one by one.
pub(super) struct LargeEntry {
    pub id: i64,
    path: UploadPath,
    set: ChunkSet,
    pub file_size: u64,
    sha256: String,
    mtime_ns: i64,
    mode: u32,
}

/// Why a large entry has not become a file.
pub(super) enum Unwritten {
    /// For a reason of its own.
    Part(Part),
    /// It is no longer what was fetched.
    Changed,
    /// For a reason that every other would meet too.
    Halt(Halt),
}

impl LargeEntry {
    pub fn new(row: &Fetched<'_>, path: UploadPath, set: ChunkSet) -> Self {
        Self {
            id: row.id,
            path,
            set,
            file_size: row.file_size,
            sha256: row.sha256.to_owned(),
            mtime_ns: row.mtime_ns,
            mode: row.mode,
        }
    }

    fn unplaced(&self, error: PlaceError) -> Unwritten {
        match refused(&self.path, error) {
            Refused::This(part) => Unwritten::Part(part),
            Refused::All(stop) => Unwritten::Halt(Halt::Stop(stop)),
        }
    }

    fn unread(&self, error: ReadError) -> Unwritten {
        match error {
            ReadError::Damaged(reason) => {
                Unwritten::Part(damaged(self.id, self.path.as_str(), reason))
            }
            ReadError::Store(error) => Unwritten::Halt(Halt::Store(error)),
            // An object store that does not answer is the matter of another stage.
            ReadError::Removed | ReadError::Replaced | ReadError::Remote(_) => Unwritten::Changed,
        }
    }
}

impl Worker {
    /// Streams a large entry into a draft.
    pub(super) async fn large(&mut self, entry: &LargeEntry) -> Result<Written, Unwritten> {
        let digest = expected_digest(&entry.sha256)
            .map_err(|reason| entry.unread(ReadError::Damaged(reason)))?;
        let mut draft = self.placer.draft(&entry.path).map_err(|error| entry.unplaced(error))?;
        let (store, remote) = (self.restore.store.as_ref(), self.restore.remote.as_ref());
        let (expected, row) = ((entry.file_size, digest), self.restore.shelf.row(entry.id));
        let mut reader = Reader::of_chunks(store, remote, row, entry.set, expected);
        while let Some(piece) = reader.next().await.map_err(|error| entry.unread(error))? {
            draft.write_all(&piece).map_err(|error| entry.unplaced(error))?;
        }
        let LargeEntry { id, mtime_ns, mode, file_size, .. } = *entry;
        let path = entry.path.clone();
        Ok(Written { id, path, draft, mtime_ns, mode, bytes: file_size })
    }
}
