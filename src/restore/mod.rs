//! Restore: database to disk. An entry whose file is missing becomes that file.
//!
//! First a plan is made from the index and a walk over the disk, then it is carried out by as many
//! workers as there are connections, and a publisher that gives the files their names. What is in the database comes
//! first, and then what is in an object store, which may be slow or away. A file that exists is never touched; a file
//! appears under its name whole and verified, or not at all. Only a machine that stops can tear one that is not
//! flushed yet: such a file is told by a note, and restored anew.

mod object;
pub mod past;
mod publisher;
mod report;
pub mod torn;
mod worker;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::RwLock;
use tokio::task::JoinSet;

pub use crate::payload::damage::{self, Damage};
pub use report::{Report, Stop};

use crate::model::health::Health;
use crate::model::plan::{Missing, Plan};
use crate::model::scratch::is_scratch;
use crate::model::version::Shelf;
use crate::model::{FileStat, IndexRow, Stock, UploadPath};
use crate::process::limits;
use crate::remote::Remote;
use crate::restore::object::Answers;
use crate::restore::publisher::Publisher;
use crate::restore::worker::{Stage, Worker};
use crate::store::{Store, StoreError};
use crate::uploads::{Unflushed, UploadDir, names_swept};

/// Most bytes, and most entries, that are fetched with one statement. Measured: batches on two connections are twice as
/// fast as one stream, and small files want large ones.
const BATCH: (u64, usize) = (4 << 20, 256);

/// Files that a batch may have open for each of its entries: the file, and a directory that no other has.
const OPEN_FILES: usize = 2;

/// Most batches for each worker: the one that is being written, and those that wait to be flushed and published.
const BATCHES: usize = 4;

/// Entries of one batch, and batches at a time, so that all together take half of the files that the process may have
/// open.
fn sizes(workers: usize) -> (usize, usize) {
    let most =
        limits::open_files().map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    let (drafts, workers) = (most / 2 / OPEN_FILES, workers.max(1));
    let rows = (drafts / (2 * workers)).clamp(16, BATCH.1);
    (rows, (drafts / rows).clamp(workers, BATCHES * workers))
}

/// Most entries of a batch whose bytes come from an object store one by one.
const OBJECTS: usize = 64;

/// When restored files are flushed to the disk, so that they outlive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// The disk does not outlive it either.
    Never,
    /// Before they have their names.
    First,
    /// By whoever gets the report, with what is in it for that: until then a note stands in the upload directory.
    Behind,
}

/// Called with every file that was restored.
pub type OnRestored = Arc<dyn Fn(&UploadPath, &FileStat) + Send + Sync>;

/// Everything that a restore needs.
#[derive(Clone)]
pub struct Restore {
    pub store: Arc<dyn Store>,
    /// The object store, where one is configured: no other address is ever asked.
    pub remote: Option<Arc<dyn Remote>>,
    pub upload_dir: UploadDir,
    /// Connections to use.
    pub workers: usize,
    pub flush: Flush,
    /// How long a worker waits for a database that is away; `None`: for ever.
    pub patience: Option<Duration>,
    pub health: Arc<Health>,
    pub on_restored: OnRestored,
    /// Held for writing, it keeps any unfinished file out of the upload directory.
    pub gate: Arc<RwLock<()>>,
    /// How often the objects of these entries were asked for in vain before. They come last, so that
    /// they cannot use up the patience that others need.
    pub in_vain: HashMap<i64, u32>,
    pub shelf: Shelf,
    /// Only rows with this very content become files, by their ids; all, where none are named. An entry may
    /// have got another content since it was chosen for the one that it had.
    pub contents: Option<Arc<HashMap<i64, String>>>,
}

/// Why no plan could be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The upload directory cannot be read.
    #[error("cannot read the upload directory {path}: {source}")]
    UploadDir { path: String, source: io::Error },
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Compares the cache with the disk. `observe` sees every row of the index in passing. What a doctor
/// or a self-test has in the tables at this moment is no upload, and is left out of the plan.
///
/// # Errors
/// When the directory or the database cannot be read; a directory that is not there is empty.
pub async fn plan(
    store: &dyn Store,
    upload_dir: &UploadDir,
    observe: &mut (dyn FnMut(&IndexRow) + Send),
) -> Result<Plan, PlanError> {
    plan_for(store, upload_dir, |path| !is_scratch(path), observe).await
}

/// As [`plan`], for the entries that `counts` chooses by their paths, whatever they are.
///
/// # Errors
/// As [`plan`].
pub async fn plan_for(
    store: &dyn Store,
    upload_dir: &UploadDir,
    counts: impl Fn(&str) -> bool + Sync + Send,
    observe: &mut (dyn FnMut(&IndexRow) + Send),
) -> Result<Plan, PlanError> {
    let on_disk = on_disk(upload_dir).await?;
    let mut plan = Plan::default();
    store
        .index(&mut |row| {
            if counts(&row.original_path) {
                plan.consider(&row, |path| on_disk.contains(path));
            }
            observe(&row);
        })
        .await?;
    Ok(plan)
}

