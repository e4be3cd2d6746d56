//! The daemon: capture, restore, watcher and scans wired together, from the start to the last file.
//!
//! `run` puts an app beside it, `watch` runs it alone; the order of things is the same and is here.

mod earlier;
pub mod faces;
mod flush;
mod guard;
mod keeper;
mod last_look;
mod objects;
mod state_file;
pub mod summary;
mod unfinished;
mod verifying;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{MutexGuard, RwLock, watch};
use tokio::task::JoinHandle;

pub use guard::Guarding;
pub use keeper::Keeper;
pub use state_file::{State, VerifyState};

use crate::capture::intake::{Hearing, Intake};
use crate::capture::scan::Scanner;
use crate::capture::{Capture, CaptureDied, Deadline, Drained};
use crate::cli::context::Context;
use crate::cli::exit::Failure;
use crate::daemon::earlier::Earlier;
use crate::daemon::last_look::last_look;
use crate::daemon::unfinished::Unfinished;
use crate::deletes::{self, Deletes};
use crate::model::Digest;
use crate::model::health::Counters;
use crate::model::plan::Plan;
use crate::restore::{self, PlanError, Report, Restore, torn};
use crate::settings::database_place;
use crate::uploads::UploadDir;

/// How far the restore at start has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreProgress {
    /// Files to restore; `None` before there is a plan.
    pub planned: Option<u64>,
    /// Files that earlier restores of this process have brought back.
    pub before: u64,
    pub finished: bool,
}

impl RestoreProgress {
    /// Files that this restore has brought back.
    #[must_use]
    pub fn restored(&self, counters: &Counters) -> u64 {
        Counters::get(&counters.restored_files).saturating_sub(self.before)
    }
}

/// What the parts of the daemon share.
pub struct Parts {
    pub context: Context,
    pub upload_dir: UploadDir,
    pub capture: std::sync::Mutex<Option<Capture>>,
    pub scanner: Scanner,
    /// Held for writing while the app is started: no unfinished file stands in the upload directory.
    pub gate: Arc<RwLock<()>>,
    pub progress: watch::Sender<RestoreProgress>,
    earlier: std::sync::Mutex<Earlier>,
    /// Whom to ask whether everything was heard, once there is a watch.
    pub hearing: OnceLock<Hearing>,
    /// One restore at a time.
    restores: tokio::sync::Mutex<()>,
    /// Restores that somebody has asked for while the daemon ran, and that have stopped before their end.
    unfinished: watch::Sender<Option<Unfinished>>,
}

/// A running daemon.
pub struct Daemon {
    pub parts: Arc<Parts>,
    intake: Option<Arc<Intake>>,
    keeper: Option<JoinHandle<()>>,
    /// Follows what the app deletes, where that is wanted.
    deletes: Option<JoinHandle<()>>,
    summary: JoinHandle<()>,
}

/// The end of a daemon.
#[derive(Debug)]
pub struct Farewell {
    /// Files that became safe during the drain.
    pub saved: u64,
    pub took: Duration,
    /// There may be files that are not safe and that nobody has noticed, and why.
    pub unsure: Option<&'static str>,
    pub outcome: Result<Drained, CaptureDied>,
}

impl Daemon {
    /// Starts what captures files; nothing is watched yet, and nothing is stored before
    /// [`Parts::store_is_ready`].
    pub fn start(context: Context, upload_dir: UploadDir) -> Result<Self, Failure> {
        let capture = Capture::start(
            upload_dir.clone(),
            context.store.clone(),
            context.objects.clone(),
            context.capture_options(),
            crate::model::Index::default(),
            context.health.clone(),
        )?;
        capture.hold();
        let parts = Arc::new(Parts {
            scanner: capture.scanner(),
            context,
            upload_dir,
            capture: std::sync::Mutex::new(Some(capture)),
            gate: Arc::default(),
            progress: watch::Sender::new(RestoreProgress::default()),
            earlier: std::sync::Mutex::default(),
            hearing: OnceLock::new(),
            restores: tokio::sync::Mutex::default(),
            unfinished: watch::Sender::new(None),
        });
        let summary = tokio::spawn(summary::run(parts.clone()));
        Ok(Self { parts, intake: None, keeper: None, deletes: None, summary })
    }

