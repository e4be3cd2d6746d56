//! What goes wrong while capturing: counted, kept for the status, and told without filling the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::capture::Shared;
use crate::model::health::Counters;
use crate::model::log_limit::{LogLimit, Suppressed};
use crate::model::{Timestamp, UploadPath};
use crate::store::StoreError;

/// The gaps between lines about files that fail, and between lines about a database that comes and
/// goes: at most some sixty lines an hour for each.
const GAPS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// As many files that are left out are told as warnings.
const TOLD_ALOUD: u64 = 50;

/// How often each kind of trouble is told.
#[derive(Debug)]
pub struct Limits {
    failures: Mutex<LogLimit>,
    database: Mutex<LogLimit>,
    objects: Mutex<LogLimit>,
    returns: Mutex<LogLimit>,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = || Mutex::new(LogLimit::new(GAPS.0, GAPS.1));
        Self { failures: limit(), database: limit(), objects: limit(), returns: limit() }
    }
}

fn allow(limit: &Mutex<LogLimit>) -> Option<Suppressed> {
    limit.lock().unwrap_or_else(PoisonError::into_inner).allow(Instant::now())
}

/// A file cannot be read, or the database refuses it. It will be tried again.
pub fn file_failed(shared: &Shared, path: &UploadPath, reason: &str) {
    Counters::add(&shared.health.counters.failures, 1);
    shared.health.note_error(now(), format!("{path}: {reason}"));
    if let Some(Suppressed(left_out)) = allow(&shared.limits.failures) {
        tracing::error!(event = "capture_failed", %path, reason, left_out, "NOT SAFE, tried again");
    }
}

/// A large file is left out, as the settings want it. Aloud only the first times, as with all that is
/// skipped: a tree may be full of large files.
pub fn left_out(shared: &Shared, path: &UploadPath, reason: &str) {
    if Counters::get(&shared.health.counters.left_out_files) < TOLD_ALOUD {
        tracing::warn!(event = "skipped", %path, reason, "NOT SAFE");
    } else {
        tracing::debug!(event = "skipped", %path, reason, "NOT SAFE");
    }
}

/// The object store does not take a file, which goes into the database instead.
pub fn object_refused(shared: &Shared, path: &UploadPath, reason: &str) {
    shared.health.note_error(now(), format!("{path}: {reason}"));
    if let Some(Suppressed(left_out)) = allow(&shared.limits.objects) {
        tracing::warn!(event = "object_refused", %path, reason, left_out, "kept in chunks instead");
    }
}

/// The database does not answer: holds the queue back, and tells it once for each time that it goes.
pub fn database_away(shared: &Shared, error: &StoreError) {
    shared.queue.database_away();
    let reason = error.to_string();
    let was_away = shared.health.set_database_away(Some(reason.clone()));
    shared.health.note_error(now(), reason.clone());
    if was_away {
        return;
    }
    if let Some(Suppressed(left_out)) = allow(&shared.limits.database) {
        let unsaved = shared.queue.unsaved().0;
        tracing::warn!(
            event = "database_away",
            unsaved,
            reason,
            left_out,
            "uploads stay on the disk until the database answers"
        );
    }
}

/// The database has answered.
pub fn database_back(shared: &Shared) {
    shared.queue.database_back();
    if !shared.health.set_database_away(None) {
        return;
    }
    Counters::add(&shared.health.counters.database_returns, 1);
    if let Some(Suppressed(left_out)) = allow(&shared.limits.returns) {
        let unsaved = shared.queue.unsaved().0;
        tracing::info!(event = "database_back", unsaved, left_out, "the database answers again");
    }
}

/// This machine's clock.
pub fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}