/// The files on disk.
async fn on_disk(upload_dir: &UploadDir) -> Result<Stock, PlanError> {
    let root = upload_dir.root().to_owned();
    let shown = root.display().to_string();
    tokio::task::spawn_blocking(move || walk(&root))
        .await
        .expect("walking over a directory does not panic")
        .map_err(|source| PlanError::UploadDir { path: shown, source })
}

/// The files on disk. Sweeps up what an interrupted restore has left.
fn walk(root: &std::path::Path) -> io::Result<Stock> {
    match names_swept(root) {
        Ok((names, files)) => {
            if files > 0 {
                tracing::info!(event = "swept", files, "remains of an interrupted restore removed");
            }
            Ok(names.files())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Stock::default()),
        Err(error) => Err(error),
    }
}

impl Restore {
    /// A restore of present entries from the database alone, of which nobody else need know: one connection,
    /// nothing flushed, and with patience for ever, unless that is changed.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, upload_dir: UploadDir, health: Arc<Health>) -> Self {
        Self {
            store,
            remote: None,
            upload_dir,
            workers: 1,
            flush: Flush::Never,
            patience: None,
            health,
            on_restored: Arc::new(|_, _| {}),
            gate: Arc::default(),
            in_vain: HashMap::new(),
            shelf: Shelf::Entries,
            contents: None,
        }
    }

    /// Carries a plan out.
    pub async fn act(mut self, plan: &Plan) -> Report {
        let mut report = Report::default();
        if plan.missing.is_empty() {
            return report;
        }
        if self.flush == Flush::Behind {
            report.unflushed = self.note_unflushed().await;
            if report.unflushed.is_none() {
                self.flush = Flush::First;
            }
        }
        let (rows, _) = sizes(self.workers);
        let batches = plan.batches(BATCH.0, rows).into_iter().map(<[Missing]>::to_vec).collect();
        let in_objects = self.pass(Stage::Database, batches, &mut report).await;
        // In the order of the plan again: newest first.
        let mut in_objects: Vec<Missing> = plan
            .missing
            .iter()
            .filter(|missing| in_objects.contains(&missing.id))
            .copied()
            .collect();
        in_objects.sort_by_key(|missing| self.in_vain.get(&missing.id));
        if report.stopped.is_some() {
            report.left.extend(in_objects);
        } else {
            let batches = in_objects.chunks(rows.min(OBJECTS)).map(<[Missing]>::to_vec).collect();
            self.pass(Stage::Objects, batches, &mut report).await;
        }
        report
    }

    async fn note_unflushed(&self) -> Option<Unflushed> {
        let upload_dir = self.upload_dir.clone();
        let begun = tokio::task::spawn_blocking(move || Unflushed::begin(&upload_dir)).await;
        begun.expect("making a note does not panic").ok()
    }

    /// Has workers restore all batches; returns the entries that are for the next stage.
    async fn pass(
        &self,
        stage: Stage,
        batches: VecDeque<Vec<Missing>>,
        report: &mut Report,
    ) -> HashSet<i64> {
        let batches = Arc::new(Mutex::new(batches));
        let answers = Arc::<Answers>::default();
        let (_, at_a_time) = sizes(self.workers);
        let (publisher, publishing) = match Publisher::start(self.clone(), at_a_time) {
            Ok(started) => started,
            Err(error) => {
                report.stopped = Some(Stop::UploadDir(error));
                report.left.extend(left(&batches));
                return HashSet::new();
            }
        };
        let mut workers = JoinSet::new();
        for publisher in std::iter::repeat_n(publisher, self.workers.max(1)) {
            match Worker::new(self.clone(), stage, batches.clone(), answers.clone(), publisher) {
                Ok(worker) => drop(workers.spawn(worker.run())),
                Err(error) => report.stopped = Some(Stop::UploadDir(error)),
            }
        }
        let mut in_objects = HashSet::new();
        while let Some(done) = workers.join_next().await {
            let done = done.expect("a restoring worker does not panic");
            report.merge(done.report);
            in_objects.extend(done.in_objects);
        }
        report.merge(publishing.ended().await);
        report.left.extend(left(&batches));
        in_objects
    }
}

/// Takes what no worker has taken.
fn left(batches: &Mutex<VecDeque<Vec<Missing>>>) -> Vec<Missing> {
    let mut batches = batches.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *batches).into_iter().flatten().collect()
}
