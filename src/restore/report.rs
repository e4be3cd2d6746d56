//! What a restore has done, and what has stopped it.

use std::collections::HashSet;
use std::io;

use crate::model::plan::Missing;
use crate::restore::damage::Damage;
use crate::restore::worker::Part;
use crate::store::StoreError;
use crate::uploads::{PlaceError, Unflushed};

/// As many damaged entries are named.
pub(super) const NAMED: usize = 50;

/// What a restore has done.
#[derive(Debug, Default)]
pub struct Report {
    pub restored: u64,
    pub bytes: u64,
    /// Files that came into being meanwhile; they were left alone.
    pub kept: u64,
    /// Entries whose bytes are not what they should be.
    pub damaged: u64,
    /// Some of them.
    pub damaged_examples: Vec<Damage>,
    /// Entries that could not be placed: a link or another file in the way, no permission.
    pub failed: u64,
    /// Some of them, with the reason.
    pub failed_examples: Vec<(String, String)>,
    /// What was not restored because the disk is full, or the database or the object store is away, and
    /// why.
    pub left: Vec<Missing>,
    /// Those of them whose objects were asked for in vain.
    pub unanswered: HashSet<i64>,
    pub stopped: Option<Stop>,
    /// The files have their names and are not flushed yet: [`Unflushed::flush`] does that.
    pub unflushed: Option<Unflushed>,
}

/// Why a restore stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// No room on the disk.
    #[error("the disk is full ({0}); make room, or raise the disk's size")]
    DiskFull(io::Error),
    /// The database does not answer.
    #[error(transparent)]
    Store(StoreError),
    /// The object store does not answer; entries in the database were restored all the same.
    #[error("{0}")]
    Objects(String),
    /// The upload directory cannot be written.
    #[error("cannot write into the upload directory: {0}")]
    UploadDir(io::Error),
}

impl Report {
    /// Whether every missing file is there now.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.damaged == 0 && self.failed == 0 && self.left.is_empty() && self.stopped.is_none()
    }

    /// Of how many entries it tells what became of them.
    pub(super) fn accounted(&self) -> u64 {
        self.restored + self.kept + self.damaged + self.failed + self.left.len() as u64
    }

    /// Takes in what a further restore has done.
    pub fn merge(&mut self, other: Self) {
        self.restored += other.restored;
        self.bytes += other.bytes;
        self.kept += other.kept;
        self.damaged += other.damaged;
        self.damaged_examples.extend(other.damaged_examples);
        self.damaged_examples.truncate(NAMED);
        self.failed += other.failed;
        self.failed_examples.extend(other.failed_examples);
        self.failed_examples.truncate(NAMED);
        self.left.extend(other.left);
        self.unanswered.extend(other.unanswered);
        self.stopped = other.stopped.or(self.stopped.take());
        self.unflushed = other.unflushed.or(self.unflushed.take());
    }

    pub(super) fn add(&mut self, part: Part) {
        match part {
            Part::Restored { bytes } => {
                self.restored += 1;
                self.bytes += bytes;
            }
            Part::Kept => self.kept += 1,
            Part::Damaged(damage) => {
                self.damaged += 1;
                if self.damaged_examples.len() < NAMED {
                    self.damaged_examples.push(damage);
                }
            }
            Part::Failed { path, reason } => {
                self.failed += 1;
                if self.failed_examples.len() < NAMED {
                    self.failed_examples.push((path, reason));
                }
            }
        }
    }
}

impl From<PlaceError> for Stop {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Full(source) => Self::DiskFull(source),
            other => Self::UploadDir(io::Error::other(other.to_string())),
        }
    }
}
