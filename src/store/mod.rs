//! The store: the image cache in the app's own database, behind one trait in the words of the domain.
//!
//! Each database has its own plain files of SQL (`postgres`, `mysql`, `sqlite`); one contract suite
//! (`tests/store_contract`) holds all of them to what is written here.

mod error;
mod fresh;
pub mod history;
pub mod ledger;
mod listing;
mod mysql;
mod no_delay;
mod past;
mod postgres;
mod put;
mod relocate;
mod retry;
mod rows;
mod sqlite;
mod through;
mod time_limit;
mod units;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use error::{StoreError, Trouble};
pub use fresh::fresh_chunk_set;
pub use history::{History, HistoryPage, HistoryQuery, HistoryTotals, Purged, Which};
pub use ledger::ObjectLedger;
pub use listing::{Growth, ListQuery, Page, Sort, Spot};
pub use past::{Content, Then, Timeline};
pub use through::Through;

pub use crate::model::Target;
use crate::model::entry::{ChunkSet, Entry, IndexRow, NewEntry, NewPayload, PayloadKind};
use crate::model::version::Shelf;
use crate::model::{Digest, UploadPath};

/// After so many new entries it is time for [`Store::migrate`] again: a table of many rows wants more indexes.
pub const MANY_NEW: u64 = 10_000;

/// How the store is opened. Opening connects to nothing: the first call does.
#[derive(Debug, Clone)]
pub struct Options {
    /// Most connections at a time.
    pub connections: u32,
    /// How long a call waits for a connection before it fails: for the server to give one, or in SQLite for
    /// another call to give one back.
    pub acquire_timeout: Duration,
    /// How long a call to a server waits for its turn, and then for any progress before it is given up and its
    /// connection is replaced.
    pub call_timeout: Duration,
    /// Most former contents that are kept of each path when puts replace them; 0 keeps none.
    pub versions: u32,
}

/// What is stored under a path, as far as it takes to decide whether to store again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: i64,
    /// None when the column holds no sha256.
    pub sha256: Option<Digest>,
    pub mtime_ns: i64,
    pub mode: u32,
    pub payload: PayloadKind,
    pub chunk_set: Option<ChunkSet>,
}

/// A new look of a file whose content is the stored one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    pub path: UploadPath,
    pub mtime_ns: i64,
    pub mode: u32,
}

/// An entry with its payload, as [`Store::fetch`] hands it over: borrowed from the row, for the time
/// of one call.
#[derive(Debug)]
pub struct Fetched<'row> {
    pub id: i64,
    pub original_path: &'row str,
    pub file_size: u64,
    /// As the database has it: may be anything.
    pub sha256: &'row str,
    pub mtime_ns: i64,
    pub mode: u32,
    pub payload: FetchedPayload<'row>,
}

/// The bytes of a fetched entry.
#[derive(Debug)]
pub enum FetchedPayload<'row> {
    /// Base64, as `image_data` has it.
    Inline(&'row str),
    /// The one chunk of a payload of up to [`crate::model::entry::CHUNK_BYTES`].
    OneChunk(&'row [u8]),
    /// More than one chunk: read them with [`Store::read_chunk`], from 0 until there is none.
    Chunks(ChunkSet),
    /// In an object store.
    Url(&'row str),
    /// The entry has no data.
    None,
}

/// The move of a payload to another place, its content unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// The entry.
    pub id: i64,
    /// Of its content, as it was read and checked.
    pub sha256: Digest,
    /// Where the bytes were read.
    pub from: PayloadPlace,
    /// Where they are as well by now (or will be, with this very call), checked.
    pub to: NewPayload,
}

/// Where the bytes of an entry are, exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadPlace {
    Inline,
    Chunks(ChunkSet),
    Url(String),
}

/// The image cache in figures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub entries: u64,
    /// Entries whose payload can be read back.
    pub with_data: u64,
    pub inline: u64,
    pub chunked: u64,
    pub by_url: u64,
    /// Sum of the files' sizes.
    pub file_bytes: u64,
    /// What our tables take in the database, with their indexes and with former entries; `None` where the database cannot tell.
    pub database_bytes: Option<u64>,
}

