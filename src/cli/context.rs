//! What every command needs: the settings, and the parts that are made from them.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::capture::{Capture, Options};
use crate::cleanup::Keeping;
use crate::cli::exit::Failure;
use crate::daemon::State;
use crate::doctor::{self, Patient, Place};
use crate::model::Index;
use crate::model::health::Health;
use crate::model::places::{Large, Places};
use crate::model::recent_lines::RecentLines;
use crate::model::settle::Rules;
use crate::objects::Objects;
use crate::process::Platform;
use crate::remote::{self, Remote};
use crate::restore::{Flush, Restore};
use crate::settings::{
    Durable, LargeFiles, RemoteFiles, Settings, check_upload_dir, database_place,
};
use crate::store::{self, Store, StoreError, Trouble};
use crate::uploads::{Disk, UploadDir};

/// The first wait for a database that does not answer yet, and the longest.
const DATABASE_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// How long a call waits for a connection, at least and at most.
const ACQUIRE: (Duration, Duration) = (Duration::from_millis(700), Duration::from_secs(10));

fn open_store(settings: &Settings, connections: u32) -> Result<Arc<dyn Store>, Failure> {
    let options = store::Options {
        connections,
        // Shorter than the wait itself: the pool tells why it has no connection only at the end.
        acquire_timeout: settings.database_wait.mul_f64(0.7).clamp(ACQUIRE.0, ACQUIRE.1),
        call_timeout: settings.database_timeout,
        versions: if settings.keep_versions.is_zero() { 0 } else { settings.most_versions },
    };
    Ok(store::open(&settings.database.target, &options)?)
}

/// The settings and what is made from them. Opening it connects to nothing.
#[derive(Clone)]
pub struct Context {
    pub settings: Arc<Settings>,
    pub store: Arc<dyn Store>,
    /// The object store, where one is configured.
    pub remote: Option<Arc<dyn Remote>>,
    /// The same, as this database uses it.
    pub objects: Option<Arc<Objects>>,
    pub health: Arc<Health>,
    pub platform: Option<Platform>,
}

impl Context {
    /// Makes the parts.
    pub fn new(settings: Settings, recent: Arc<RecentLines>) -> Result<Self, Failure> {
        let store = open_store(&settings, settings.database_connections)?;
        let remote = settings.remote.store.as_ref().map(remote::open).transpose()?;
        let objects = remote.clone().map(|remote| {
            let database = database_place(&settings.database.target);
            Arc::new(Objects::new(remote, store.clone(), database, settings.remote.remove_objects))
        });
        let platform = Platform::detect(|name| std::env::var(name).ok());
        let (settings, health) = (Arc::new(settings), Arc::new(Health::new(recent)));
        Ok(Self { settings, store, remote, objects, health, platform })
    }

    /// Another way to the same database, over one connection: who uses it takes none from the others.
    pub fn store_beside(&self) -> Result<Arc<dyn Store>, Failure> {
        open_store(&self.settings, 1)
    }

    /// How long former entries are kept.
    #[must_use]
    pub fn keeping(&self) -> Keeping {
        Keeping { versions: self.settings.keep_versions, trash: self.settings.deletes.keep }
    }

    /// Tells with what the program has started.
    pub fn tell_started(&self, command: &str, upload_dir: &UploadDir) {
        for note in &self.settings.database.notes {
            tracing::info!(event = "database_url", "{note}");
        }
        for note in &self.settings.remote.notes {
            tracing::info!(event = "object_store", "{note}");
        }
        if let Some(remote) = &self.remote {
            for warning in remote.warnings() {
                tracing::warn!(event = "object_store", "{warning}");
            }
            let place = remote.describe();
            tracing::info!(event = "object_store", place, "payloads may go to an object store");
        }
        tracing::info!(
            event = "started",
            version = env!("CARGO_PKG_VERSION"),
            command,
            upload_dir = %upload_dir.root().display(),
            database = self.store.product(),
            platform = self.platform.as_ref().map_or("", |platform| platform.name),
            "guarding {}",
            upload_dir.root().display()
        );
    }

    /// The upload directory, checked: one that cannot be meant is refused.
    pub fn upload_dir(&self) -> Result<UploadDir, Failure> {
        let home = std::env::home_dir();
        let root = check_upload_dir(
            &self.settings.upload_dir,
            self.settings.allow_any_upload_dir,
            &std::env::current_dir()?,
            home.as_deref(),
        )?;
        Ok(UploadDir::new(root))
    }

    /// As [`Context::upload_dir`], and makes the directory when it is missing.
    pub fn made_upload_dir(&self) -> Result<UploadDir, Failure> {
        let upload_dir = self.upload_dir()?;
        upload_dir.make().map_err(|error| {
            Failure::other(format!(
                "cannot make the upload directory {}: {error}; make it, or set \
                 IMAGECACHED_UPLOAD_DIR to a directory that this user may write",
                upload_dir.root().display()
            ))
        })?;
        Ok(upload_dir)
    }

    /// What the doctor looks over, as it is at each call.
    pub fn patients(&self) -> Result<impl Fn() -> Patient + Send + Sync + use<>, Failure> {
        let context = self.clone();
        let (working_dir, home) = (std::env::current_dir()?, std::env::home_dir());
        Ok(move || context.patient(&working_dir, home.as_deref()))
    }

