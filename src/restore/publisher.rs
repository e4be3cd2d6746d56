//! The publisher: lets files that are written appear under their names, while the workers write the next ones.
//!
//! Where they are not flushed behind their names, they are flushed first: all that have been written meanwhile with
//! one call, so that a slow disk is waited for seldom, and a worker only when too many files are without a name.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedRwLockReadGuard, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::model::UploadPath;
use crate::model::plan::Missing;
use crate::restore::worker::{Part, Refused, refused};
use crate::restore::{Flush, Report, Restore, Stop};
use crate::uploads::{Draft, Placer, Published};

/// A written file that has no name yet.
pub struct Written {
    pub id: i64,
    pub path: UploadPath,
    pub draft: Draft,
    pub mtime_ns: i64,
    pub mode: u32,
    pub bytes: u64,
}

impl From<&Written> for Missing {
    fn from(file: &Written) -> Self {
        Self { id: file.id, bytes: file.bytes, access_is_old: false }
    }
}

/// What a batch holds until the last of its files has appeared: room for its files, and the gate.
pub struct Turn {
    _room: OwnedSemaphorePermit,
    _gate: OwnedRwLockReadGuard<()>,
}

/// Files of one batch.
struct Batch {
    files: Vec<Written>,
    _turn: Option<Arc<Turn>>,
}

/// The workers' way to the publisher.
#[derive(Clone)]
pub struct Publisher {
    batches: UnboundedSender<Batch>,
    room: Arc<Semaphore>,
    stopped: Arc<AtomicBool>,
}

impl Publisher {
    /// Starts a publisher for so many batches at a time. It ends when all its handles are dropped.
    ///
    /// # Errors
    /// When the upload directory cannot be opened.
    pub fn start(restore: Restore, batches: usize) -> io::Result<(Self, Running)> {
        let placer = Placer::new(&restore.upload_dir)?;
        let (sender, receiver) = unbounded_channel();
        let stopped = Arc::<AtomicBool>::default();
        let thread =
            Thread { restore, placer, stopped: stopped.clone(), outcome: Report::default() };
        let task = tokio::task::spawn_blocking(move || thread.run(receiver));
        let room = Arc::new(Semaphore::new(batches.max(1)));
        Ok((Self { batches: sender, room, stopped: stopped.clone() }, Running { task, stopped }))
    }

    /// Waits for a batch's turn.
    pub async fn turn(&self, restore: &Restore) -> Turn {
        let room = self.room.clone().acquire_owned().await;
        let gate = restore.gate.clone().read_owned().await;
        Turn { _room: room.expect("nobody closes the semaphore"), _gate: gate }
    }

    /// Has files of a batch appear, some time.
    pub fn publish(&self, files: Vec<Written>, turn: Option<Arc<Turn>>) {
        // Without a publisher there is no restore any more, and the drafts go as they came.
        let _ = self.batches.send(Batch { files, _turn: turn });
    }

    /// Whether nothing more will appear.
    pub fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// A publisher at work. Dropped, it lets nothing more appear.
pub struct Running {
    task: JoinHandle<Report>,
    stopped: Arc<AtomicBool>,
}

impl Running {
    /// Waits for the end of it.
    pub async fn ended(mut self) -> Report {
        (&mut self.task).await.expect("publishing does not panic")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// What the publisher's thread has.
struct Thread {
    restore: Restore,
    placer: Placer,
    stopped: Arc<AtomicBool>,
    outcome: Report,
}

impl Thread {
    fn run(mut self, mut batches: UnboundedReceiver<Batch>) -> Report {
        while let Some(first) = batches.blocking_recv() {
            let mut ready = vec![first];
            if self.restore.flush == Flush::First {
                while let Ok(next) = batches.try_recv() {
                    ready.push(next);
                }
                if !self.stopped.load(Ordering::Relaxed)
                    && let Err(error) = self.placer.sync()
                {
                    self.stop(Stop::UploadDir(error));
                }
            }
            for batch in ready {
                self.publish(batch);
            }
        }
        self.outcome
    }

    fn publish(&mut self, batch: Batch) {
        for file in batch.files {
            if self.stopped.load(Ordering::Relaxed) {
                self.outcome.left.push(Missing::from(&file));
                continue;
            }
            let missing = Missing::from(&file);
            let Written { path, draft, mtime_ns, mode, bytes, .. } = file;
            let part = match draft.publish(mtime_ns, mode) {
                Ok(Published::Placed(stat)) => {
                    (self.restore.on_restored)(&path, &stat);
                    tracing::debug!(event = "restored", %path, bytes, "restored");
                    Part::Restored { bytes }
                }
                Ok(Published::Exists) => Part::Kept,
                Err(error) => match refused(&path, error) {
                    Refused::This(part) => part,
                    Refused::All(stop) => {
                        self.outcome.left.push(missing);
                        self.stop(stop);
                        continue;
                    }
                },
            };
            part.count(&self.restore.health.counters);
            self.outcome.add(part);
        }
    }

    fn stop(&mut self, stop: Stop) {
        self.stopped.store(true, Ordering::Relaxed);
        self.outcome.stopped = Some(stop);
    }
}
