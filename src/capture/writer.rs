//! A writer: stores what readers have made ready, as much at a time as is there.
//!
//! Batches form by themselves. What is ready goes at once; what becomes ready while a commit is
//! under way goes with the next. So a single upload is safe after one commit, and a flood is stored
//! in statements of about a megabyte.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc};

use crate::capture::follow::Fate;
use crate::capture::large::{Became, LargeFile, Streamed};
use crate::capture::object::Uploaded;
use crate::capture::reader::{Prepared, Seen, now_ns};
use crate::capture::{Shared, object, trouble};
use crate::model::health::Counters;
use crate::model::settle::Outcome;
use crate::model::{FileStat, NewEntry, UploadPath};
use crate::store::StoreError;

/// A batch is sent when it has this many entries, or as many bytes as are enough for the store.
const BATCH: usize = 256;

/// The most that a batch weighs, as a part of all that may be in memory: the next one is to be read meanwhile.
const SHARE: u64 = 4;

/// While as many files wait to be read, a batch that is not full waits for more of them, at most so long, and looks
/// after each step. Without it, readers that are slower than the database get a commit for every few files, which
/// takes from them the time to be faster.
const FLOOD: usize = 64;
const STEP: Duration = Duration::from_millis(2);
const STEPS: u32 = 4;

/// Small files that a writer uploads to the object store at a time.
const UPLOADS: usize = 8;

/// One storing task.
pub struct Writer {
    shared: Arc<Shared>,
}

/// Files that are ready to be stored, for whichever writer is free.
pub type Incoming<T> = Arc<Mutex<mpsc::UnboundedReceiver<T>>>;

/// What is left of a file when its entry has been handed to the store.
struct Pending {
    path: UploadPath,
    stat: FileStat,
    seen: Seen,
    /// Its bytes are in the object store, and wait for the entry.
    uploaded: Option<Uploaded>,
}

impl Writer {
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Stores files that are in memory, until there are no readers any more.
    pub async fn store_batches(self, incoming: Incoming<Prepared>) {
        loop {
            let batch = self.gather(&incoming).await;
            if batch.is_empty() {
                return;
            }
            self.save(batch).await;
        }
    }

    /// Stores large files, one after another, until there are no readers any more.
    pub async fn store_large(self, incoming: Incoming<LargeFile>) {
        loop {
            let Some(large) = incoming.lock().await.recv().await else { return };
            self.save_large(large).await;
        }
    }

    /// Waits for one file, then takes what else is ready, or will be in a moment. Empty when there are no readers any
    /// more.
    async fn gather(&self, incoming: &Incoming<Prepared>) -> Vec<Prepared> {
        let share = self.shared.options.bytes_in_flight / SHARE;
        let enough = (self.shared.store.enough_for_a_put() as u64).min(share);
        let mut incoming = incoming.lock().await;
        let mut batch = Vec::new();
        let (mut weight, mut steps) = (0, 0);
        let mut next = incoming.recv().await;
        while let Some(prepared) = next {
            weight += prepared.entry.weight() as u64;
            batch.push(prepared);
            if weight >= enough || batch.len() >= BATCH {
                break;
            }
            next = incoming.try_recv().ok();
            while next.is_none() && steps < STEPS && self.shared.queue.queued() >= FLOOD {
                steps += 1;
                tokio::time::sleep(STEP).await;
                next = incoming.try_recv().ok();
            }
        }
        batch
    }

    async fn save(&self, batch: Vec<Prepared>) {
        // Given back all at once: one by one, each would wake a reader for a single file.
        let (entries, mut pending, _permits) = self.upload(batch).await;
        if entries.is_empty() {
            return;
        }
        match self.try_save(&entries, &mut pending).await {
            Ok(()) => {}
            Err(error) if !error.is_temporary() && entries.len() > 1 => {
                // One row may be at fault: the others must not suffer for it.
                for (entry, pending) in entries.iter().zip(&mut pending) {
                    let (one, its) = (std::slice::from_ref(entry), std::slice::from_mut(pending));
                    if let Err(error) = self.try_save(one, its).await {
                        self.give_back(its, &error).await;
                    }
                }
            }
            Err(error) => self.give_back(&mut pending, &error).await,
        }
    }

