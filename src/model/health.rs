//! How the program is doing: counters, the state of its parts and its last errors, shared by the
//! flows that write them and the faces that show them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::latency::{Histogram, Latencies, Minute};
use crate::model::recent_lines::RecentLines;

/// As many errors are kept.
const LAST_ERRORS: usize = 10;

/// Counts since the process started. Files and bytes are those of the upload directory.
#[derive(Debug, Default)]
pub struct Counters {
    pub captured_files: AtomicU64,
    pub captured_bytes: AtomicU64,
    /// Looked at and found to be stored already.
    pub unchanged_files: AtomicU64,
    /// Large files whose entries have no data, as the settings want it.
    pub left_out_files: AtomicU64,
    /// Times that a file could not be read or was refused by the database.
    pub failures: AtomicU64,
    pub restored_files: AtomicU64,
    pub restored_bytes: AtomicU64,
    pub damaged_entries: AtomicU64,
    /// Times that the database came back.
    pub database_returns: AtomicU64,
}

impl Counters {
    /// Adds to a counter.
    pub fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Relaxed);
    }

    /// Reads a counter.
    #[must_use]
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Relaxed)
    }
}

/// How new files are noticed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "reason")]
pub enum Watcher {
    /// Not started.
    #[default]
    Off,
    /// The kernel reports each file.
    Watching,
    /// Only scans find files; the text says why.
    Degraded(String),
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// When, by this machine's clock (RFC 3339).
    pub at: String,
    /// What, for people.
    pub text: String,
}

/// What the daemon's own verifying has come to since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Entries that were read and compared, and former ones that were read; one that was so twice counted twice.
    pub entries: u64,
    pub mended: u64,
    /// Entries that are not as they should be and could not be mended, as far as is known by now.
    pub not_mended: u64,
    /// Former contents that are damaged, as far as is known by now.
    pub damaged_versions: u64,
    /// When it had been around all entries for the last time, by this machine's clock.
    pub last_round: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Parts {
    watcher: Watcher,
    database_away: Option<String>,
    tables_are_newer: bool,
    restore_stopped: Option<String>,
    delete_brake: Option<String>,
    errors: VecDeque<LastError>,
    latencies: Latencies,
    verified: Option<Verified>,
}

/// How the program is doing.
#[derive(Debug, Default)]
pub struct Health {
    /// Counts since the start.
    pub counters: Counters,
    /// The last lines of the log.
    pub recent_lines: Arc<RecentLines>,
    parts: Mutex<Parts>,
}

impl Health {
    /// All well so far. `recent_lines` is what the log keeps.
    #[must_use]
    pub fn new(recent_lines: Arc<RecentLines>) -> Self {
        Self { recent_lines, ..Self::default() }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        // The parts are plain values: a panic elsewhere leaves none of them half-written.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how files are noticed; returns whether that is news.
    pub fn set_watcher(&self, watcher: Watcher) -> bool {
        let mut parts = self.parts();
        let news = parts.watcher != watcher;
        parts.watcher = watcher;
        news
    }

    /// How files are noticed.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        self.parts().watcher.clone()
    }

    /// Says that the database is away, and why; or that it is there. Returns whether it was away.
    pub fn set_database_away(&self, reason: Option<String>) -> bool {
        std::mem::replace(&mut self.parts().database_away, reason).is_some()
    }

    /// Why the database is away, if it is.
    #[must_use]
    pub fn database_away(&self) -> Option<String> {
        self.parts().database_away.clone()
    }

    /// Says whether the tables are newer than this program, which then can store nothing.
    pub fn set_tables_are_newer(&self, newer: bool) {
        self.parts().tables_are_newer = newer;
    }

    /// Whether they were, when they were looked at for the last time.
    #[must_use]
    pub fn tables_are_newer(&self) -> bool {
        self.parts().tables_are_newer
    }

    /// Says what the last restore has left undone and why it stopped, or that it has not.
    pub fn set_restore_stopped(&self, reason: Option<String>) {
        self.parts().restore_stopped = reason;
    }

    /// What the last restore has left undone, and why it stopped, if it has; it is tried again.
    #[must_use]
    pub fn restore_stopped(&self) -> Option<String> {
        self.parts().restore_stopped.clone()
    }

    /// Says that deletes were not taken for meant, and why.
    pub fn set_delete_brake(&self, reason: String) {
        self.parts().delete_brake = Some(reason);
    }

    /// Why deletes were not taken for meant, the last time since the process started.
    #[must_use]
    pub fn delete_brake(&self) -> Option<String> {
        self.parts().delete_brake.clone()
    }

    /// Notes that a file became safe at `now` (this machine's clock), so long after it was closed.
    pub fn note_captured(&self, now: Timestamp, took: Duration) {
        self.parts().latencies.note(now, took);
    }

    /// When the last file became safe, since the process started; by this machine's clock.
    #[must_use]
    pub fn last_capture(&self) -> Option<Timestamp> {
        self.parts().latencies.last()
    }

    /// The close-to-commit times of all files since the process started.
    #[must_use]
    pub fn latencies(&self) -> Histogram {
        self.parts().latencies.histogram()
    }

    /// The close-to-commit times of the last hour by minute, oldest first, empty minutes too.
    #[must_use]
    pub fn last_hour(&self, now: Timestamp) -> Vec<Minute> {
        self.parts().latencies.last_hour(now)
    }

    /// Says what verifying has come to.
    pub fn set_verified(&self, verified: Verified) {
        self.parts().verified = Some(verified);
    }

    /// What verifying has come to; `None` where nobody has asked for it.
    #[must_use]
    pub fn verified(&self) -> Option<Verified> {
        self.parts().verified
    }

    /// Keeps an error for the status.
    pub fn note_error(&self, at: Timestamp, text: String) {
        let mut parts = self.parts();
        // The same trouble again only moves to the end.
        parts.errors.retain(|error| error.text != text);
        if parts.errors.len() == LAST_ERRORS {
            parts.errors.pop_front();
        }
        parts.errors.push_back(LastError { at: at.to_string(), text });
    }

    /// The last errors, oldest first.
    #[must_use]
    pub fn last_errors(&self) -> Vec<LastError> {
        self.parts().errors.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_errors_are_kept_once_each() {
        let health = Health::default();
        for n in 0..12 {
            health.note_error(Timestamp(0), format!("error {n}"));
        }
        health.note_error(Timestamp(1_000_000), "error 5".into());
        let errors = health.last_errors();
        assert_eq!(errors.len(), LAST_ERRORS);
        assert_eq!(errors.last().unwrap().text, "error 5");
        assert_eq!(errors.last().unwrap().at, "1970-01-01T00:00:01Z");
    }

    #[test]
    fn news_is_told_from_repetition() {
        let health = Health::default();
        assert!(health.set_watcher(Watcher::Degraded("no watches left".into())));
        assert!(!health.set_watcher(Watcher::Degraded("no watches left".into())));
        assert!(!health.set_database_away(Some("refused".into())));
        assert!(health.set_database_away(None));
    }
}
