//! Cleanup: drops entries that nobody has used for long, and never one whose file is on disk; and forgets
//! former entries whose time is over.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::model::version::{Leaving, Trash};
use crate::model::{Entry, Stock, Timestamp, UploadPath};
use crate::store::{ListQuery, Purged, Sort, Store, StoreError};
use crate::uploads::{UploadDir, names};

/// Entries that are looked at, and removed, with one statement.
const BATCH: u32 = 500;

/// How long former entries are kept; zero keeps none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Contents that were replaced.
    pub versions: Duration,
    /// What was deleted or removed.
    pub trash: Duration,
}

impl Keeping {
    /// Where an entry goes that somebody removes.
    #[must_use]
    pub fn destination(self, for_good: bool) -> Destination {
        if for_good || self.trash.is_zero() { Destination::Nowhere } else { Destination::Trash }
    }
}

/// Where removed entries go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// From where they can be taken back for a time.
    Trash,
    /// They are gone for good.
    Nowhere,
}

/// Some of what a cleanup would drop, and what it spares.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Not accessed for so long, and not on disk.
    pub entries: Vec<Entry>,
    /// Not accessed for so long by the database's word, but on disk, and so in use.
    pub in_use: Vec<UploadPath>,
}

impl Candidates {
    /// Size of the files of what would be dropped, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.file_size).sum()
    }
}

/// Why a cleanup cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// The disk is where it shows what is in use: without it nothing may go.
    #[error(
        "cannot look over the upload directory {path}: {source}; without it nobody can tell which \
         files are in use, so nothing is removed"
    )]
    UploadDir { path: String, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The entries that have not been accessed for long, some at a time: there may be a million.
pub struct Unused {
    /// Everything that has a name on disk.
    on_disk: Stock,
    /// Where the next part begins; `None` at the end.
    query: Option<ListQuery>,
}

impl Unused {
    /// Looks over the disk, for what has not been accessed for `days`.
    ///
    /// # Errors
    /// When the directory cannot be read. A missing directory is an error as well: an empty disk is not a
    /// wish to delete.
    pub async fn begin(upload_dir: &UploadDir, days: u32) -> Result<Self, CleanupError> {
        let root = upload_dir.root().to_owned();
        let shown = root.display().to_string();
        let on_disk = tokio::task::spawn_blocking(move || on_disk(&root))
            .await
            .expect("walking over a directory does not panic")
            .map_err(|source| CleanupError::UploadDir { path: shown, source })?;
        let query = ListQuery {
            not_accessed_days: Some(days),
            sort: Sort::Accessed,
            limit: Some(BATCH),
            ..ListQuery::default()
        };
        Ok(Self { on_disk, query: Some(query) })
    }

    /// The next of them, longest unused first; `None` when there are no more.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self, store: &dyn Store) -> Result<Option<Candidates>, StoreError> {
        let Some(query) = &mut self.query else { return Ok(None) };
        let page = store.page(query).await?;
        if !query.go_on(&page) {
            self.query = None;
        }
        let mut candidates = Candidates::default();
        for entry in page.entries {
            match UploadPath::parse(&entry.original_path) {
                Ok(path) if self.on_disk.contains(path.as_str()) => {
                    candidates.in_use.push(path);
                }
                _ => candidates.entries.push(entry),
            }
        }
        Ok(Some(candidates))
    }
}

/// What a whole cleanup has come to, or would.
#[derive(Debug, Default)]
pub struct Sum {
    /// Entries that are to go.
    pub entries: u64,
    /// Size of their files.
    pub bytes: u64,
    /// Entries that stay, since their files are on disk.
    pub in_use: u64,
    /// Entries that are gone.
    pub removed: u64,
    /// The first that are to go, as many as somebody wants to see.
    pub first: Vec<Entry>,
}

impl Sum {
    /// Takes a part into account, and keeps up to `most` entries to be seen.
    pub fn add(&mut self, part: Candidates, most: usize) {
        self.entries += part.entries.len() as u64;
        self.bytes += part.bytes();
        self.in_use += part.in_use.len() as u64;
        self.first.extend(part.entries.into_iter().take(most.saturating_sub(self.first.len())));
    }
}

/// Looks over all that has not been accessed for `days`, and removes it where it is said where to.
///
/// # Errors
/// When the directory or the database cannot be read. What was removed before stays so.
pub async fn run(
    store: &dyn Store,
    upload_dir: &UploadDir,
    days: u32,
    to: Option<Destination>,
    most: usize,
) -> Result<Sum, CleanupError> {
    let mut unused = Unused::begin(upload_dir, days).await?;
    let mut sum = Sum::default();
    while let Some(part) = unused.next(store).await? {
        if let Some(to) = to {
            sum.removed += carry_out(store, &part, to).await?;
        }
        sum.add(part, most);
    }
    Ok(sum)
}

/// Removes entries, and notes for those in use that they are. Returns how many were removed.
///
/// # Errors
/// The store's. What was removed before stays so.
pub async fn carry_out(
    store: &dyn Store,
    candidates: &Candidates,
    to: Destination,
) -> Result<u64, StoreError> {
    for batch in candidates.in_use.chunks(BATCH as usize) {
        store.accessed(batch).await?;
    }
    let mut removed = 0;
    for batch in candidates.entries.chunks(BATCH as usize) {
        removed += match to {
            Destination::Trash => {
                // One that has got another content meanwhile is in use.
                let leaving =
                    |entry: &Entry| Leaving { id: entry.id, sha256: entry.sha256.parse().ok() };
                let leaving: Vec<Leaving> = batch.iter().map(leaving).collect();
                store.trash(&leaving, Trash::Removed).await?
            }
            Destination::Nowhere => {
                let ids: Vec<i64> = batch.iter().map(|entry| entry.id).collect();
                store.remove(&ids).await?
            }
        };
    }
    Ok(removed)
}

/// Until when something stays that goes to the trash now, by this machine's clock.
#[must_use]
pub fn kept_until(keep: Duration) -> Timestamp {
    let until = SystemTime::now().checked_add(keep).unwrap_or(SystemTime::UNIX_EPOCH);
    let micros = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros();
    Timestamp(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Forgets the versions, and what is in the trash, whose time is over; says how many there were.
///
/// # Errors
/// The store's. What was forgotten before stays so.
pub async fn purge(store: &dyn Store, keeping: Keeping) -> Result<Purged, StoreError> {
    let purged = store.purge(keeping.versions, keeping.trash).await?;
    let Purged { versions, trashed } = purged;
    if versions + trashed > 0 {
        tracing::info!(event = "purged", versions, trashed, "their time in the history is over");
    }
    Ok(purged)
}

/// Everything that has a name on disk, of whatever kind.
fn on_disk(root: &Path) -> io::Result<Stock> {
    let mut names = names(root)?;
    match names.unreadable.take() {
        // What cannot be seen may be in use.
        Some((shown, cause)) => Err(io::Error::new(cause.kind(), format!("{shown}: {cause}"))),
        None => Ok(names.all()),
    }
}
