//! The image cache in an SQLite file, which may be the app's own.
//!
//! The app comes first: writes are short transactions that take the write lock at their beginning
//! (`BEGIN IMMEDIATE`, so that none dies half-way because the app was faster), and between two of them
//! the app gets a turn. Journal mode and page size are chosen only for a file that is ours.

mod facts;
mod history;
mod index;
mod ledger;
mod list;
mod read;
mod schema;
mod write;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqlSafeStr, Transaction};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::model::UploadPath;
use crate::model::entry::{ChunkSet, IndexRow, NewEntry};
use crate::model::version::{Leaving, Trash, Undeleted};
use crate::store::error::{MIGRATE, StoreError, judge_schema};
use crate::store::put::Done;
use crate::store::relocate::Moved;
use crate::store::retry::{begin_with, unit};
use crate::store::units::Units;
use crate::store::{
    Fetched, Growth, ListQuery, Options, Page, Relocation, ServerFacts, Store, Stored, Totals,
    Touch, Trouble, Which,
};

/// How long a write waits for the app's.
const BUSY: Duration = Duration::from_secs(5);

/// The longest turn that the app is given after a write of ours. SQLite's waiting writers look again
/// after 1 to 100 ms.
const TURN: Duration = Duration::from_millis(50);

/// So many rows come from the thread that holds a connection before it waits for who reads them. Measured: with the
/// driver's own 50, to restore 20,000 files of 4 KB takes a tenth longer. Rows with payloads are asked for by a few
/// megabytes.
const ROWS: usize = 1_024;

/// The store in an SQLite file.
#[derive(Debug)]
pub(super) struct Sqlite {
    pool: SqlitePool,
    connect: SqliteConnectOptions,
    file: PathBuf,
    /// The file was made by this program.
    ours: Arc<AtomicBool>,
    /// The last write found nobody else's tables in a file of ours.
    alone: AtomicBool,
    /// Our writes go one after another; the moment is when the next may begin.
    writer: Mutex<Instant>,
    /// Most versions that are kept of each path.
    versions: u32,
}

/// A transaction that writes, and our turn to do so.
struct Writing<'store> {
    unit: Transaction<'static, sqlx::Sqlite>,
    turn: MutexGuard<'store, Instant>,
    began: Instant,
    ours: bool,
}

impl Writing<'_> {
    async fn commit(mut self) -> sqlx::Result<()> {
        let done = self.unit.commit().await;
        let now = Instant::now();
        *self.turn = if self.ours { now } else { now + (now - self.began).min(TURN) };
        done
    }
}

