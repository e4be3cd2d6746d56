//! The image cache in MySQL and MariaDB: the SQL here is valid for both.
//!
//! Paths are found by the sha256 of their bytes (`path_hash`), which no collation and no limit on
//! keys touches. Sessions are made alike: strict mode, UTC, `utf8mb4`.

mod facts;
mod history;
mod ledger;
mod list;
mod read;
mod schema;
mod write;

use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, QueryBuilder, Row, SqlSafeStr, SqlStr,
};
use tokio::sync::OnceCell;

use crate::model::entry::{CHUNK_BYTES, ChunkSet, IndexRow, NewEntry};
use crate::model::version::{Leaving, Trash, Undeleted};
use crate::model::{Digest, UploadPath};
use crate::store::error::{StoreError, judge_schema};
use crate::store::no_delay::send_at_once;
use crate::store::put::{self, Done};
use crate::store::relocate::Moved;
use crate::store::retry::{answers, begin, unit};
use crate::store::units::Units;
use crate::store::{
    Fetched, Growth, ListQuery, Options, Page, Relocation, ServerFacts, Store, Stored, Totals,
    Touch, Trouble, Which,
};

/// Proxies cut connections that idle for half an hour.
const IDLE: Duration = Duration::from_secs(600);

/// What a statement takes in a packet beside its payloads.
const PACKET_MARGIN: usize = 16 << 10;

/// How a session is made.
///
/// - Strict: a value that does not fit is refused, never cut.
/// - A client that the network has lost holds its locks for as long as the server takes it for alive, eight
///   hours by default, and nobody else stores under the same paths. So the server ends a transaction that
///   nobody goes on with after twice the limit of a call: our own side has given up by then. Only MariaDB can
///   tell such a transaction from a session that idles; MySQL ends both, after a little more than the
///   pool keeps a connection for.
/// - Who waits for such a lock gives up as soon.
fn session(call_timeout: Duration) -> SqlStr {
    let limit = (2 * call_timeout).as_secs().max(1);
    let idle = IDLE.as_secs() + 60;
    let statement = format!(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION',
            innodb_lock_wait_timeout = {limit}, wait_timeout = LEAST(@@SESSION.wait_timeout, {idle})
            /*M!100300 , idle_transaction_timeout = {limit} */"
    );
    AssertSqlSafe(statement).into_sql_str()
}

/// The store in MySQL or MariaDB.
#[derive(Debug)]
pub(super) struct MySql {
    pool: MySqlPool,
    connect: MySqlConnectOptions,
    /// Host and port, for people.
    place: String,
    /// Bytes that the server takes in one packet, asked for once.
    max_packet: OnceCell<usize>,
    /// Most versions that are kept of each path.
    versions: u32,
}

/// The key of a path, as `UNHEX` takes it.
fn path_hash(path: &str) -> String {
    Digest::of(path.as_bytes()).to_string()
}

/// Adds `(?, ?, …)`, each value within `around`: a list that is never empty, because an empty one is
/// not SQL.
fn push_list<'a, T>(
    sql: &mut QueryBuilder<sqlx::MySql>,
    values: impl IntoIterator<Item = T>,
    around: (&str, &str),
) where
    T: 'a + sqlx::Encode<'a, sqlx::MySql> + sqlx::Type<sqlx::MySql>,
{
    sql.push("(NULL");
    for value in values {
        sql.push(", ").push(around.0).push_bind(value).push(around.1);
    }
    sql.push(")");
}

