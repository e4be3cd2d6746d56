//! A store that never waits for ever.
//!
//! A server that vanishes without a word (power cut, failover, a proxy that forgets) leaves calls
//! waiting for an answer that nobody will send: TCP alone notices after a quarter of an hour, or never.
//! So every call is given up when nothing has come for a while, and the connections are replaced by
//! new ones. All calls may be done twice, so giving one up that was about to succeed does no harm.
//!
//! Calls take turns, in the order in which they come, as many at a time as there are connections. The pool would
//! take a call that waits behind others for one that waits for the server, and give it up as soon.

mod ledger;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::model::entry::{ChunkSet, IndexRow, NewEntry};
use crate::model::version::{Leaving, Past, Trash, Undeleted};
use crate::model::{Timestamp, UploadPath};
use crate::store::put::Done;
use crate::store::relocate::Moved;
use crate::store::units::Units;
use crate::store::{
    Fetched, Growth, History, HistoryPage, HistoryQuery, HistoryTotals, ListQuery, Page,
    Relocation, ServerFacts, Store, StoreError, Stored, Totals, Touch, Trouble, Which,
};

/// Makes a store with connections of its own.
type Reopen = Box<dyn Fn() -> Result<Arc<dyn Store>, StoreError> + Send + Sync>;

/// A store whose calls are given up after `limit` without progress.
pub(super) struct TimeLimited {
    inner: RwLock<Arc<dyn Store>>,
    reopen: Reopen,
    limit: Duration,
    turns: Semaphore,
}

impl TimeLimited {
    /// Opens the store, which has so many connections, for the first time.
    ///
    /// # Errors
    /// Those of `reopen`.
    pub fn open(
        limit: Duration,
        connections: u32,
        reopen: impl Fn() -> Result<Arc<dyn Store>, StoreError> + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let inner = RwLock::new(reopen()?);
        let turns = Semaphore::new(connections.max(1) as usize);
        Ok(Self { inner, reopen: Box::new(reopen), limit, turns })
    }

    fn inner(&self) -> Arc<dyn Store> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until no more calls are under way than there are connections.
    async fn turn(&self, operation: &str) -> Result<SemaphorePermit<'_>, StoreError> {
        match tokio::time::timeout(self.limit, self.turns.acquire()).await {
            Ok(turn) => Ok(turn.expect("nobody closes the semaphore")),
            Err(_) => {
                let limit = humantime::format_duration(self.limit);
                Err(StoreError {
                    operation: format!("{operation} in {}", self.product()),
                    trouble: Trouble::Away,
                    cause: format!("other calls have used all connections for {limit}"),
                    cure: Some("raise database_connections, if the plan has more".into()),
                })
            }
        }
    }

    /// Waits for `call`, as long as `progress` grows within the limit.
    async fn wait<T>(
        &self,
        store: &Arc<dyn Store>,
        operation: &str,
        progress: &AtomicU64,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let _turn = self.turn(operation).await?;
        tokio::pin!(call);
        let mut seen = progress.load(Ordering::Relaxed);
        loop {
            tokio::select! {
                done = &mut call => return done,
                () = tokio::time::sleep(self.limit) => {}
            }
            let now = progress.load(Ordering::Relaxed);
            if now == seen {
                self.replace(store);
                return Err(self.given_up(operation));
            }
            seen = now;
        }
    }

    /// Replaces the connections, unless another call that gave up has done so already.
    fn replace(&self, stuck: &Arc<dyn Store>) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&inner, stuck)
            && let Ok(fresh) = (self.reopen)()
        {
            // The old ones close by themselves once the system has given them up.
            *inner = fresh;
        }
    }

    /// Waits for the limit, and says whether the server does nothing for an upgrade after it, or says nothing.
    async fn idles_for_the_limit(&self) -> bool {
        tokio::time::sleep(self.limit).await;
        // The connections of the call may all be those that are stuck.
        let Ok(beside) = (self.reopen)() else { return true };
        let upgrading = tokio::time::timeout(self.limit, beside.is_upgrading()).await;
        tokio::spawn(async move { beside.close().await });
        !matches!(upgrading, Ok(Ok(true)))
    }

    fn given_up(&self, operation: &str) -> StoreError {
        let limit = humantime::format_duration(self.limit);
        StoreError {
            operation: format!("{operation} in {}", self.product()),
            trouble: Trouble::Away,
            cause: format!("no answer within {limit}"),
            cure: Some("check the database and the way to it, or raise database_timeout".into()),
        }
    }

    async fn limited<T, F>(
        &self,
        operation: &str,
        call: impl FnOnce(Arc<dyn Store>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let store = self.inner();
        self.wait(&store, operation, &AtomicU64::new(0), call(store.clone())).await
    }
}