/// What the doctor asks the database about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Product and version, as the server tells it.
    pub version: String,
    /// The schema version in the database, and the one this program knows.
    pub schema: (Option<i64>, i64),
    /// What this user may not do and we need (`INSERT on image_cache`, …).
    pub missing_rights: Vec<String>,
    /// Connections in use and allowed, where the server tells.
    pub connections: Option<(u64, u64)>,
    /// `max_allowed_packet`, bytes (MySQL and MariaDB).
    pub max_packet: Option<u64>,
    /// The connection seems to go through a pooler such as PgBouncer.
    pub pooled: bool,
    /// Text of the database is UTF-8.
    pub utf8: bool,
    /// The server refuses writes (a replica, or a full plan).
    pub read_only: bool,
    /// How the SQLite file is journaled (`wal`, `delete`); empty for servers.
    pub journal: String,
}

/// The image cache. Every call is one unit of work: it has been done wholly when it returns `Ok`,
/// and calling it again after an error does no harm.
#[async_trait]
pub trait Store: ObjectLedger + History + units::Units + fmt::Debug {
    /// Name of the database product, for people.
    fn product(&self) -> &'static str;

    /// Creates or upgrades the tables, and makes the indexes that only many entries need, where that is possible. Safe
    /// when many instances do it at once, through a transaction pooler as well. Returns the schema versions before and
    /// after.
    async fn migrate(&self) -> Result<(i64, i64), StoreError>;

    /// Makes sure that the database answers and the schema is the one this program knows, without
    /// changing anything.
    async fn check(&self) -> Result<(), StoreError>;

    /// Calls `each` for every entry, newest content first.
    async fn index(&self, each: &mut (dyn FnMut(IndexRow) + Send)) -> Result<(), StoreError>;

    /// What is stored under these paths; paths with nothing are left out.
    async fn stored(&self, paths: &[UploadPath])
    -> Result<HashMap<UploadPath, Stored>, StoreError>;

    /// Stores entries, in one transaction: creates what is new and replaces what is there
    /// (`created_at`, and an owner that is not given, are kept). Where content, mtime and mode are
    /// the stored ones and the payload is there in the form given, the row is not written. One path
    /// comes once. A content that another one replaces becomes a version ([`History`]), if versions are kept.
    /// Otherwise the chunks that the entries referred to before are removed; and so are new ones that turn
    /// out not to be needed because the content was stored already.
    ///
    /// Says of each entry whether its content was written: not when it was the stored one.
    async fn put(&self, entries: &[NewEntry]) -> Result<Vec<bool>, StoreError> {
        let done = self.put_unit(entries).await?;
        for set in done.large {
            // The entries are safe; what is left over here, a sweep finds.
            let _ = self.discard_chunks(set).await;
        }
        Ok(done.written)
    }

    /// Writes new mtimes and modes of files whose content has not changed.
    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError>;

    /// Notes that these files were seen on disk, restored or read (`last_accessed`).
    async fn accessed(&self, paths: &[UploadPath]) -> Result<(), StoreError>;

    /// Writes chunk rows in one transaction, numbered on from `first`; rows that are there already are
    /// replaced.
    async fn write_chunks(
        &self,
        set: ChunkSet,
        first: u32,
        chunks: &[Vec<u8>],
    ) -> Result<(), StoreError>;

    /// Reads one chunk row.
    async fn read_chunk(&self, set: ChunkSet, seq: u32) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes the rows of a chunk set that no entry refers to, present or former, a few at a time; a set
    /// that one refers to is left alone.
    async fn discard_chunks(&self, set: ChunkSet) -> Result<(), StoreError> {
        while self.discard_unit(set).await? {}
        Ok(())
    }

    /// Removes chunk sets that no entry refers to and that are more than a day old: left by a
    /// process that died. Returns how many sets. Claims that have ended go as well.
    async fn sweep_chunks(&self) -> Result<u64, StoreError> {
        let sets = self.forgotten_sets().await?;
        for &set in &sets {
            self.discard_chunks(set).await?;
        }
        Ok(sets.len() as u64)
    }

