//! The self-test: a round trip through the real database. Files are captured from a directory of the
//! test's own, wiped, restored and compared; then everything is taken away again.
//!
//! The entries stand in the real tables, beneath a prefix of their own, so that what is tried is what
//! works or fails in earnest. No other entry is touched, and the upload directory not at all.

mod sample;
mod scratch;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::capture::intake::Intake;
use crate::capture::{Capture, Deadline, Options};
use crate::model::health::{Counters, Health, Watcher};
use crate::model::places::{Large, Places};
use crate::model::{ByteSize, Index, Patterns, UploadPath};
use crate::restore::{self, Flush, Restore};
use crate::store::{Store, StoreError};
use crate::uploads::UploadDir;

use sample::Sample;
use scratch::Scratch;

/// Above this, files around the inline limit would take too long: a lower limit is tried instead.
const MOST_INLINE: u64 = 8 << 20;

/// The inline limit that is tried then.
const LOWER_INLINE: u64 = 1 << 20;

/// How long one file may take to become safe. Slow networks stay below this.
const PATIENCE: Duration = Duration::from_secs(60);

/// As long is waited for the end of a commit that was given up.
const LATE_COMMIT: Duration = Duration::from_millis(500);

/// How often is looked whether a file is safe.
const TICK: Duration = Duration::from_millis(1);

/// A step that has been done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What was done, in the past.
    pub what: String,
    pub took: Duration,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9}  {}", in_ms(self.took), self.what)
    }
}

/// Why the test has failed: at which step, how, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {why}; {cure}")]
pub struct SelfTestError {
    pub step: &'static str,
    pub why: String,
    pub cure: String,
}

impl SelfTestError {
    fn new(step: &'static str, why: impl fmt::Display, cure: &str) -> Self {
        Self { step, why: why.to_string(), cure: cure.to_owned() }
    }
}

/// What a test needs.
pub struct SelfTest {
    pub store: Arc<dyn Store>,
    /// How files are captured in earnest.
    pub capture: Options,
    /// When restored files are flushed to the disk.
    pub flush: Flush,
    scratch: Scratch,
    health: Arc<Health>,
    /// Nothing is written into the database any more.
    captured: AtomicBool,
}

