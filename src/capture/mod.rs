//! Capture: disk to database. A settled file becomes an entry.
//!
//! ```text
//! kernel event --> intake --.
//!                           |--> queue --> readers --> writers --> store
//! tree walk -----> scan ----'
//! ```
//!
//! The queue holds names only; the disk holds the bytes. Readers are plain threads, because reading,
//! hashing and encoding are work for a core and not for a runtime; each writer is a task that has a
//! connection while it commits. Between them stand as many bytes as `bytes_in_flight` allows.
//!
//! Large files have writers of their own, a few at a time, which take their turns at the connections piece by
//! piece: so that a small file waits for a piece, and never for a whole large file.

mod budget;
mod cache_all;
mod deadline;
mod flush;
mod follow;
pub mod gone;
pub mod intake;
mod large;
mod object;
mod queue;
mod reader;
pub mod scan;
mod trouble;
mod writer;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use cache_all::{Tally, cache_again, cache_all};
pub use deadline::Deadline;
pub use flush::{Flushed, flush};
pub use trouble::now;

use crate::capture::budget::Budget;
use crate::capture::queue::Queue;
use crate::model::health::Health;
use crate::model::pace::Pace;
use crate::model::places::Places;
use crate::model::settle::{Rules, Settle};
use crate::model::{Index, Patterns, UploadPath};
use crate::objects::Objects;
use crate::store::Store;
use crate::uploads::UploadDir;

/// As many waiting files are kept by name; beyond that the next scan finds them.
const QUEUE_CAPACITY: usize = 20_000;

/// A writer has so long to end, even when the deadline has passed.
const GRACE: Duration = Duration::from_millis(500);

/// How files are captured.
#[derive(Debug, Clone)]
pub struct Options {
    pub patterns: Patterns,
    /// The owning model and object of every file (`content_type`, `object_id`), when it is known.
    pub owner: Option<(String, String)>,
    /// Write every file anew, stored or not: what is stored may be damaged.
    pub rewrite: bool,
    pub rules: Rules,
    /// Where the bytes go.
    pub places: Places,
    /// Bytes of file contents in memory at a time, in all their forms.
    pub bytes_in_flight: u64,
    /// Most bytes of files a second that are read and stored of what only a scan of everything has found.
    pub backlog_rate: Option<u64>,
    /// Threads that read, hash and encode.
    pub readers: usize,
    /// Connections to store with.
    pub writers: usize,
}

/// What readers, writers, scans and the intake share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub options: Options,
    pub upload_dir: UploadDir,
    pub store: Arc<dyn Store>,
    pub index: Mutex<Index>,
    pub queue: Queue,
    pub health: Arc<Health>,
    /// The object store, where one is configured.
    pub objects: Option<Arc<Objects>>,
    remote_rest: object::Rest,
    last_upload: object::LastUpload,
    /// Files to write whether or not they are stored.
    anew: Mutex<HashSet<UploadPath>>,
    /// When the last full scan began that has come to its end.
    last_scan: Mutex<Option<Instant>>,
    /// Held by a scan that somebody waits for.
    scanning: Arc<tokio::sync::Mutex<()>>,
    limits: trouble::Limits,
    /// When this began.
    started: Instant,
    budget: Budget,
}

impl Shared {
    pub fn index(&self) -> MutexGuard<'_, Index> {
        // Every change of the index is one insert: a panic elsewhere leaves it whole.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn anew(&self) -> MutexGuard<'_, HashSet<UploadPath>> {
        self.anew.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    readers: Vec<JoinHandle<()>>,
    writers: JoinSet<()>,
    died: bool,
}

/// The end of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drained {
    /// Files that are seen and not safe.
    pub unsaved: usize,
    /// Some of their names.
    pub examples: Vec<UploadPath>,
}

/// A part of the capture has panicked: a bug, and the end of the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part of the capture has failed: uploads are no longer stored; restart the program")]
pub struct CaptureDied;