    /// Fetches entries with their payloads and calls `each` for every one, in no certain order; ids
    /// that are gone are left out. Ask for as much at a time as memory allows.
    async fn fetch(
        &self,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<(), StoreError>;

    /// As [`Store::fetch`], for rows of this shelf.
    async fn fetch_from(
        &self,
        shelf: Shelf,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<(), StoreError> {
        match shelf {
            Shelf::Entries => self.fetch(ids, each).await,
            Shelf::History => self.fetch_history(ids, each).await,
        }
    }

    /// Lists entries. Rows that cannot be read (others may write the table) are left out: [`Store::index`]
    /// names them.
    async fn list(&self, query: &ListQuery) -> Result<Vec<Entry>, StoreError> {
        Ok(self.page(query).await?.entries)
    }

    /// Lists entries, and tells what comes before and after them.
    async fn page(&self, query: &ListQuery) -> Result<Page, StoreError>;

    /// All that is kept of a path: its content, and its former ones.
    async fn timeline(&self, path: &UploadPath) -> Result<Timeline, StoreError> {
        let query = ListQuery { path: Some(path.clone()), ..ListQuery::default() };
        let mut present = self.list(&query).await?.pop();
        for _ in 1..MOST_LOOKS {
            let former = self.versions(path).await?;
            // What was replaced, deleted or given back in between would be missed, or be there twice.
            let still = self.list(&query).await?.pop();
            let same = |entry: &Option<Entry>| {
                entry.as_ref().map(|entry| (entry.id, entry.updated_at, entry.sha256.clone()))
            };
            if same(&present) == same(&still) {
                return Ok(Timeline::new(still, former));
            }
            present = still;
        }
        let operation = format!("read the versions of {path}");
        Err(StoreError {
            operation,
            trouble: Trouble::Busy,
            cause: "it changes all the time".into(),
            cure: Some("try again when it is at rest".into()),
        })
    }

    /// What was stored for the first time on each of the last days, oldest first; days without anything are
    /// left out.
    async fn growth(&self, days: u32) -> Result<Vec<Growth>, StoreError>;

    /// The image cache in figures.
    async fn totals(&self) -> Result<Totals, StoreError>;

    /// Removes entries and their chunks for good; returns how many entries there were. Their objects become
    /// loose. [`History::trash`] is what can be taken back.
    async fn remove(&self, ids: &[i64]) -> Result<u64, StoreError> {
        let mut removed = 0;
        for some in ids.chunks(self.most_removed()) {
            let (count, sets) = self.remove_unit(some).await?;
            removed += count;
            for set in sets {
                self.discard_chunks(set).await?;
            }
        }
        Ok(removed)
    }

    /// Moves a payload, in one transaction: the entry refers to the new place, and what it referred to
    /// before is let go of (chunks are removed, an object becomes loose). Readers see the one or the other.
    /// Times and look of the entry stay. `true` as well when the payload is in the new place already.
    /// `false`, and nothing is written, when the entry is gone or no longer as `from` and `sha256` say: what
    /// was made for it at the new place is the caller's to clear away.
    async fn relocate(&self, relocation: &Relocation) -> Result<bool, StoreError> {
        let done = self.relocate_unit(relocation).await?;
        if let Some(set) = done.large {
            // The payload is in its new place; what is left over here, a sweep finds.
            let _ = self.discard_chunks(set).await;
        }
        Ok(done.moved)
    }

    /// What the doctor asks.
    async fn facts(&self) -> Result<ServerFacts, StoreError>;

    /// Closes all connections.
    async fn close(&self);
}

/// So often all that is kept of a path is read, until it stays the same for as long as that takes.
const MOST_LOOKS: u32 = 16;

/// Opens the store at `target`. Nothing is connected yet.
///
/// # Errors
/// When the target cannot be understood by the driver.
pub fn open(target: &Target, options: &Options) -> Result<Arc<dyn Store>, StoreError> {
    if let Target::Sqlite(path) = target {
        return Ok(Arc::new(sqlite::Sqlite::open(path, options)));
    }
    let (target, limits) = (target.clone(), options.clone());
    let connect = move || -> Result<Arc<dyn Store>, StoreError> {
        Ok(match &target {
            Target::Postgres(url) => Arc::new(postgres::Postgres::open(url, &limits)?),
            Target::MySql(url) => Arc::new(mysql::MySql::open(url, &limits)?),
            Target::Sqlite(path) => Arc::new(sqlite::Sqlite::open(path, &limits)),
        })
    };
    Ok(Arc::new(time_limit::TimeLimited::open(options.call_timeout, options.connections, connect)?))
}
