//! A restoring worker: fetches a batch, checks and writes each file, then has them appear.

mod large;
mod objects;

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::UploadPath;
use crate::model::health::Counters;
use crate::model::plan::Missing;
use crate::restore::damage::{self, Damage, Reason};
use crate::restore::object::{Answers, ObjectEntry};
use crate::restore::publisher::{Publisher, Turn, Written};
use crate::restore::worker::large::{LargeEntry, Unwritten};
use crate::restore::{Report, Restore, Stop};
use crate::store::{Fetched, FetchedPayload, StoreError};
use crate::uploads::{Draft, PlaceError, Placer};

/// The first wait for a database that is away, and the longest.
const AWAY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// So often an entry is fetched anew because its object is gone and the entry has changed.
const MOST_MOVES: usize = 16;

/// What a worker restores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// What is in the database; entries with an object are put aside.
    Database,
    /// What was put aside.
    Objects,
}

/// What became of one entry.
pub enum Part {
    Restored { bytes: u64 },
    Kept,
    Damaged(Damage),
    Failed { path: String, reason: String },
}

impl Part {
    /// Adds it to the counters.
    pub fn count(&self, counters: &Counters) {
        match self {
            Self::Restored { bytes } => {
                Counters::add(&counters.restored_files, 1);
                Counters::add(&counters.restored_bytes, *bytes);
            }
            Self::Damaged(_) => Counters::add(&counters.damaged_entries, 1),
            Self::Kept | Self::Failed { .. } => {}
        }
    }
}

/// What one worker has done.
#[derive(Default)]
pub struct Done {
    pub report: Report,
    /// Entries that were put aside.
    pub in_objects: Vec<i64>,
}

/// Entries whose bytes do not come with their row.
#[derive(Default)]
struct Later {
    large: Vec<LargeEntry>,
    objects: Vec<ObjectEntry>,
}

/// What stops a worker: another entry would meet the same.
enum Halt {
    Stop(Stop),
    Store(StoreError),
}

pub struct Worker {
    restore: Restore,
    stage: Stage,
    answers: Arc<Answers>,
    batches: Arc<Mutex<VecDeque<Vec<Missing>>>>,
    placer: Placer,
    publisher: Publisher,
    /// That of the batch.
    turn: Option<Arc<Turn>>,
    buffer: Vec<u8>,
    /// Entries of the batch that need nothing more, in case that the others are tried again.
    settled: HashSet<i64>,
    /// Entries of the batch that have changed since they were fetched.
    again: Vec<Missing>,
    done: Done,
}

impl Worker {
    pub fn new(
        restore: Restore,
        stage: Stage,
        batches: Arc<Mutex<VecDeque<Vec<Missing>>>>,
        answers: Arc<Answers>,
        publisher: Publisher,
    ) -> io::Result<Self> {
        let placer = Placer::new(&restore.upload_dir)?;
        let (turn, buffer, settled, again, done) = Default::default();
        Ok(Self {
            restore,
            stage,
            answers,
            batches,
            placer,
            publisher,
            turn,
            buffer,
            settled,
            again,
            done,
        })
    }

    /// Restores batches until there are none, or until nothing more can be restored.
    pub async fn run(mut self) -> Done {
        while let Some(batch) = self.take() {
            self.settled.clear();
            if let Err(stop) = self.follow(&batch).await {
                let (settled, in_objects) = (&self.settled, &self.done.in_objects);
                let left = batch.into_iter().filter(|missing| {
                    !settled.contains(&missing.id) && !in_objects.contains(&missing.id)
                });
                self.done.report.left.extend(left);
                self.done.report.stopped = Some(stop);
                break;
            }
        }
        self.done
    }