/// `each`, with a count of what has come: as long as that grows, there is progress.
fn counted<T>(rows: &AtomicU64, each: &mut (dyn FnMut(T) + Send)) -> impl FnMut(T) + Send {
    move |row| {
        rows.fetch_add(1, Ordering::Relaxed);
        each(row);
    }
}

/// As [`counted`], of rows that are lent.
fn counted_payloads(
    rows: &AtomicU64,
    each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
) -> impl for<'row> FnMut(Fetched<'row>) + Send {
    move |row: Fetched<'_>| {
        rows.fetch_add(1, Ordering::Relaxed);
        each(row);
    }
}

impl fmt::Debug for TimeLimited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner().fmt(f)
    }
}

#[async_trait]
impl Store for TimeLimited {
    fn product(&self) -> &'static str {
        self.inner().product()
    }

    /// An index over very many entries takes its time, and one that is given up is begun anew, for ever, with
    /// the former try still at work in the server. So the limit counts only while the server does nothing for it, and
    /// is passed twice before it is given up: one look may fall between two transactions.
    async fn migrate(&self) -> Result<(i64, i64), StoreError> {
        let store = self.inner();
        let call = store.migrate();
        tokio::pin!(call);
        let mut idle = 0;
        while idle < 2 {
            tokio::select! {
                done = &mut call => return done,
                idles = self.idles_for_the_limit() => idle = if idles { idle + 1 } else { 0 },
            }
        }
        self.replace(&store);
        Err(self.given_up("create the tables"))
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.limited("check the tables", |store| async move { store.check().await }).await
    }

    async fn index(&self, each: &mut (dyn FnMut(IndexRow) + Send)) -> Result<(), StoreError> {
        let (store, rows) = (self.inner(), AtomicU64::new(0));
        let mut counted = counted(&rows, each);
        self.wait(&store, "read the index", &rows, store.index(&mut counted)).await
    }

    async fn stored(
        &self,
        paths: &[UploadPath],
    ) -> Result<HashMap<UploadPath, Stored>, StoreError> {
        self.limited("look up entries", |store| async move { store.stored(paths).await }).await
    }

    async fn touch(&self, touches: &[Touch]) -> Result<(), StoreError> {
        self.limited("note new times", |store| async move { store.touch(touches).await }).await
    }

    async fn accessed(&self, paths: &[UploadPath]) -> Result<(), StoreError> {
        self.limited("note accesses", |store| async move { store.accessed(paths).await }).await
    }

    async fn write_chunks(
        &self,
        set: ChunkSet,
        first: u32,
        chunks: &[Vec<u8>],
    ) -> Result<(), StoreError> {
        let operation = format!("write chunks from {first} on of set {}", set.0);
        let call =
            |store: Arc<dyn Store>| async move { store.write_chunks(set, first, chunks).await };
        self.limited(&operation, call).await
    }

    async fn read_chunk(&self, set: ChunkSet, seq: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let operation = format!("read chunk {seq} of set {}", set.0);
        self.limited(&operation, |store| async move { store.read_chunk(set, seq).await }).await
    }

    async fn fetch(
        &self,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<(), StoreError> {
        let (store, rows) = (self.inner(), AtomicU64::new(0));
        let mut counted = counted_payloads(&rows, each);
        let operation = format!("fetch {} entries", ids.len());
        self.wait(&store, &operation, &rows, store.fetch(ids, &mut counted)).await
    }

    async fn page(&self, query: &ListQuery) -> Result<Page, StoreError> {
        self.limited("list entries", |store| async move { store.page(query).await }).await
    }

    async fn growth(&self, days: u32) -> Result<Vec<Growth>, StoreError> {
        self.limited("count entries by day", |store| async move { store.growth(days).await }).await
    }

    async fn totals(&self) -> Result<Totals, StoreError> {
        self.limited("count entries", |store| async move { store.totals().await }).await
    }

    async fn facts(&self) -> Result<ServerFacts, StoreError> {
        self.limited("look at the server", |store| async move { store.facts().await }).await
    }

    async fn close(&self) {
        self.inner().close().await;
    }
}

