//! What goes wrong while capturing: counted, kept for the status, and told without filling the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::capture::Shared;
use crate::model::health::Counters;
use crate::model::log_limit::{LogLimit, Suppressed};
use crate::model::{Timestamp, UploadPath};
use crate::store::{StoreError, Trouble};

/// The gaps between lines about files that fail, and between lines about a database that comes and
/// goes: for each some 35 lines an hour, so that all together, with whatever else is told of a trouble
/// that lasts, stay below two hundred.
const GAPS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(120));

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
    let full = error.trouble == Trouble::Full;
    shared.queue.database_away(full);
    let reason = error.to_string();
    let was_away = shared.health.set_database_away(Some(reason.clone()));
    shared.health.note_error(now(), reason.clone());
    if was_away {
        return;
    }
    if let Some(Suppressed(left_out)) = allow(&shared.limits.database) {
        let unsaved = shared.queue.unsaved().0;
        let told = match full {
            true => {
                "THE DATABASE TAKES NOTHING MORE: uploads stay on the disk, unsaved, until it does"
            }
            false => "uploads stay on the disk until the database answers",
        };
        tracing::warn!(event = "database_away", unsaved, reason, left_out, "{told}");
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing else than these limits and a reminder each ten minutes is told while it lasts, and a restore
    /// that is tried again writes twenty lines (see `daemon/unfinished.rs`).
    #[test]
    fn t28_an_hour_of_every_trouble_at_once_makes_fewer_than_200_lines() {
        let start = Instant::now();
        let limits = Limits::default();
        let kinds = [limits.failures, limits.database, limits.objects, limits.returns];
        let lines: usize = kinds
            .into_iter()
            .map(|limit| {
                let mut limit = limit.into_inner().unwrap();
                let tries = (0..36_000).map(|n| start + Duration::from_millis(n * 100));
                tries.filter(|now| limit.allow(*now).is_some()).count()
            })
            .sum();
        assert!(lines + 6 + 20 < 200, "{lines} lines in an hour");
    }
}