impl SelfTest {
    /// Makes the directory of the test among the temporary ones.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(
        store: Arc<dyn Store>,
        capture: Options,
        flush: Flush,
    ) -> Result<Self, SelfTestError> {
        let inline_limit = match capture.places.inline_limit {
            limit if limit <= MOST_INLINE => limit,
            _ => LOWER_INLINE,
        };
        // The default patterns leave the names of a self-test out, for the daemons' sake.
        let patterns = Patterns::new(&[], &[]).expect("no pattern is sound");
        // The object store is the doctor's matter: what is tested here is the database.
        let places = Places { inline_limit, large: Large::Chunks, all_remote: false };
        let capture = Options { places, patterns, ..capture };
        let scratch = Scratch::make().map_err(|error| {
            let place = std::env::temp_dir();
            let why = format!("no directory can be made in {}: {error}", place.display());
            SelfTestError::new("prepare", why, "set TMPDIR to a directory that can be written")
        })?;
        Ok(Self {
            store,
            capture,
            flush,
            scratch,
            health: Arc::default(),
            captured: AtomicBool::new(false),
        })
    }

    /// Goes through all steps and tells each when it is done. Follow it by [`SelfTest::clean_up`],
    /// whatever comes of it, also when it was given up half-way.
    ///
    /// # Errors
    /// The first step that fails.
    pub async fn run(&self, tell: &mut (dyn FnMut(Step) + Send)) -> Result<(), SelfTestError> {
        let mut samples = sample::all(self.scratch.prefix(), self.capture.places.inline_limit);
        let bytes: u64 = samples.iter().map(|sample| sample.bytes.len() as u64).sum();
        let files = samples.len();

        let began = Instant::now();
        let waits = self.capture(&mut samples).await?;
        let how = match self.health.watcher() {
            Watcher::Watching => "seen by the watcher",
            _ => "found by scanning: the watcher cannot work here, see `imagecached doctor`",
        };
        tell(Step {
            what: format!("captured {files} files ({}), {how}", ByteSize(bytes)),
            took: began.elapsed(),
        });
        let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
        let what = format!(
            "from close to safe: {} in the median, {} at most",
            in_ms(median),
            in_ms(longest)
        );
        tell(Step { what, took: longest });

        let began = Instant::now();
        self.scratch.wipe().map_err(|error| local("wipe", &error))?;
        tell(Step { what: "wiped the directory".into(), took: began.elapsed() });

        let began = Instant::now();
        self.restore(files as u64).await?;
        tell(Step { what: format!("restored {files} files"), took: began.elapsed() });

        let began = Instant::now();
        for sample in &samples {
            sample.compare(self.scratch.root()).map_err(|why| {
                let cure = "the database gives back what it was not given: do not trust it with \
                            uploads, and report this with the version that doctor shows";
                SelfTestError::new("compare", why, cure)
            })?;
        }
        tell(Step { what: "compared bytes, mtimes and modes".into(), took: began.elapsed() });
        Ok(())
    }

    /// Writes the samples one after another while the watch stands. Returns how long each took from
    /// its close until it was safe, shortest first.
    async fn capture(&self, samples: &mut [Sample]) -> Result<Vec<Duration>, SelfTestError> {
        let step = "capture";
        self.scratch.wipe().map_err(|error| local(step, &error))?;
        let mut capture = Capture::start(
            self.upload_dir(),
            self.store.clone(),
            None,
            self.capture.clone(),
            Index::default(),
            self.health.clone(),
        )
        .map_err(|error| local(step, &error))?;
        let scanner = capture.scanner();
        let root = self.scratch.root().to_owned();
        let intake = Intake::start(root, scanner.clone(), self.health.clone(), None)
            .map_err(|error| local(step, &error))?;
        let counters = &self.health.counters;
        let mut waits = Vec::new();
        for (number, sample) in (1..).zip(samples) {
            sample.write(self.scratch.root()).map_err(|error| local(step, &error))?;
            let closed = Instant::now();
            if self.health.watcher() != Watcher::Watching {
                scanner.scan("").map_err(|error| local(step, &error))?;
            }
            while Counters::get(&counters.captured_files) < number {
                if closed.elapsed() > PATIENCE || capture.check().is_err() {
                    return Err(self.not_safe(sample));
                }
                tokio::time::sleep(TICK).await;
            }
            waits.push(closed.elapsed());
        }
        let _ = tokio::task::spawn_blocking(move || intake.stop()).await;
        let drained = capture.drain(&Deadline::at(Instant::now() + PATIENCE)).await;
        drained.map_err(|error| SelfTestError::new(step, error, "report this"))?;
        self.captured.store(true, Relaxed);
        waits.sort();
        Ok(waits)
    }

    fn not_safe(&self, sample: &Sample) -> SelfTestError {
        let told = self.health.last_errors().pop().map(|error| error.text);
        let why = format!("{:?} has not become safe in {} s", sample.path, PATIENCE.as_secs());
        match self.health.database_away().or(told) {
            Some(reason) => SelfTestError::new("capture", format!("{why}: {reason}"), DOCTOR),
            None => SelfTestError::new("capture", format!("{why}: nothing noticed it"), DOCTOR),
        }
    }

    async fn restore(&self, files: u64) -> Result<(), SelfTestError> {
        let step = "restore";
        let upload_dir = self.upload_dir();
        let store = self.store.as_ref();
        let ours = |path: &str| self.scratch.owns(path);
        let plan = restore::plan_for(store, &upload_dir, ours, &mut |_| {})
            .await
            .map_err(|error| SelfTestError::new(step, error, DOCTOR))?;
        if plan.missing.len() as u64 != files {
            let why = format!("{} of {files} files are in the database", plan.missing.len());
            return Err(SelfTestError::new(step, why, DOCTOR));
        }
        let restoring = Restore {
            workers: self.capture.writers,
            flush: self.flush,
            patience: Some(PATIENCE),
            ..Restore::new(self.store.clone(), upload_dir, self.health.clone())
        };
        let report = restoring.act(&plan).await;
        if report.restored == files {
            return Ok(());
        }
        let damaged = report.damaged_examples.iter().map(ToString::to_string);
        let failed = report.failed_examples.iter().map(|(path, why)| format!("{path:?}: {why}"));
        let stopped = report.stopped.iter().map(ToString::to_string);
        let reasons: Vec<_> = damaged.chain(failed).chain(stopped).take(3).collect();
        let why = format!("{} of {files} came back: {}", report.restored, reasons.join("; "));
        Err(SelfTestError::new(step, why, DOCTOR))
    }

    /// Removes the test's entries and its directory, and what a self-test that was interrupted more
    /// than a day ago has left in the database.
    ///
    /// # Errors
    /// When the entries cannot be removed; the error has the statement that does.
    pub async fn clean_up(&self) -> Result<Step, SelfTestError> {
        let began = Instant::now();
        let directory = self.scratch.remove();
        let failed = |why: &dyn fmt::Display| {
            let cure = format!(
                "once the database answers: DELETE FROM image_cache WHERE original_path LIKE '{}/%';",
                self.scratch.prefix()
            );
            SelfTestError::new("clean up", why, &cure)
        };
        let removing = tokio::time::timeout(PATIENCE, async {
            let mut removed = self.remove_entries().await?;
            if !self.captured.load(Relaxed) {
                // A commit that was under way when the test was given up may end only now.
                tokio::time::sleep(LATE_COMMIT).await;
                removed += self.remove_entries().await?;
            }
            Ok::<_, StoreError>(removed)
        });
        let removed = removing.await.map_err(|_| failed(&"the database does not answer"))?;
        let removed = removed.map_err(|error| failed(&error))?;
        directory.map_err(|error| local("clean up", &error))?;
        Ok(Step { what: format!("removed {removed} entries"), took: began.elapsed() })
    }

    async fn remove_entries(&self) -> Result<u64, StoreError> {
        let mut ids = Vec::new();
        self.store
            .index(&mut |row| {
                let path = &row.original_path;
                let forgotten = row.access_is_old && crate::model::scratch::is_scratch(path);
                if self.scratch.owns(path) || forgotten {
                    ids.push(row.id);
                }
            })
            .await?;
        self.store.remove(&ids).await
    }

    fn upload_dir(&self) -> UploadDir {
        UploadDir::new(self.scratch.root().to_owned())
    }
}

const DOCTOR: &str = "`imagecached doctor` looks for the reason";

fn local(step: &'static str, error: &std::io::Error) -> SelfTestError {
    let why = format!("the temporary directory cannot be used: {error}");
    SelfTestError::new(step, why, "set TMPDIR to a directory that can be written")
}

fn in_ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}

/// The name of a file beneath the prefix of a test.
fn path_beneath(prefix: &str, name: &str) -> UploadPath {
    UploadPath::parse(&format!("{prefix}/{name}")).expect("the samples have sound names")
}
