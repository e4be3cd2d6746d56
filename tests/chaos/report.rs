//! The figures, and what went wrong.

use std::fmt;
use std::time::Duration;

use crate::plan::{Event, Interruption};

/// What has been tried and found, in one line.
#[derive(Debug, Default)]
pub struct Figures {
    pub rounds: u64,
    pub files: u64,
    /// Contents that were read while the faults went on.
    pub samples: u64,
    /// Names that stood in the upload directory for a moment, and were stored whole.
    pub passing_names: u64,
    pub kills: u64,
    pub terms: u64,
    pub stops: u64,
    pub database_restarts: u64,
    pub cuts: u64,
    /// `None` where nothing can be mounted.
    pub full_disks: Option<u64>,
    pub lost: u64,
    pub damaged: u64,
    pub half_written: u64,
    /// From the end of the faults until everything was safe, of each life.
    pub safe_again: Vec<Duration>,
}

impl Figures {
    pub fn count(&mut self, event: Event) {
        match event {
            Event::Term => self.terms += 1,
            Event::Kill => self.kills += 1,
            Event::Freeze => self.stops += 1,
            Event::DatabaseDown(_) => self.database_restarts += 1,
            Event::NetworkDown | Event::Cut | Event::Silence => self.cuts += 1,
            Event::DiskFull => self.full_disks = self.full_disks.map(|count| count + 1),
            Event::Start | Event::Thaw | Event::DatabaseUp | Event::NetworkUp | Event::DiskFree => {
            }
        }
    }

    pub fn count_interruption(&mut self, interruption: Interruption) {
        self.count(match interruption {
            Interruption::Kill | Interruption::KillDaemon => Event::Kill,
            Interruption::Cut => Event::Cut,
            Interruption::DiskFull => Event::DiskFull,
        });
    }

    /// Counts what went wrong.
    pub fn count_faults(&mut self, faults: &[Fault]) {
        for fault in faults {
            match fault {
                Fault::Lost(_) => self.lost += 1,
                Fault::Damaged(_) => self.damaged += 1,
                Fault::HalfWritten(_) => self.half_written += 1,
            }
        }
    }

    fn safe_again(&self, percent: usize) -> u128 {
        let mut all = self.safe_again.clone();
        all.sort();
        all.get((all.len() * percent / 100).min(all.len().saturating_sub(1)))
            .map_or(0, Duration::as_millis)
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rounds={} files={} samples={}", self.rounds, self.files, self.samples)?;
        write!(f, " passing_names={}", self.passing_names)?;
        write!(f, " kills={} terms={} stops={}", self.kills, self.terms, self.stops)?;
        write!(f, " database_restarts={} cuts={}", self.database_restarts, self.cuts)?;
        match self.full_disks {
            Some(count) => write!(f, " full_disks={count}")?,
            None => write!(f, " full_disks=not-possible-here")?,
        }
        let (half, most) = (self.safe_again(50), self.safe_again(100));
        write!(f, " safe_again_ms_median={half} safe_again_ms_most={most}")?;
        write!(f, " lost={} damaged={}", self.lost, self.damaged)?;
        write!(f, " half_written={}", self.half_written)
    }
}

/// Something that must not be; each with the path and what is the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A file did not come back.
    Lost(String),
    /// It came back with something else than its last content, or an entry does not hold what it says.
    Damaged(String),
    /// A content was seen that its writer was in the middle of, or a restore.
    HalfWritten(String),
}