impl Sqlite {
    pub(super) fn open(file: &std::path::Path, options: &Options) -> Self {
        let connect = SqliteConnectOptions::new()
            .filename(file)
            .busy_timeout(BUSY)
            .synchronous(SqliteSynchronous::Full)
            // A transaction that outgrows the cache would take the exclusive lock before its end.
            .pragma("cache_spill", "OFF")
            .row_buffer_size(ROWS)
            .disable_statement_logging();
        let ours = Arc::new(AtomicBool::new(false));
        let note = Arc::clone(&ours);
        let pool = SqlitePoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            // After some errors, such as a full disk, SQLite ends a transaction by itself. The driver's
            // rollback then fails, it goes on counting that transaction, and begins no other.
            .before_acquire(|connection, _| {
                let idle = !connection.is_in_transaction();
                Box::pin(async move { Ok(idle) })
            })
            .after_connect(move |connection, _| {
                let note = Arc::clone(&note);
                Box::pin(async move {
                    // A file that cannot be read says so at the first real statement.
                    if schema::is_ours(connection).await.unwrap_or(false) {
                        note.store(true, Ordering::Relaxed);
                        schema::keep_a_long_log(connection).await?;
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(connect.clone());
        let writer = Mutex::new(Instant::now());
        let versions = options.versions;
        Self {
            pool,
            connect,
            file: file.to_owned(),
            ours,
            alone: AtomicBool::new(false),
            writer,
            versions,
        }
    }

    /// Waits for our turn, and for the write lock.
    async fn write(&self) -> sqlx::Result<Writing<'_>> {
        let turn = self.writer.lock().await;
        tokio::time::sleep_until(*turn).await;
        let mut unit = begin_with(&self.pool, "BEGIN IMMEDIATE".into_sql_str()).await?;
        let ours = self.ours.load(Ordering::Relaxed) && !schema::is_shared(&mut unit).await?;
        self.alone.store(ours, Ordering::Relaxed);
        Ok(Writing { unit, turn, began: Instant::now(), ours })
    }

    /// Puts the outcome of a unit of work into the store's terms.
    async fn told<T>(
        &self,
        operation: impl Into<String>,
        done: sqlx::Result<T>,
    ) -> Result<T, StoreError> {
        let error = match done {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let operation = format!("{} in SQLite", operation.into());
        let place = self.file.display().to_string();
        let mut told = StoreError::from_driver(operation, &error, &place);
        if !told.cause.contains(&place) {
            told.cause = format!("{place}: {}", told.cause);
        }
        // SQLite has no code of its own for a table that is not there.
        let missing =
            told.trouble == Trouble::Other && matches!(self.version_once().await, Ok(None));
        if missing || self.file.try_exists().is_ok_and(|there| !there) {
            told.trouble = Trouble::Schema;
            told.cure = Some(MIGRATE.to_owned());
        }
        Err(told)
    }

    fn directory_is_there(&self) -> Result<(), StoreError> {
        let directory = match self.file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => return Ok(()),
        };
        if directory.is_dir() {
            return Ok(());
        }
        Err(StoreError {
            operation: "create the tables in SQLite".to_owned(),
            trouble: Trouble::Denied,
            cause: format!("the directory {} does not exist", directory.display()),
            cure: Some("create it, or name another file".to_owned()),
        })
    }
}

/// Numbers or texts as one parameter, however many they are: `json_each` makes rows of it.
fn json(values: &impl serde::Serialize) -> String {
    serde_json::to_string(values).expect("numbers and texts are JSON")
}

#[async_trait]
impl Store for Sqlite {
    fn product(&self) -> &'static str {
        "SQLite"
    }

    async fn migrate(&self) -> Result<(i64, i64), StoreError> {
        self.directory_is_there()?;
        let done = unit(|| self.migrate_once()).await;
        let (before, after) = self.told("create the tables", done).await?;
        judge_schema("create the tables in SQLite", Some(after), schema::LATEST)?;
        Ok((before, after))
    }

    async fn check(&self) -> Result<(), StoreError> {
        let done = unit(|| self.version_once()).await;
        let version = self.told("check the tables", done).await?;
        judge_schema("check the tables in SQLite", version, schema::LATEST)
    }

    async fn index(&self, each: &mut (dyn FnMut(IndexRow) + Send)) -> Result<(), StoreError> {
        let done = self.index_once(each).await;
        self.told("read the index", done).await
    }

    async fn stored(
        &self,
        paths: &[UploadPath],
    ) -> Result<HashMap<UploadPath, Stored>, StoreError> {
        let done = unit(|| self.stored_once(paths)).await;
        self.told(format!("look up {} entries", paths.len()), done).await
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        let done = unit(|| self.touch_once(touches)).await;
        self.told(format!("note new times of {} entries", touches.len()), done).await
    }

    async fn accessed(&self, paths: &[UploadPath]) -> Result<(), StoreError> {
        let done = unit(|| self.accessed_once(paths)).await;
        self.told(format!("note the access to {} entries", paths.len()), done).await
    }

    async fn write_chunks(
        &self,
        set: ChunkSet,
        first: u32,
        chunks: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        let done = unit(|| self.write_chunks_once(set, first, chunks)).await;
        self.told(format!("write chunks from {first} on of set {}", set.0), done).await
    }

    async fn read_chunk(&self, set: ChunkSet, seq: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let done = unit(|| self.read_chunk_once(set, seq)).await;
        self.told(format!("read chunk {seq} of set {}", set.0), done).await
    }

    async fn fetch(
        &self,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<(), StoreError> {
        let done = self.fetch_once(read::fetched_from!("image_cache"), ids, each).await;
        self.told(format!("fetch {} entries", ids.len()), done).await
    }

    async fn page(&self, query: &ListQuery) -> Result<Page, StoreError> {
        let done = unit(|| self.page_once(query)).await;
        self.told("list entries", done).await
    }

    async fn growth(&self, days: u32) -> Result<Vec<Growth>, StoreError> {
        let done = unit(|| self.growth_once(days)).await;
        self.told("count entries by day", done).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        let done = unit(|| self.totals_once()).await;
        self.told("count entries", done).await
    }

    async fn facts(&self) -> Result<ServerFacts, StoreError> {
        let done = unit(|| self.facts_once()).await;
        self.told("look at the file", done).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl Units for Sqlite {
    async fn is_upgrading(&self) -> Result<bool, StoreError> {
        // Nobody else works on a file.
        Ok(false)
    }

    async fn put_unit(&self, entries: &[NewEntry]) -> Result<Done, StoreError> {
        let done = unit(|| self.put_once(entries)).await;
        self.told(format!("store {} entries", entries.len()), done).await
    }

    async fn relocate_unit(&self, relocation: &Relocation) -> Result<Moved, StoreError> {
        let done = unit(|| self.relocate_once(relocation)).await;
        self.told(format!("move the payload of entry {}", relocation.id), done).await
    }

    fn enough_for_a_put(&self) -> usize {
        // One writes at a time, and each commit waits for the disk. Measured: with 1.25 MiB, to store many files of 100 KB
        // takes a tenth longer. In a file that is the app's as well, whoever came first, the app is to get its turn sooner.
        if self.alone.load(Ordering::Relaxed) { 4 << 20 } else { 5 << 18 }
    }

    fn most_removed(&self) -> usize {
        // The app is to get a turn in between.
        20
    }

    async fn remove_unit(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>), StoreError> {
        let done = unit(|| self.remove_once(ids)).await;
        self.told(format!("remove {} entries", ids.len()), done).await
    }

    async fn discard_unit(&self, set: ChunkSet) -> Result<bool, StoreError> {
        let done = unit(|| self.discard_some(set)).await;
        self.told(format!("remove chunk set {}", set.0), done).await
    }

    async fn forgotten_sets(&self) -> Result<Vec<ChunkSet>, StoreError> {
        let done = unit(|| self.forgotten_sets_once()).await;
        self.told("look for forgotten chunks", done).await
    }

    async fn trash_unit(&self, entries: &[Leaving], by: Trash) -> Result<u64, StoreError> {
        let done = unit(|| self.trash_once(entries, by)).await;
        self.told(format!("move {} entries to the trash", entries.len()), done).await
    }

    async fn undelete_unit(&self, paths: &[UploadPath]) -> Result<Vec<Undeleted>, StoreError> {
        let done = unit(|| self.undelete_once(paths)).await;
        self.told(format!("take {} entries out of the trash", paths.len()), done).await
    }

    async fn overdue(
        &self,
        which: Which,
        age: Duration,
        most: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let done = unit(|| self.overdue_once(which, age, most)).await;
        self.told("look for old versions", done).await
    }

    async fn forget_unit(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>), StoreError> {
        let done = unit(|| self.forget_once(ids)).await;
        self.told(format!("forget {} versions", ids.len()), done).await
    }
}
