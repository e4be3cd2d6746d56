//! Payloads: the bytes of one entry, from wherever they are, piece by piece and checked.
//!
//! A payload may be moved to another place while somebody reads it; its chunks or its object are then
//! gone from where they were. So nobody calls an entry damaged before having looked at it again: a
//! [`Reader`] goes on from the new place, where it has come to.

pub mod check;
pub mod damage;
mod download;

use std::sync::Arc;

use bytes::Bytes;

use crate::model::entry::ChunkSet;
use crate::model::version::PastRow;
use crate::model::{Digest, Hasher};
use crate::payload::damage::{Reason, check, expected_digest, verified};
use crate::payload::download::Download;
use crate::remote::{Remote, RemoteError, Trouble};
use crate::store::{FetchedPayload, Store, StoreError};

/// So often a reader follows a payload that is moved under its hands. A move reads the whole payload
/// twice itself, so that a single reader meets one, or two.
const MOST_MOVES: u32 = 32;

/// Why the bytes of an entry are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// They are not what they should be, or not there.
    #[error("{0}")]
    Damaged(Reason),
    /// The entry is gone.
    #[error("the entry was removed just now")]
    Removed,
    /// The entry has another content by now: whoever begins anew gets that.
    #[error("the entry got another content just now")]
    Replaced,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The object store does not answer, or refuses.
    #[error(transparent)]
    Remote(RemoteError),
}

/// What the bytes of an entry must be: their number and their sha256.
pub type Expected = (u64, Digest);

/// Reads the bytes of one entry, or of a former one. They are the file's once [`Reader::next`] has given `None`, and not
/// before: until then they may turn out to be damaged.
pub struct Reader<'s> {
    store: &'s dyn Store,
    remote: Option<&'s Arc<dyn Remote>>,
    row: PastRow,
    expected: Expected,
    origin: Origin,
    /// How far the present place has been read.
    at: u64,
    /// As many bytes were handed out.
    have: u64,
    hasher: Hasher,
    moves: u32,
}

/// Where bytes come from.
enum Origin {
    /// They came with the row, and are checked.
    Row(Option<Bytes>),
    Chunks {
        set: ChunkSet,
        seq: u32,
    },
    Object {
        url: String,
        download: Download,
    },
}

/// An entry as it is fetched for a reader.
struct Found {
    file_size: u64,
    sha256: String,
    place: Result<Place, Reason>,
}

/// Where the bytes of a fetched entry are.
enum Place {
    Row(Bytes),
    Chunks(ChunkSet),
    Url(String),
}

impl<'s> Reader<'s> {
    /// Begins to read the bytes of an entry. Those that come with its row are checked right away.
    ///
    /// # Errors
    /// When there is no such entry, when it is damaged to the eye, or when the database does not answer.
    pub async fn open(
        store: &'s dyn Store,
        remote: Option<&'s Arc<dyn Remote>>,
        id: i64,
    ) -> Result<Self, ReadError> {
        Self::open_row(store, remote, PastRow::Entry(id)).await
    }