#[async_trait]
impl Units for TimeLimited {
    async fn is_upgrading(&self) -> Result<bool, StoreError> {
        self.limited("ask for upgrades", |store| async move { store.is_upgrading().await }).await
    }

    async fn put_unit(&self, entries: &[NewEntry]) -> Result<Done, StoreError> {
        let operation = format!("store {} entries", entries.len());
        self.limited(&operation, |store| async move { store.put_unit(entries).await }).await
    }

    async fn relocate_unit(&self, relocation: &Relocation) -> Result<Moved, StoreError> {
        let operation = format!("move the payload of entry {}", relocation.id);
        let call = |store: Arc<dyn Store>| async move { store.relocate_unit(relocation).await };
        self.limited(&operation, call).await
    }

    fn enough_for_a_put(&self) -> usize {
        self.inner().enough_for_a_put()
    }

    fn most_removed(&self) -> usize {
        self.inner().most_removed()
    }

    async fn remove_unit(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>), StoreError> {
        let operation = format!("remove {} entries", ids.len());
        self.limited(&operation, |store| async move { store.remove_unit(ids).await }).await
    }

    async fn discard_unit(&self, set: ChunkSet) -> Result<bool, StoreError> {
        let operation = format!("remove chunk set {}", set.0);
        self.limited(&operation, |store| async move { store.discard_unit(set).await }).await
    }

    async fn forgotten_sets(&self) -> Result<Vec<ChunkSet>, StoreError> {
        let call = |store: Arc<dyn Store>| async move { store.forgotten_sets().await };
        self.limited("look for forgotten chunks", call).await
    }

    async fn trash_unit(&self, entries: &[Leaving], by: Trash) -> Result<u64, StoreError> {
        let operation = format!("move {} entries to the trash", entries.len());
        self.limited(&operation, |store| async move { store.trash_unit(entries, by).await }).await
    }

    async fn undelete_unit(&self, paths: &[UploadPath]) -> Result<Vec<Undeleted>, StoreError> {
        let operation = format!("take {} entries out of the trash", paths.len());
        self.limited(&operation, |store| async move { store.undelete_unit(paths).await }).await
    }

    async fn overdue(
        &self,
        which: Which,
        age: Duration,
        most: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let call = |store: Arc<dyn Store>| async move { store.overdue(which, age, most).await };
        self.limited("look for old versions", call).await
    }

    async fn forget_unit(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>), StoreError> {
        let operation = format!("forget {} versions", ids.len());
        self.limited(&operation, |store| async move { store.forget_unit(ids).await }).await
    }
}

#[async_trait]
impl History for TimeLimited {
    async fn history(&self, query: &HistoryQuery) -> Result<HistoryPage, StoreError> {
        self.limited("list versions", |store| async move { store.history(query).await }).await
    }

    async fn history_totals(&self) -> Result<HistoryTotals, StoreError> {
        let call = |store: Arc<dyn Store>| async move { store.history_totals().await };
        self.limited("count versions", call).await
    }

    async fn state_at(
        &self,
        time: Timestamp,
        each: &mut (dyn FnMut(Past) + Send),
    ) -> Result<(), StoreError> {
        let (store, rows) = (self.inner(), AtomicU64::new(0));
        let mut counted = counted(&rows, each);
        let call = store.state_at(time, &mut counted);
        self.wait(&store, "read a past state", &rows, call).await
    }

    async fn fetch_history(
        &self,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<(), StoreError> {
        let (store, rows) = (self.inner(), AtomicU64::new(0));
        let mut counted = counted_payloads(&rows, each);
        let operation = format!("fetch {} versions", ids.len());
        self.wait(&store, &operation, &rows, store.fetch_history(ids, &mut counted)).await
    }
}