    fn patient(&self, working_dir: &Path, home: Option<&Path>) -> Patient {
        let settings = &self.settings;
        let allow_any = settings.allow_any_upload_dir;
        let upload_dir = check_upload_dir(&settings.upload_dir, allow_any, working_dir, home)
            .map(UploadDir::new);
        let daemon =
            upload_dir.as_ref().ok().and_then(|dir| State::read(&settings.state_dir, dir.root()));
        let upload_dir = match upload_dir {
            Ok(upload_dir) => Place::Here(upload_dir),
            Err(error) => Place::Refused(error),
        };
        Patient {
            settings: settings.clone(),
            store: self.store.clone(),
            remote: self.remote.clone(),
            objects: self.objects.clone(),
            upload_dir,
            platform: self.platform.clone(),
            daemon: daemon.map(|state| doctor::Daemon {
                pid: state.pid,
                unsaved: state.unsaved,
                watcher: state.watcher,
                database_away: state.database_away,
                restore_finished: state.restore_finished,
                restore_stopped: state.restore_stopped,
                damaged_entries: state.damaged_entries,
                not_mended: state.verify.as_ref().map_or(0, |verify| verify.not_mended),
                damaged_versions: state.verify.map_or(0, |verify| verify.damaged_versions),
                last_errors: state.last_errors,
            }),
        }
    }

    /// How files are captured.
    pub fn capture_options(&self) -> Options {
        let settings = &self.settings;
        Options {
            patterns: settings.patterns.clone(),
            owner: None,
            rewrite: false,
            rules: Rules { quiet: settings.quiet, held_open: settings.held_open },
            places: Places {
                inline_limit: settings.inline_limit.0,
                large: match settings.remote.large_files {
                    LargeFiles::Chunks => Large::Chunks,
                    LargeFiles::Remote => Large::Remote,
                    LargeFiles::Skip => Large::Skip,
                },
                all_remote: settings.remote.files == RemoteFiles::All,
            },
            bytes_in_flight: settings.bytes_in_flight.0,
            backlog_rate: settings.backlog_rate.map(|rate| rate.0),
            readers: settings.readers as usize,
            writers: settings.database_connections as usize,
        }
    }

    /// A capture that knows of no entry, and so reads every file that it is told of.
    pub fn capture(&self, upload_dir: &UploadDir) -> Result<Capture, Failure> {
        Ok(Capture::start(
            upload_dir.clone(),
            self.store.clone(),
            self.objects.clone(),
            self.capture_options(),
            Index::default(),
            self.health.clone(),
        )?)
    }

    /// A restore into this directory, of which nobody else need know. What it restores is flushed before it has a
    /// name, where it is flushed at all.
    pub fn restoring(&self, upload_dir: UploadDir) -> Restore {
        Restore {
            remote: self.remote.clone(),
            workers: self.settings.database_connections as usize,
            flush: if self.flush(&upload_dir) == Flush::Never {
                Flush::Never
            } else {
                Flush::First
            },
            patience: Some(self.settings.database_wait),
            ..Restore::new(self.store.clone(), upload_dir, self.health.clone())
        }
    }

    /// A restore at a start, into the upload directory, where the next one will look after what was not flushed.
    pub fn restoring_at_start(&self, upload_dir: UploadDir) -> Restore {
        Restore { flush: self.flush(&upload_dir), ..self.restoring(upload_dir) }
    }

    /// When files are flushed that are restored into this directory at a start.
    fn flush(&self, upload_dir: &UploadDir) -> Flush {
        match self.settings.durable {
            Durable::Always => Flush::First,
            Durable::Never => Flush::Never,
            Durable::Auto => {
                let disk = Disk::under(upload_dir.root());
                let by_platform = self.platform.as_ref().and_then(|p| p.ephemeral_disk);
                let by_disk = || disk.as_ref().is_ok_and(Disk::is_ephemeral);
                match by_platform.unwrap_or_else(by_disk) {
                    true => Flush::Never,
                    false if disk.is_ok_and(|disk| disk.keeps_room()) => Flush::Behind,
                    false => Flush::First,
                }
            }
        }
    }

    /// Creates or checks the tables: once, without waiting.
    pub async fn prepare_store(&self) -> Result<(), StoreError> {
        let prepared = self.try_prepare_store().await;
        let newer = matches!(&prepared, Err(error) if error.trouble == Trouble::Newer);
        self.health.set_tables_are_newer(newer);
        prepared
    }

    async fn try_prepare_store(&self) -> Result<(), StoreError> {
        if !self.settings.migrate {
            return self.store.check().await;
        }
        let (before, after) = self.store.migrate().await?;
        if before != after {
            let product = self.store.product();
            tracing::info!(event = "migrated", product, before, after, "tables are up to date");
        }
        Ok(())
    }

    /// As [`Context::prepare_store`], and waits for a database that does not answer yet, at the
    /// latest until `deadline`.
    pub async fn wait_for_store(&self, deadline: Instant) -> Result<(), StoreError> {
        let mut wait = DATABASE_RETRY.0;
        let mut last = None;
        loop {
            let error = match tokio::time::timeout_at(deadline.into(), self.prepare_store()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                // What an earlier try was told says more.
                Err(_) => return Err(last.unwrap_or_else(|| self.no_answer())),
            };
            // The others need a person, who will not come within seconds.
            let may_pass = matches!(error.trouble, Trouble::Away | Trouble::Busy | Trouble::Other);
            if !may_pass || Instant::now() + wait >= deadline {
                return Err(error);
            }
            last = Some(error);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(DATABASE_RETRY.1);
        }
    }

    fn no_answer(&self) -> StoreError {
        StoreError {
            operation: format!("connect to {}", self.store.product()),
            trouble: Trouble::Away,
            cause: "no answer in time".into(),
            cure: Some(
                "check that the database runs and that DATABASE_URL names it, or raise \
                 database_wait"
                    .into(),
            ),
        }
    }

    /// As [`Context::wait_for_store`], for as long as the settings say.
    pub async fn ready_store(&self) -> Result<(), Failure> {
        let deadline = Instant::now() + self.settings.database_wait.max(Duration::from_secs(1));
        Ok(self.wait_for_store(deadline).await?)
    }
}