impl Capture {
    /// Starts readers and writers; nothing is captured until files are noted.
    ///
    /// `index` is what the database holds, as far as it is known.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        upload_dir: UploadDir,
        store: Arc<dyn Store>,
        objects: Option<Arc<Objects>>,
        options: Options,
        index: Index,
        health: Arc<Health>,
    ) -> std::io::Result<Self> {
        let streams = large::most_at_once(&options);
        let shared = Arc::new(Shared {
            queue: Queue::new(
                Settle::new(options.rules, QUEUE_CAPACITY, streams),
                Pace::new(options.backlog_rate),
            ),
            budget: Budget::new(options.bytes_in_flight),
            index: Mutex::new(index),
            options,
            upload_dir,
            store,
            health,
            objects,
            remote_rest: object::Rest::default(),
            last_upload: object::LastUpload::default(),
            anew: Mutex::default(),
            last_scan: Mutex::default(),
            scanning: Arc::default(),
            limits: trouble::Limits::default(),
            started: Instant::now(),
        });
        let (small, incoming) = mpsc::unbounded_channel();
        let (large, incoming_large) = mpsc::unbounded_channel();
        let (unhurried, incoming_unhurried) = mpsc::unbounded_channel();
        let exits = reader::Exits { small, large, unhurried };
        let readers = (0..shared.options.readers.max(1))
            .map(|n| {
                let reader = reader::Reader::new(shared.clone(), exits.clone());
                std::thread::Builder::new().name(format!("reader-{n}")).spawn(move || reader.run())
            })
            .collect::<Result<_, _>>()?;
        let incoming = Arc::new(tokio::sync::Mutex::new(incoming));
        let incoming_large = Arc::new(tokio::sync::Mutex::new(incoming_large));
        let mut writers = JoinSet::new();
        for _ in 0..shared.options.writers.max(1) {
            writers.spawn(writer::Writer::new(shared.clone()).store_batches(incoming.clone()));
        }
        for _ in 0..streams {
            let writer = writer::Writer::new(shared.clone());
            writers.spawn(writer.store_large(incoming_large.clone()));
        }
        let incoming_unhurried = Arc::new(tokio::sync::Mutex::new(incoming_unhurried));
        writers.spawn(writer::Writer::new(shared.clone()).store_large(incoming_unhurried));
        Ok(Self { shared, readers, writers, died: false })
    }

    /// Only notices files until [`scan::Scanner::release`]: for a start at which nobody knows yet
    /// whether the database and its tables are there.
    pub fn hold(&self) {
        self.shared.queue.hold();
    }

    /// What notices files for this capture.
    #[must_use]
    pub fn scanner(&self) -> scan::Scanner {
        scan::Scanner::new(self.shared.clone())
    }

    /// Whether all parts run.
    ///
    /// # Errors
    /// [`CaptureDied`] when one has panicked.
    pub fn check(&mut self) -> Result<(), CaptureDied> {
        let writer_ended = self.writers.try_join_next().is_some();
        self.died |= writer_ended || self.readers.iter().any(JoinHandle::is_finished);
        if self.died { Err(CaptureDied) } else { Ok(()) }
    }

    /// Files that are being read or stored right now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.shared.queue.in_flight()
    }

    /// All files that are seen and not yet safe.
    #[must_use]
    pub fn unsaved_names(&self) -> Vec<UploadPath> {
        self.shared.queue.names()
    }

    /// Waits until no file is waiting any more, or none that waiting could save.
    pub async fn idle(&self) {
        self.shared.queue.idle().await;
    }

    /// Hurries, waits until everything that can be saved is safe, at the latest until the deadline,
    /// and ends the capture.
    ///
    /// # Errors
    /// [`CaptureDied`] when a part has panicked.
    pub async fn drain(mut self, deadline: &Deadline) -> Result<Drained, CaptureDied> {
        self.shared.queue.hurry();
        let alive = self.check();
        if alive.is_ok() {
            // Running into the deadline is told by what is left over.
            tokio::select! {
                _ = deadline.bound(self.idle()) => {}
                () = self.shared.last_upload.follow(deadline) => {}
            }
        }
        let drained = self.shared.queue.close();
        let all_ended = async {
            while let Some(ended) = self.writers.join_next().await {
                ended.map_err(|_| CaptureDied)?;
            }
            Ok(())
        };
        let grace = async { tokio::join!(deadline.passed(), tokio::time::sleep(GRACE)) };
        let ended = tokio::select! {
            ended = all_ended => ended,
            // A writer that hangs on a dead connection is left behind: its batch is unsaved and told so.
            _ = grace => Ok(()),
        };
        self.writers.abort_all();
        alive.and(ended).map(|()| drained)
    }
}