    /// Sets the watch. What is written into the upload directory from then on is noticed.
    pub fn watch(&mut self) -> Result<(), Failure> {
        let root = self.parts.upload_dir.root().to_owned();
        let health = self.parts.context.health.clone();
        let deletes = self.parts.deletes();
        let listener = deletes.as_ref().map(Deletes::listener);
        let intake = Intake::start(root, self.parts.scanner.clone(), health, listener)?;
        self.deletes = deletes.map(|deletes| tokio::spawn(deletes.run()));
        // It is set once: there is one watch for a daemon's life.
        let _ = self.parts.hearing.set(intake.hearing());
        self.intake = Some(Arc::new(intake));
        Ok(())
    }

    /// Begins the scans, and whatever of the start has not been done: waiting for the database,
    /// restoring.
    pub fn keep(&mut self, begun: Begun) {
        let intake = self.intake.clone();
        let keeper = Keeper::new(self.parts.clone(), intake, begun);
        self.keeper = Some(tokio::spawn(keeper.run()));
    }

    /// Whether every part runs; a part that has ended has panicked.
    pub fn check(&self) -> Result<(), CaptureDied> {
        let ended = |task: &JoinHandle<()>| task.is_finished();
        let intake_ended = self.intake.as_ref().is_some_and(|intake| !intake.is_alive());
        let any_ended = [&self.keeper, &self.deletes].into_iter().flatten().any(ended);
        if intake_ended || ended(&self.summary) || any_ended {
            return Err(CaptureDied);
        }
        self.parts.with_capture(Capture::check).unwrap_or(Ok(()))
    }

    /// Ends: stops the watch, looks over the disk a last time, and waits until everything is safe,
    /// at the latest until the deadline.
    pub async fn finish(mut self, deadline: &Deadline) -> Farewell {
        let began = Instant::now();
        let parts = self.parts.clone();
        let saved = || Counters::get(&parts.context.health.counters.captured_files);
        let before = saved();
        let index_is_known = parts.progress.borrow().planned.is_some();
        // What vanishes from now on, or has just vanished, is kept: at a stop a disk may be wiped.
        for task in [self.deletes.take(), self.keeper.take()].into_iter().flatten() {
            task.abort();
            // It was aborted: that is what this tells.
            let _ = task.await;
        }
        let preparing = tokio::spawn(parts.clone().prepare_at_last(deadline.moment()));
        let looked = last_look(&parts, self.intake.take(), index_is_known, deadline).await;
        if parts.is_hopeless() {
            // The platform and whoever waits for it are spared the rest of the time.
            deadline.bring_forward(Instant::now());
        }
        let outcome = match parts.take_capture() {
            Some(capture) => capture.drain(deadline).await,
            None => Err(CaptureDied),
        };
        preparing.abort();
        self.summary.abort();
        state_file::remove(&parts);
        Farewell { saved: saved() - before, took: began.elapsed(), unsure: looked.err(), outcome }
    }
}

/// How far the start had come when the scans began.
#[derive(Default)]
pub struct Begun {
    /// The tables are there.
    pub store_ready: bool,
    /// The restore that goes on behind the app.
    pub restore: Option<JoinHandle<RestoreOutcome>>,
    /// The restore was done before.
    pub restored: bool,
    /// Nothing is to be restored: only what the cache holds has to be learned.
    pub learn_only: bool,
}

/// What came of a restore at start.
pub type RestoreOutcome = Result<Report, PlanError>;

impl Parts {
    /// Gives the capture to `f`, as long as it runs.
    pub fn with_capture<T>(&self, f: impl FnOnce(&mut Capture) -> T) -> Option<T> {
        self.capture.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_mut().map(f)
    }

