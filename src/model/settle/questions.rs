//! What can be asked about the waiting files; no answer changes anything.

use std::time::Instant;

use crate::model::UploadPath;
use crate::model::settle::{Rules, Settle, Stage, Waiting};

impl Settle {
    /// The rules, as they are now.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// Files that are seen and not yet safe.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.files.len()
    }

    /// Files that could be handed out right now or later, those handed out left aside.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.lanes.len()
    }

    /// Whether this file waits already, and so needs no room.
    #[must_use]
    pub fn contains(&self, path: &UploadPath) -> bool {
        self.files.contains_key(path)
    }

    /// Files that are handed out.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.files.len() - self.lanes.len()
    }

    /// Whether there is no room for more.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.files.len() - self.failing >= self.capacity
    }

    /// Whether what can wait, as a scan can, has to leave the room to others: a scan that finds a
    /// hundred thousand files must not make the watcher's find no room.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.files.len() - self.failing >= self.capacity - self.capacity / 4
    }

    /// Whether a scan that has met a crowd may go on: it is not woken for a single place.
    #[must_use]
    pub fn is_spacious(&self) -> bool {
        self.files.len() - self.failing < self.capacity - self.capacity / 4 - self.capacity / 8
    }

    /// When the longest waiting file was noticed.
    #[must_use]
    pub fn oldest(&self) -> Option<Instant> {
        self.noticed().min()
    }

    /// When the files were noticed, in no certain order.
    pub fn noticed(&self) -> impl Iterator<Item = Instant> {
        self.files.values().map(|file| file.since)
    }

    /// Files that may become safe by waiting: not those that have failed, nor those that a writer
    /// still holds after a second of hurry.
    #[must_use]
    pub fn hopeful(&self) -> usize {
        let hopeless = |file: &&Waiting| file.failures > 0 || file.delays >= 20;
        self.files.len() - self.files.values().filter(hopeless).count()
    }

    /// Some of the files that are not safe, for a report to people.
    pub fn names(&self) -> impl Iterator<Item = &UploadPath> {
        self.files.keys()
    }

    /// When the next file will be due, or was.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.lanes.next_due()
    }

    /// When the next file will be due, those that are aside.
    #[must_use]
    pub fn next_later(&self) -> Option<Instant> {
        self.lanes.next_later()
    }

    /// Files that have failed, and wait to be tried again.
    pub fn failed(&self) -> impl Iterator<Item = &UploadPath> {
        self.files.iter().filter(|(_, file)| file.failures > 0).map(|(path, _)| path)
    }

    /// Whether this file is handed out.
    #[must_use]
    pub fn is_out(&self, path: &UploadPath) -> bool {
        self.files.get(path).is_some_and(|file| matches!(file.stage, Stage::OutAt { .. }))
    }
}
