//! The image cache in PostgreSQL.
//!
//! Everything here works through PgBouncer in transaction mode: each unit of work is one explicit
//! transaction, and its statements are unnamed (`persistent(false)`), because between transactions the
//! server connection may be another one. No `SET`, no session locks, no `LISTEN`, no temporary tables.

mod arrays;
mod facts;
mod history;
mod ledger;
mod list;
mod read;
mod schema;
mod write;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqlSafeStr, SqlStr, Transaction};

use crate::model::UploadPath;
use crate::model::entry::{ChunkSet, IndexRow, NewEntry};
use crate::model::version::{Leaving, Trash, Undeleted};
use crate::store::error::{StoreError, judge_schema};
use crate::store::no_delay::send_at_once;
use crate::store::put::Done;
use crate::store::relocate::Moved;
use crate::store::retry::{answers, begin_with, unit};
use crate::store::units::Units;
use crate::store::{
    Fetched, Growth, ListQuery, Options, Page, Relocation, ServerFacts, Store, Stored, Totals,
    Touch, Trouble, Which,
};

/// Proxies cut connections that idle for half an hour.
const IDLE: Duration = Duration::from_secs(600);

/// The store in PostgreSQL.
#[derive(Debug)]
pub(super) struct Postgres {
    pool: PgPool,
    connect: PgConnectOptions,
    /// Host and port, for people.
    place: String,
    /// Begins a transaction: see [`beginning`].
    begin: SqlStr,
    /// Begins one that takes its rows by their keys.
    begin_by_key: SqlStr,
    /// Most versions that are kept of each path.
    versions: u32,
    /// The last put had new paths only. The next one is taken for such, too, until it turns out otherwise: a flood of
    /// new files need not look up each of them first.
    puts_are_new: AtomicBool,
}

/// How a transaction begins: with limits that hold for it alone, so that a pooler may share the session.
///
/// A client that the network has lost holds its locks for as long as the server takes it for alive, hours by
/// default, and nobody else stores under the same paths. So the server ends what nobody goes on with. Twice the
/// limit of a call: our own side has given up by then.
fn beginning(call_timeout: Duration, more: &str) -> SqlStr {
    let limit = (2 * call_timeout).as_millis().min(i32::MAX as u128);
    let statement = format!(
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = {limit}; SET LOCAL lock_timeout = {limit}{more}"
    );
    AssertSqlSafe(statement).into_sql_str()
}

/// Some hundred keys of some ten thousand rows look to the planner as if the whole table were read faster; it is not,
/// and a restore or a `cache-all` would read it for every batch. And a plan for the values that are given is no better
/// than one for any: to make it, the planner copies all of them, a megabyte of payloads among them, several times.
const BY_KEY: &str =
    "; SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_generic_plan";

/// A statement without a name on the server, so that it may run on any server connection.
fn query<'q>(sql: &'static str) -> Query<'q, sqlx::Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

impl Postgres {
    pub(super) fn open(url: &str, options: &Options) -> Result<Self, StoreError> {
        let connect = PgConnectOptions::from_str(url).map_err(|error| StoreError {
            operation: "open PostgreSQL".to_owned(),
            trouble: Trouble::Other,
            cause: error.to_string(),
            cure: Some("check DATABASE_URL".to_owned()),
        })?;
        // PgBouncer refuses connections that ask for `extra_float_digits`.
        let connect = connect
            .extra_float_digits(None)
            .application_name("imagecached")
            .disable_statement_logging();
        let place = match connect.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => format!("{}:{}", connect.get_host(), connect.get_port()),
        };
        let port = connect.get_port();
        let pool = PgPoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(IDLE)
            .test_before_acquire(false)
            .before_acquire(|connection, meta| Box::pin(answers(connection, meta.idle_for)))
            .after_connect(move |_, _| {
                send_at_once(port);
                Box::pin(async { Ok(()) })
            })
            .connect_lazy_with(connect.clone());
        let begin = beginning(options.call_timeout, "");
        let begin_by_key = beginning(options.call_timeout, BY_KEY);
        let versions = options.versions;
        let puts_are_new = AtomicBool::new(false);
        Ok(Self { pool, connect, place, begin, begin_by_key, versions, puts_are_new })
    }

    /// Begins a transaction.
    async fn begin(&self) -> sqlx::Result<Transaction<'static, sqlx::Postgres>> {
        begin_with(&self.pool, self.begin.clone()).await
    }

    /// Begins a transaction that finds all rows by their keys.
    async fn begin_by_key(&self) -> sqlx::Result<Transaction<'static, sqlx::Postgres>> {
        begin_with(&self.pool, self.begin_by_key.clone()).await
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
                let operation = format!("{} in PostgreSQL", operation.into());
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
impl Store for Postgres {
    fn product(&self) -> &'static str {
        "PostgreSQL"
    }

    async fn migrate(&self) -> Result<(i64, i64), StoreError> {
        let done = unit(|| self.migrate_once()).await;
        let (before, after) = self.told("create the tables", done).await?;
        judge_schema("create the tables in PostgreSQL", Some(after), schema::LATEST)?;
        Ok((before, after))
    }

    async fn check(&self) -> Result<(), StoreError> {
        let done = unit(|| self.version_once()).await;
        let version = self.told("check the tables", done).await?;
        judge_schema("check the tables in PostgreSQL", version, schema::LATEST)
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
        let mut facts = self.told("ask the server about itself", done).await?;
        facts.pooled = self.goes_through_a_pooler().await;
        Ok(facts)
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

#[async_trait]
impl Units for Postgres {
    async fn is_upgrading(&self) -> Result<bool, StoreError> {
        let done = unit(|| self.is_upgrading_once()).await;
        self.told("ask for upgrades", done).await
    }

    async fn put_unit(&self, entries: &[NewEntry]) -> Result<Done, StoreError> {
        let done = unit(|| self.put_once(entries)).await;
        self.told(format!("store {} entries", entries.len()), done).await
    }

    async fn relocate_unit(&self, relocation: &Relocation) -> Result<Moved, StoreError> {
        let done = unit(|| self.relocate_once(relocation)).await;
        self.told(format!("move the payload of entry {}", relocation.id), done).await
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