    /// As [`Reader::open`], for the content of any row: a version's moves as an entry's do.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub async fn open_row(
        store: &'s dyn Store,
        remote: Option<&'s Arc<dyn Remote>>,
        row: PastRow,
    ) -> Result<Self, ReadError> {
        let found = look(store, row).await?.ok_or(ReadError::Removed)?;
        let digest = expected_digest(&found.sha256).map_err(ReadError::Damaged)?;
        let expected = (found.file_size, digest);
        let place = found.place.map_err(ReadError::Damaged)?;
        // Until the reader stands somewhere, it stands at an end.
        let mut reader = Self::at(store, remote, row, Origin::Row(None), expected);
        reader.origin = reader.begin(place)?;
        Ok(reader)
    }

    /// Begins to read a row that was fetched just now, and whose bytes are in these chunks.
    pub fn of_chunks(
        store: &'s dyn Store,
        remote: Option<&'s Arc<dyn Remote>>,
        row: PastRow,
        set: ChunkSet,
        expected: Expected,
    ) -> Self {
        Self::at(store, remote, row, Origin::Chunks { set, seq: 0 }, expected)
    }

    fn at(
        store: &'s dyn Store,
        remote: Option<&'s Arc<dyn Remote>>,
        row: PastRow,
        origin: Origin,
        expected: Expected,
    ) -> Self {
        let hasher = Hasher::default();
        Self { store, remote, row, expected, origin, at: 0, have: 0, hasher, moves: 0 }
    }

    /// What the bytes have to be.
    #[must_use]
    pub fn expected(&self) -> Expected {
        self.expected
    }

    /// The next bytes, up to a mebibyte, or all of them when they came with the row; `None` when there
    /// were all, and they are the file's.
    ///
    /// # Errors
    /// See [`ReadError`]. There is nothing more to be read after one.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        loop {
            let lost = match self.pull().await {
                Ok(Some(piece)) if self.at + piece.len() as u64 > self.expected.0 => {
                    let found = self.at + piece.len() as u64;
                    ReadError::Damaged(Reason::Length { found, expected: self.expected.0 })
                }
                Ok(Some(mut piece)) => {
                    // What another place has given is not handed out again.
                    let known = (self.have - self.at).min(piece.len() as u64);
                    self.at += piece.len() as u64;
                    let new = piece.split_off(known as usize);
                    if new.is_empty() {
                        continue;
                    }
                    self.hasher.update(&new);
                    self.have = self.at;
                    return Ok(Some(new));
                }
                Ok(None) => match check((self.at, self.hasher.clone().finish()), self.expected) {
                    Ok(()) => return Ok(None),
                    Err(reason) => ReadError::Damaged(reason),
                },
                Err(ReadError::Store(error)) => return Err(ReadError::Store(error)),
                Err(error) => error,
            };
            self.follow(lost).await?;
        }
    }

    /// All bytes at once: for payloads that are known to be small.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn to_end(mut self) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next().await? {
            match bytes.is_empty() {
                // All at once, as it comes with a row: not copied.
                true => bytes = piece.into(),
                false => bytes.extend_from_slice(&piece),
            }
        }
        Ok(bytes)
    }

    async fn pull(&mut self) -> Result<Option<Bytes>, ReadError> {
        match &mut self.origin {
            Origin::Row(bytes) => Ok(bytes.take().filter(|bytes| !bytes.is_empty())),
            Origin::Chunks { set, seq } => {
                let chunk = self.store.read_chunk(*set, *seq).await?;
                *seq += 1;
                Ok(chunk.map(Bytes::from))
            }
            Origin::Object { download, .. } => match download.next().await {
                Ok(piece) => Ok(piece),
                Err(error) if matches!(error.trouble, Trouble::Missing | Trouble::Wrong) => {
                    Err(ReadError::Damaged(Reason::Object(error.to_string())))
                }
                Err(error) => Err(ReadError::Remote(error)),
            },
        }
    }

    /// Goes on at the place where the payload is by now. Where it has not been moved, it is `lost`.
    async fn follow(&mut self, lost: ReadError) -> Result<(), ReadError> {
        self.moves += 1;
        if self.moves > MOST_MOVES {
            return Err(lost);
        }
        let found = look(self.store, self.row).await?.ok_or(ReadError::Removed)?;
        let expected = expected_digest(&found.sha256).map_err(ReadError::Damaged)?;
        if (found.file_size, expected) != self.expected {
            return Err(ReadError::Replaced);
        }
        let place = found.place.map_err(ReadError::Damaged)?;
        let same = match (&self.origin, &place) {
            (Origin::Row(_), Place::Row(_)) => true,
            (Origin::Chunks { set, .. }, Place::Chunks(now)) => set == now,
            (Origin::Object { url, .. }, Place::Url(now)) => url == now,
            _ => false,
        };
        if same {
            return Err(lost);
        }
        self.origin = self.begin(place)?;
        self.at = 0;
        Ok(())
    }

    fn begin(&self, place: Place) -> Result<Origin, ReadError> {
        Ok(match place {
            Place::Row(bytes) => Origin::Row(Some(bytes)),
            Place::Chunks(set) => Origin::Chunks { set, seq: 0 },
            Place::Url(url) => {
                let remote = self.remote.filter(|remote| remote.owns(&url));
                let remote = remote.ok_or_else(|| ReadError::Damaged(Reason::Url(url.clone())))?;
                let download = Download::start(remote.clone(), url.clone(), self.expected.0);
                Origin::Object { url, download }
            }
        })
    }
}

/// Whether a row still has its bytes under this URL, with this content. Who has found an object gone
/// asks before calling the entry damaged.
///
/// # Errors
/// The store's.
pub async fn still_at(
    store: &dyn Store,
    row: PastRow,
    url: &str,
    sha256: &str,
) -> Result<bool, StoreError> {
    let found = look(store, row).await?;
    Ok(found.is_some_and(|found| {
        found.sha256 == sha256 && matches!(found.place, Ok(Place::Url(now)) if now == url)
    }))
}

async fn look(store: &dyn Store, row: PastRow) -> Result<Option<Found>, StoreError> {
    let mut found = None;
    store
        .fetch_from(row.shelf(), &[row.id()], &mut |row| {
            let place = match row.payload {
                FetchedPayload::Chunks(set) => Ok(Place::Chunks(set)),
                FetchedPayload::Url(url) => Ok(Place::Url(url.to_owned())),
                _ => {
                    let mut buffer = Vec::new();
                    let bytes = verified(&row, &mut buffer);
                    bytes.map(|bytes| Place::Row(Bytes::copy_from_slice(bytes)))
                }
            };
            let (file_size, sha256) = (row.file_size, row.sha256.to_owned());
            found = Some(Found { file_size, sha256, place });
        })
        .await?;
    Ok(found)
}