    fn take_capture(&self) -> Option<Capture> {
        self.capture.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// The tables are there: what waits may be stored.
    pub fn store_is_ready(&self) {
        self.scanner.release();
    }

    /// At the end of a daemon that never came to see its database: uploads wait for the tables.
    async fn prepare_at_last(self: Arc<Self>, deadline: Instant) {
        while self.scanner.is_held() && Instant::now() < deadline {
            match self.context.wait_for_store(deadline).await {
                Ok(()) => self.store_is_ready(),
                // It needs a person, and one may be at it.
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Restores what is missing, and learns on the way what the cache holds.
    pub async fn restore(self: Arc<Self>) -> RestoreOutcome {
        let turn = self.restores.lock().await;
        self.restore_with(self.restoring(), turn).await.map(|(_, report)| report)
    }

    /// As [`Parts::restore`], in this way; tells the plan as well.
    async fn restore_with(
        &self,
        restoring: Restore,
        _turn: MutexGuard<'_, ()>,
    ) -> Result<(Plan, Report), PlanError> {
        let began = Instant::now();
        let remains = torn::remove(self.context.store.as_ref(), &self.upload_dir).await?;
        let mut plan = self.plan().await?;
        let planned = plan.missing.len() as u64;
        let before = Counters::get(&self.context.health.counters.restored_files);
        let progress = RestoreProgress { planned: Some(planned), before, finished: false };
        self.progress.send_replace(progress);
        let mut report = restoring.act(&plan).await;
        // One flush covers both; the other's lock would keep it from removing the note.
        flush::behind(report.unflushed.take().or(remains.unflushed));
        self.earlier().note(&mut plan, &mut report);
        summary::tell_restore(&plan, &report, began.elapsed());
        let finished = report.left.is_empty();
        let stopped = report.stopped.as_ref().filter(|_| !finished).map(|stop| {
            let left = report.left.len();
            let (files, are) = if left == 1 { ("file", "is") } else { ("files", "are") };
            format!("{left} {files} that the cache holds {are} not on disk yet: {stop}")
        });
        self.context.health.set_restore_stopped(stopped);
        self.progress.send_replace(RestoreProgress { finished, ..progress });
        Ok((plan, report))
    }

    /// As [`Parts::restore`], and tries again for as long as the database cannot say what to restore.
    pub async fn restore_at_last(self: Arc<Self>) -> RestoreOutcome {
        loop {
            match self.clone().restore().await {
                Err(PlanError::Store(error)) if error.is_temporary() => {
                    let reason = error.to_string();
                    if !self.context.health.set_database_away(Some(reason.clone())) {
                        tracing::warn!(event = "database_away", reason, "waiting to restore");
                    }
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                done => {
                    self.scanner.note_database_back();
                    return done;
                }
            }
        }
    }

    /// Learns what the cache holds, without restoring anything but what was torn.
    pub async fn learn(&self) -> Result<(), PlanError> {
        let began = Instant::now();
        let remains = torn::remove(self.context.store.as_ref(), &self.upload_dir).await?;
        self.context.store.index(&mut |row| self.scanner.note_stored(&row)).await?;
        let mut unflushed = remains.unflushed;
        if !remains.torn.missing.is_empty() {
            let mut report = self.restoring().act(&remains.torn).await;
            unflushed = report.unflushed.take().or(unflushed);
            summary::tell_restore(&remains.torn, &report, began.elapsed());
        }
        flush::behind(unflushed);
        let progress = RestoreProgress { planned: Some(0), before: 0, finished: true };
        self.progress.send_replace(progress);
        Ok(())
    }

    async fn plan(&self) -> Result<Plan, PlanError> {
        let store = self.context.store.as_ref();
        restore::plan(store, &self.upload_dir, &mut |row| self.scanner.note_stored(row)).await
    }

    /// What follows deletes, where they are to count.
    fn deletes(&self) -> Option<Deletes> {
        let settings = &self.context.settings;
        let database = database_place(&settings.database.target);
        let options = deletes::Options {
            grace: settings.deletes.grace,
            brake: settings.deletes.brake,
            // A digest: in the upload directory the whole world may be able to read it.
            identity: Digest::of(database.as_bytes()).to_string(),
        };
        settings.deletes.follows_the_app().then(|| {
            Deletes::new(
                options,
                self.upload_dir.clone(),
                self.context.store.clone(),
                self.scanner.clone(),
                self.context.health.clone(),
            )
        })
    }

    /// How files are restored, so that scans know of it.
    fn restoring(&self) -> Restore {
        let scanner = self.scanner.clone();
        Restore {
            patience: None,
            on_restored: Arc::new(move |path, stat| scanner.note_restored(path, stat)),
            gate: self.gate.clone(),
            in_vain: self.earlier().in_vain.clone(),
            ..self.context.restoring_at_start(self.upload_dir.clone())
        }
    }

    fn earlier(&self) -> std::sync::MutexGuard<'_, Earlier> {
        self.earlier.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Scans a part of the upload directory, and tells what cannot be scanned.
    pub fn scan_and_tell(&self, beneath: &str) -> Option<crate::capture::scan::Scanned> {
        match self.scanner.scan(beneath) {
            Ok(scanned) => {
                let (found, unchanged) = (scanned.found, scanned.unchanged);
                tracing::debug!(event = "scan_finished", found, unchanged, "scanned");
                Some(scanned)
            }
            Err(error) => {
                let root = self.upload_dir.root().display().to_string();
                self.scanner.tell_once(&root, &format!("cannot be scanned: {error}"));
                None
            }
        }
    }
}