    fn take(&self) -> Option<Vec<Missing>> {
        if self.publisher.has_stopped() {
            return None;
        }
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Restores a batch, and follows those of its entries that are moved meanwhile.
    async fn follow(&mut self, batch: &[Missing]) -> Result<(), Stop> {
        self.patiently(batch).await?;
        for _ in 0..MOST_MOVES {
            let again = std::mem::take(&mut self.again);
            if again.is_empty() {
                return Ok(());
            }
            self.patiently(&again).await?;
        }
        // A later restore will find them at rest.
        self.done.report.left.append(&mut self.again);
        Ok(())
    }

    /// Restores a batch, and waits for the database as long as the restore's patience lasts.
    async fn patiently(&mut self, batch: &[Missing]) -> Result<(), Stop> {
        let started = Instant::now();
        let mut wait = AWAY.0;
        loop {
            self.turn = Some(Arc::new(self.publisher.turn(&self.restore).await));
            let outcome = self.batch(batch).await;
            self.turn = None;
            let error = match outcome {
                Ok(()) => return Ok(()),
                Err(Halt::Stop(stop)) => return Err(stop),
                Err(Halt::Store(error)) if !error.is_temporary() => {
                    return self.one_by_one(batch, &error).await;
                }
                Err(Halt::Store(error)) => error,
            };
            if self.restore.patience.is_some_and(|most| started.elapsed() > most) {
                return Err(Stop::Store(error));
            }
            if !self.restore.health.set_database_away(Some(error.to_string())) {
                tracing::warn!(
                    event = "database_away",
                    reason = %error,
                    "the restore goes on when it answers"
                );
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AWAY.1);
        }
    }

    /// One entry of the batch cannot be read: finds out which, so that the others come back.
    async fn one_by_one(&mut self, batch: &[Missing], error: &StoreError) -> Result<(), Stop> {
        if let [alone] = batch {
            let path = format!("entry {}", alone.id);
            self.note(alone.id, Part::Failed { path, reason: error.to_string() });
            return Ok(());
        }
        for missing in batch {
            Box::pin(self.patiently(std::slice::from_ref(missing))).await?;
        }
        Ok(())
    }

    async fn batch(&mut self, batch: &[Missing]) -> Result<(), Halt> {
        let ids = batch.iter().map(|missing| missing.id);
        let ids: Vec<i64> = ids.filter(|id| !self.settled.contains(id)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let store = self.restore.store.clone();
        let mut written = Vec::with_capacity(batch.len());
        let mut later = Later::default();
        let mut parts = Vec::new();
        let mut halt = None;
        let wanted = self.restore.contents.clone();
        store
            .fetch_from(self.restore.shelf, &ids, &mut |row| {
                let is_wanted = wanted.as_ref().is_none_or(|wanted| {
                    wanted.get(&row.id).is_some_and(|sha256| sha256 == row.sha256)
                });
                if halt.is_none() && is_wanted {
                    match self.one(&row, &mut later) {
                        Ok(Some(file)) => written.push(file),
                        Ok(None) => {}
                        Err(Refused::This(part)) => parts.push((row.id, part)),
                        Err(Refused::All(stop)) => halt = Some(stop),
                    }
                }
            })
            .await
            .map_err(Halt::Store)?;
        for (id, part) in parts {
            self.note(id, part);
        }
        self.publish(written);
        if let Some(stop) = halt {
            return Err(Halt::Stop(stop));
        }
        for entry in later.large {
            match self.large(&entry).await {
                Ok(file) => self.publish(vec![file]),
                Err(Unwritten::Part(part)) => self.note(entry.id, part),
                Err(Unwritten::Changed) => self.fetch_again(entry.id, entry.file_size),
                Err(Unwritten::Halt(halt)) => return Err(halt),
            }
        }
        match self.stage {
            Stage::Database => {
                self.done.in_objects.extend(later.objects.iter().map(|entry| entry.id));
                Ok(())
            }
            Stage::Objects => {
                // The database gives rows in an order of its own, and those asked in vain come last.
                let place = |id| batch.iter().position(|missing| missing.id == id);
                later.objects.sort_by_key(|entry| place(entry.id));
                self.objects(later.objects).await
            }
        }
    }

    /// Writes one entry whose bytes came with it. `Ok(None)` when it is put aside as a large one.
    fn one(&mut self, row: &Fetched<'_>, later: &mut Later) -> Result<Option<Written>, Refused> {
        let failed = |reason: String| {
            Refused::This(Part::Failed { path: row.original_path.to_owned(), reason })
        };
        let path = UploadPath::parse(row.original_path).map_err(|why| failed(why.to_string()))?;
        if let FetchedPayload::Url(url) = row.payload {
            later.objects.push(ObjectEntry::new(row, path, url));
            return Ok(None);
        }
        if let FetchedPayload::Chunks(set) = row.payload {
            later.large.push(LargeEntry::new(row, path, set));
            return Ok(None);
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let placed = match damage::verified(row, &mut buffer) {
            Ok(bytes) => self.draft(&path, row.mode, bytes),
            Err(reason) => Err(Refused::This(damaged(row.id, row.original_path, reason))),
        };
        self.buffer = buffer;
        let draft = placed?;
        let (mtime_ns, mode, bytes) = (row.mtime_ns, row.mode, row.file_size);
        Ok(Some(Written { id: row.id, path, draft, mtime_ns, mode, bytes }))
    }

    fn draft(&mut self, path: &UploadPath, mode: u32, bytes: &[u8]) -> Result<Draft, Refused> {
        let mut draft =
            self.placer.brief_draft(path, mode).map_err(|error| refused(path, error))?;
        draft.write_all(bytes).map_err(|error| refused(path, error))?;
        Ok(draft)
    }

    /// The entry is no longer what was fetched: it is fetched anew, after all others of this stage
    /// where there is another.
    fn fetch_again(&mut self, id: i64, bytes: u64) {
        match self.stage {
            Stage::Database => self.done.in_objects.push(id),
            Stage::Objects => self.again.push(Missing { id, bytes, access_is_old: false }),
        }
    }

    /// Has written files appear under their names.
    fn publish(&mut self, written: Vec<Written>) {
        self.settled.extend(written.iter().map(|file| file.id));
        self.publisher.publish(written, self.turn.clone());
    }

    /// Says what became of an entry.
    fn note(&mut self, id: i64, part: Part) {
        self.settled.insert(id);
        part.count(&self.restore.health.counters);
        self.done.report.add(part);
    }
}

/// Why a file was not written.
pub enum Refused {
    /// For a reason of its own.
    This(Part),
    /// For a reason that every other file would meet too.
    All(Stop),
}

pub fn refused(path: &UploadPath, error: PlaceError) -> Refused {
    match error {
        PlaceError::Exists => Refused::This(Part::Kept),
        PlaceError::Full(source) => Refused::All(Stop::DiskFull(source)),
        other => Refused::This(Part::Failed { path: path.to_string(), reason: other.to_string() }),
    }
}

fn damaged(id: i64, path: &str, reason: Reason) -> Part {
    Part::Damaged(Damage { id, path: path.to_owned(), reason })
}