    /// Puts what is for the object store there. Entries that the database cannot take note of now are
    /// given back.
    async fn upload(
        &self,
        batch: Vec<Prepared>,
    ) -> (Vec<NewEntry>, Vec<Pending>, Option<OwnedSemaphorePermit>) {
        let upload = async |mut prepared: Prepared| {
            let uploaded = match prepared.for_remote {
                true => object::upload_small(&self.shared, &mut prepared.entry).await,
                false => Ok(None),
            };
            (prepared, uploaded)
        };
        let mut done = stream::iter(batch).map(upload).buffered(UPLOADS);
        let (mut entries, mut pending) = (Vec::new(), Vec::new());
        let mut permits: Option<OwnedSemaphorePermit> = None;
        while let Some((prepared, uploaded)) = done.next().await {
            let Prepared { entry, seen, permit, .. } = prepared;
            match uploaded {
                Ok(uploaded) => {
                    let (path, stat) = (entry.path.clone(), entry.stat);
                    pending.push(Pending { path, stat, seen, uploaded });
                    entries.push(entry);
                    match &mut permits {
                        Some(permits) => permits.merge(permit),
                        None => permits = Some(permit),
                    }
                }
                Err(error) => self.refused(&entry.path, &error),
            }
        }
        (entries, pending, permits)
    }

    async fn try_save(
        &self,
        entries: &[NewEntry],
        pending: &mut [Pending],
    ) -> Result<(), StoreError> {
        let written = self.shared.store.put(entries).await?;
        for (pending, written) in pending.iter().zip(written) {
            let became = if written { Became::Safe } else { Became::Unchanged };
            self.stored(&pending.path, &pending.stat, &pending.seen, became);
        }
        // Only now: how long a file is unsafe is what counts.
        let uploaded = pending.iter_mut().filter_map(|pending| pending.uploaded.take());
        object::settle(&self.shared, &uploaded.collect::<Vec<_>>()).await;
        Ok(())
    }

    async fn save_large(&self, large: LargeFile) {
        let LargeFile { path, stat, seen, paced, .. } = &large;
        let (path, stat, seen, paced) = (path.clone(), *stat, *seen, *paced);
        let streamed = large.stream(&self.shared).await;
        if paced {
            self.shared.queue.end_unhurried();
        }
        match streamed {
            Ok(Streamed { looked_at_ns, became }) => {
                self.stored(&path, &stat, &Seen { looked_at_ns, ..seen }, became);
            }
            Err(super::large::StreamError::Changed) => {
                self.shared.queue.report(&path, Outcome::Changed, None);
            }
            Err(super::large::StreamError::Io(error)) => {
                trouble::file_failed(&self.shared, &path, &format!("cannot read it: {error}"));
                self.shared.queue.report(&path, Outcome::Failed, Some(Fate::Failed));
            }
            Err(super::large::StreamError::Store(error)) => {
                self.refused(&path, &error);
            }
        }
    }

    fn stored(&self, path: &UploadPath, stat: &FileStat, seen: &Seen, became: Became) {
        trouble::database_back(&self.shared);
        self.shared.index().note_seen(path, stat, seen.looked_at_ns);
        let counters = &self.shared.health.counters;
        let fate = match became {
            Became::Safe => {
                Counters::add(&counters.captured_files, 1);
                Counters::add(&counters.captured_bytes, stat.size);
                let unsafe_for = self.unsafe_for(stat, seen);
                self.shared.health.note_captured(trouble::now(), unsafe_for);
                let unsafe_ms = unsafe_for.as_millis() as u64;
                tracing::debug!(event = "captured", %path, bytes = stat.size, unsafe_ms, "safe");
                Fate::Safe
            }
            Became::Unchanged => {
                Counters::add(&counters.unchanged_files, 1);
                Fate::Unchanged
            }
            Became::LeftOut => {
                Counters::add(&counters.left_out_files, 1);
                Fate::LeftOut
            }
        };
        self.shared.queue.report(path, Outcome::Done, Some(fate));
    }

    /// How long a file that is safe now was not: since its writer closed it. Where nobody told of that,
    /// since it last changed, or since we have been here to store it.
    fn unsafe_for(&self, stat: &FileStat, seen: &Seen) -> Duration {
        match seen.closed {
            Some(closed) => closed.elapsed(),
            None => {
                let age = now_ns().saturating_sub(stat.ctime_ns);
                // The clock may have jumped since; the time that we have been here does not.
                let here = self.shared.started.elapsed();
                Duration::from_nanos(age.try_into().unwrap_or(0)).min(here)
            }
        }
    }

    async fn give_back(&self, files: &mut [Pending], error: &StoreError) {
        for file in files {
            self.refused(&file.path, error);
            if let Some(uploaded) = file.uploaded.take() {
                object::fail(&self.shared, uploaded, error).await;
            }
        }
    }

    fn refused(&self, path: &UploadPath, error: &StoreError) {
        if error.is_temporary() {
            trouble::database_away(&self.shared, error);
            self.shared.queue.report(path, Outcome::Returned, None);
        } else {
            trouble::file_failed(&self.shared, path, &error.to_string());
            self.shared.queue.report(path, Outcome::Failed, Some(Fate::Failed));
        }
    }
}
