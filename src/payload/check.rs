//! Checking: payloads are read wholly, and compared with what their entries say, many at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::model::Digest;
use crate::model::entry::ChunkSet;
use crate::model::version::{PastRow, Shelf};
use crate::payload::damage::{self, Reason};
use crate::payload::{ReadError, Reader};
use crate::remote::Remote;
use crate::store::{Fetched, FetchedPayload, Store, StoreError};

/// Most bytes, and most entries, that are to be checked with one call: they are in memory together, as
/// with a restore.
pub const BATCH: (u64, usize) = (4 << 20, 64);

/// How far many checks have come, in entries.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }

    /// So many more are to be checked.
    pub fn add_total(&self, entries: usize) {
        self.total.fetch_add(entries as u64, Relaxed);
    }

    /// So many more have been.
    pub fn add_done(&self, entries: usize) {
        self.done.fetch_add(entries as u64, Relaxed);
    }
}

/// Whose payloads are read.
pub struct Checker<'s> {
    pub store: &'s dyn Store,
    /// The object store, where one is configured: no other address is ever asked.
    pub remote: Option<&'s Arc<dyn Remote>>,
    /// Whose rows the ids are of.
    pub shelf: Shelf,
    /// Whether objects are fetched; without it an entry that has one is [`Condition::OutOfReach`].
    pub objects: bool,
}

/// An entry that was looked at, or a former one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub row: PastRow,
    /// As the database has it; of a row that cannot be read, something that is no path.
    pub path: String,
    /// Bytes that the file has, as the entry says.
    pub file_size: u64,
    /// What the file's bytes must have; `None` where the column holds none.
    pub sha256: Option<Digest>,
    pub mtime_ns: i64,
    pub condition: Condition,
}

/// How a payload was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The bytes are the file's.
    Sound,
    Damaged(Reason),
    /// They cannot be read from here just now, which says nothing about them: why.
    OutOfReach(String),
    /// Removed or replaced while it was read.
    Changed,
}

/// What is read after the rows are gone.
enum Later {
    Chunks(ChunkSet),
    Object,
}

impl Checker<'_> {
    /// Checks these entries, and calls `each` for every one that is there, in no certain order. Ask for no
    /// more than [`BATCH`] at a time.
    ///
    /// # Errors
    /// The store's, when it does not answer; a row that cannot be read is damaged.
    pub async fn check(
        &self,
        ids: &[i64],
        each: &mut (dyn FnMut(Checked) + Send),
    ) -> Result<(), StoreError> {
        let mut checked = Vec::new();
        match self.check_rows(ids, &mut checked).await {
            Ok(()) => {}
            Err(error) if error.is_temporary() => return Err(error),
            // One of the rows holds what cannot be read: finds out which, for the sake of the others.
            Err(error) => match ids {
                [alone] => checked = vec![unreadable(self.shelf.row(*alone), &error)],
                _ => {
                    checked.clear();
                    for &id in ids {
                        match self.check_rows(&[id], &mut checked).await {
                            Err(error) if !error.is_temporary() => {
                                checked.push(unreadable(self.shelf.row(id), &error));
                            }
                            done => done?,
                        }
                    }
                }
            },
        }
        checked.into_iter().for_each(each);
        Ok(())
    }

    async fn check_rows(&self, ids: &[i64], checked: &mut Vec<Checked>) -> Result<(), StoreError> {
        let mut buffer = Vec::new();
        let mut later = Vec::new();
        self.store
            .fetch_from(self.shelf, ids, &mut |row| {
                let at = checked.len();
                let condition = match row.payload {
                    FetchedPayload::Chunks(set) => {
                        later.push((at, Later::Chunks(set)));
                        Condition::Changed
                    }
                    FetchedPayload::Url(_) if !self.objects => {
                        Condition::OutOfReach("it is in an object store".into())
                    }
                    FetchedPayload::Url(_) => {
                        later.push((at, Later::Object));
                        Condition::Changed
                    }
                    _ => match damage::verified(&row, &mut buffer) {
                        Ok(_) => Condition::Sound,
                        Err(reason) => Condition::Damaged(reason),
                    },
                };
                checked.push(of_row(self.shelf, &row, condition));
            })
            .await?;
        for (at, place) in later {
            checked[at].condition = self.read(&checked[at], place).await?;
        }
        Ok(())
    }

    /// Reads a payload that does not come with its row.
    async fn read(&self, entry: &Checked, place: Later) -> Result<Condition, StoreError> {
        let Some(digest) = entry.sha256 else {
            return Ok(Condition::Damaged(Reason::NoDigest));
        };
        let expected = (entry.file_size, digest);
        let opened = match place {
            Later::Chunks(set) => {
                Ok(Reader::of_chunks(self.store, self.remote, entry.row, set, expected))
            }
            Later::Object => Reader::open_row(self.store, self.remote, entry.row).await,
        };
        let read = match opened {
            Ok(mut reader) => loop {
                match reader.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
            },
            Err(error) => Err(error),
        };
        Ok(match read {
            Ok(()) => Condition::Sound,
            Err(ReadError::Store(error)) => return Err(error),
            Err(ReadError::Damaged(reason @ Reason::Url(_))) => {
                Condition::OutOfReach(reason.to_string())
            }
            Err(ReadError::Remote(error)) => Condition::OutOfReach(error.to_string()),
            Err(ReadError::Damaged(reason)) => Condition::Damaged(reason),
            Err(ReadError::Removed | ReadError::Replaced) => Condition::Changed,
        })
    }
}

fn of_row(shelf: Shelf, row: &Fetched<'_>, condition: Condition) -> Checked {
    Checked {
        row: shelf.row(row.id),
        path: row.original_path.to_owned(),
        file_size: row.file_size,
        sha256: row.sha256.parse().ok(),
        mtime_ns: row.mtime_ns,
        condition,
    }
}

fn unreadable(row: PastRow, error: &StoreError) -> Checked {
    Checked {
        row,
        path: row.to_string(),
        file_size: 0,
        sha256: None,
        mtime_ns: 0,
        condition: Condition::Damaged(Reason::Row(error.cause.clone())),
    }
}
