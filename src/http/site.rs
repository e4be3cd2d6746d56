//! What the pages and calls are about: the image cache, and the daemon beside it if there is one.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::cleanup::Keeping;
use crate::doctor::Patient;
use crate::http::figures::Figures;
use crate::http::gate::Gate;
use crate::model::health::Health;
use crate::model::{Entry, UploadPath};
use crate::objects::Objects;
use crate::remote::Remote;
use crate::revert::RevertError;
use crate::store::Store;
use crate::uploads::UploadDir;

/// Everything that a call may need.
pub struct Site {
    pub store: Arc<dyn Store>,
    pub figures: Figures,
    /// The object store, where one is configured.
    pub remote: Option<Arc<dyn Remote>>,
    /// The same, as this database uses it.
    pub objects: Option<Arc<Objects>>,
    pub health: Arc<Health>,
    /// The daemon, in a process that has the upload directory.
    pub guard: Option<Arc<dyn Guard>>,
    pub gate: Arc<Gate>,
    /// Where everything is: `/partners/image-cache`; no `/` at its end, may be empty.
    pub prefix: String,
    /// How long former entries are kept.
    pub keeping: Keeping,
    /// What the doctor looks over.
    pub patient: Box<dyn Fn() -> Patient + Send + Sync>,
}

/// The daemon, as far as HTTP asks it: what only a process that has the upload directory can do.
#[async_trait]
pub trait Guard: Send + Sync {
    /// The directory.
    fn upload_dir(&self) -> &UploadDir;

    /// How it stands, now.
    fn state(&self) -> GuardState;

    /// Whether it is about to make or upgrade the tables.
    fn makes_tables(&self) -> bool;

    /// Stores everything under the upload directory that is not stored yet, and waits until it is.
    ///
    /// # Errors
    /// For people: why the directory cannot be read.
    async fn cache_all(&self) -> Result<Tally, String>;

    /// Stores these files anew, whether or not they are stored: what is stored may be damaged.
    ///
    /// # Errors
    /// For people.
    async fn cache_again(&self, paths: &[UploadPath]) -> Result<Tally, String>;

    /// Puts missing files back: those of these entries, or all.
    ///
    /// # Errors
    /// For people: why no plan could be made.
    async fn restore(&self, ids: Option<&[i64]>) -> Result<Restored, String>;

    /// Makes a version the present content of its path; the entry that has it now.
    ///
    /// # Errors
    /// See [`RevertError`].
    async fn revert(&self, path: &UploadPath, version: i64) -> Result<Entry, RevertError>;

    /// Waits until every file that was closed before this call is safe, at most for `limit`.
    async fn flush(&self, limit: Duration) -> Flushed;
}

/// How the daemon stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuardState {
    /// Files that are seen and not yet safe.
    pub unsaved: usize,
    /// For how long the oldest of them has been so.
    pub oldest_unsaved: Option<Duration>,
    /// Files to restore; `None` before there is a plan.
    pub restore_planned: Option<u64>,
    /// How many of them are there.
    pub restore_done: u64,
    pub restore_finished: bool,
}

/// How many files became what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub cached: u64,
    pub unchanged: u64,
    pub skipped: u64,
    pub failed: u64,
    /// Some of the files that failed.
    pub examples: Vec<String>,
}

/// What a restore has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    pub restored: u64,
    pub bytes: u64,
    pub present: u64,
    pub damaged: u64,
    pub refused: u64,
    pub without_data: u64,
    /// Not restored, since the disk is full or a store is away.
    pub left: u64,
    /// Why they are left.
    pub stopped: Option<String>,
}

/// What a flush has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Files that were waited for and are safe now.
    pub safe: u64,
    /// Files that are not.
    pub unsaved: u64,
    /// Some of those.
    pub examples: Vec<UploadPath>,
    /// There may be more files than these that are not safe, and why.
    pub unsure: Option<String>,
}

impl Flushed {
    /// Whether every file that was closed before the flush is safe: the one thing to ask.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.unsaved == 0 && self.unsure.is_none()
    }
}