impl MySql {
    pub(super) fn open(url: &str, options: &Options) -> Result<Self, StoreError> {
        let connect = MySqlConnectOptions::from_str(url).map_err(|error| StoreError {
            operation: "open MySQL/MariaDB".to_owned(),
            trouble: Trouble::Other,
            cause: error.to_string(),
            cure: Some("check DATABASE_URL".to_owned()),
        })?;
        // The mode is set below, whole.
        let connect = connect
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(Some("+00:00".to_owned()))
            .disable_statement_logging();
        let place = match connect.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", connect.get_host(), connect.get_port()),
        };
        let (settings, port) = (session(options.call_timeout), connect.get_port());
        let pool = MySqlPoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(IDLE)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| Box::pin(answers(connection, meta.idle_for)))
            .after_connect(move |connection, _| {
                send_at_once(port);
                let settings = settings.clone();
                Box::pin(async move { connection.execute(settings).await.map(|_| ()) })
            })
            .connect_lazy_with(connect.clone());
        Ok(Self { pool, connect, place, max_packet: OnceCell::new(), versions: options.versions })
    }

    /// Bytes of payload that one statement may have.
    async fn room(&self) -> sqlx::Result<usize> {
        let ask = async || -> sqlx::Result<usize> {
            let mut unit = begin(&self.pool).await?;
            let row = sqlx::query("SELECT CAST(@@max_allowed_packet AS SIGNED)")
                .fetch_one(&mut *unit)
                .await?;
            unit.commit().await?;
            Ok(usize::try_from(row.try_get::<i64, _>(0)?).unwrap_or(usize::MAX))
        };
        let packet = *self.max_packet.get_or_try_init(|| unit(&ask)).await?;
        Ok(packet.saturating_sub(PACKET_MARGIN))
    }

    /// Refuses what the server would refuse by closing the connection in the middle.
    async fn fits(&self, operation: &str, bytes: usize) -> Result<(), StoreError> {
        let room = self.told(operation, self.room().await).await?;
        if bytes <= room {
            return Ok(());
        }
        let needed = (bytes + PACKET_MARGIN).div_ceil(1 << 20);
        Err(StoreError {
            operation: format!("{operation} in MySQL/MariaDB"),
            trouble: Trouble::Value,
            cause: format!(
                "{bytes} bytes are more than the server takes at a time (max_allowed_packet = {})",
                room + PACKET_MARGIN
            ),
            cure: Some(if bytes > CHUNK_BYTES + PACKET_MARGIN {
                format!("raise max_allowed_packet to at least {needed}M, or lower inline_limit")
            } else {
                format!("raise max_allowed_packet to at least {needed}M")
            }),
        })
    }

    async fn all_fit(&self, entries: &[NewEntry]) -> Result<(), StoreError> {
        if let Some(largest) = entries.iter().max_by_key(|entry| entry.weight()) {
            self.fits(&format!("store {}", largest.path), largest.weight()).await?;
        }
        Ok(())
    }

    /// Puts the outcome of a unit of work into the store's terms.
    async fn told<T>(
        &self,
        operation: impl Into<String>,
        done: sqlx::Result<T>,
    ) -> Result<T, StoreError> {
        match done {
            Ok(value) => Ok(value),
            Err(error) => {
                let error = self.real_cause(error).await;
                let operation = format!("{} in MySQL/MariaDB", operation.into());
                Err(StoreError::from_driver(operation, &error, &self.place))
            }
        }
    }

    /// The pool tries again and again while connections are refused, and then tells a time-out only:
    /// one attempt by hand brings the cause to light.
    async fn real_cause(&self, error: sqlx::Error) -> sqlx::Error {
        if !matches!(error, sqlx::Error::PoolTimedOut) || self.pool.size() > 0 {
            return error;
        }
        match tokio::time::timeout(Duration::from_secs(2), self.connect.connect()).await {
            Ok(Err(cause)) => cause,
            Ok(Ok(connection)) => {
                // Whether the farewell arrives changes nothing.
                let _ = connection.close().await;
                error
            }
            Err(_) => error,
        }
    }
}

#[async_trait]
impl Store for MySql {
    fn product(&self) -> &'static str {
        "MySQL/MariaDB"
    }

    async fn migrate(&self) -> Result<(i64, i64), StoreError> {
        let done = unit(|| self.migrate_once()).await;
        let (before, after) = self.told("create the tables", done).await?;
        judge_schema("create the tables in MySQL/MariaDB", Some(after), schema::LATEST)?;
        Ok((before, after))
    }

    async fn check(&self) -> Result<(), StoreError> {
        let done = unit(|| self.version_once()).await;
        let version = self.told("check the tables", done).await?;
        judge_schema("check the tables in MySQL/MariaDB", version, schema::LATEST)
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
        let longest = chunks.iter().map(Vec::len).max().unwrap_or_default();
        self.fits("write a chunk", longest).await?;
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
        let done = self.fetch_once("image_cache", ids, each).await;
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
        self.told("ask the server about itself", done).await
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl Units for MySql {
    async fn is_upgrading(&self) -> Result<bool, StoreError> {
        let done = unit(|| self.is_upgrading_once()).await;
        self.told("ask for upgrades", done).await
    }

    async fn put_unit(&self, entries: &[NewEntry]) -> Result<Done, StoreError> {
        self.all_fit(entries).await?;
        let done = unit(|| self.put_once(entries)).await;
        self.told(format!("store {} entries", entries.len()), done).await
    }

    async fn relocate_unit(&self, relocation: &Relocation) -> Result<Moved, StoreError> {
        let operation = format!("move the payload of entry {}", relocation.id);
        self.fits(&operation, put::bytes_of(&relocation.to)).await?;
        let done = unit(|| self.relocate_once(relocation)).await;
        self.told(operation, done).await
    }

    fn most_removed(&self) -> usize {
        500
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
