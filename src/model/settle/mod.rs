//! Which files are waiting to be captured, and which of them are settled: nobody is in the middle of
//! writing them.
//!
//! The state of every waiting file is here, and time comes in as an argument. A path that is being
//! captured is not handed out a second time; what happens to it meanwhile makes it due again
//! afterwards, so an older content can never overtake a newer one.

mod due;
mod lanes;
mod line;
mod passing;
mod questions;
mod sign;

use std::collections::HashMap;
use std::time::{Duration, Instant};

pub use due::{Due, Rules, Writers};
pub use sign::{Outcome, Sign};

use crate::model::settle::lanes::{Lanes, Spot};
use crate::model::settle::line::Coming;
use crate::model::settle::passing::is_passing;
use crate::model::{FileStat, UploadPath};

/// How long a file that was created, linked or changed its mode waits for its close-write. Long
/// enough that an ordinary upload is read once and not twice.
const TOUCH_DELAY: Duration = Duration::from_millis(50);

/// The first wait after a file could not be read or stored, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));

#[derive(Debug)]
struct Waiting {
    since: Instant,
    /// When its writer closed it, as far as that was noticed.
    closed: Option<Instant>,
    seen: Option<(FileStat, Instant)>,
    /// Only scans of everything know of it.
    is_backlog: bool,
    failures: u32,
    /// How often it was unsettled since [`Settle::hurry`].
    delays: u32,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// In its lane, at this place.
    Queued(Spot),
    /// Handed out; with what was noticed meanwhile, and when. What is `streamed` has one of the places of
    /// large files.
    OutAt { again: Option<(Sign, Instant)>, streamed: bool },
}

/// The files that are seen and not yet safe.
#[derive(Debug)]
pub struct Settle {
    rules: Rules,
    capacity: usize,
    files: HashMap<UploadPath, Waiting>,
    lanes: Lanes,
    /// How many of the files have failed: they take no room from others.
    failing: usize,
    hurrying: bool,
}

impl Settle {
    /// Room for `capacity` waiting files; beyond it, the disk itself is the queue. At most `streamed` large
    /// files are handed out at a time.
    #[must_use]
    pub fn new(rules: Rules, capacity: usize, streamed: usize) -> Self {
        Self {
            rules,
            capacity,
            files: HashMap::new(),
            lanes: Lanes::new(streamed),
            failing: 0,
            hurrying: false,
        }
    }

    /// Takes notice of a file. Returns false when there is no room: a scan has to find it later.
    pub fn note(&mut self, path: UploadPath, sign: Sign, now: Instant) -> bool {
        let delay = match sign {
            _ if self.hurrying => Duration::ZERO,
            _ if is_passing(&path) => self.rules.quiet,
            Sign::Touched => TOUCH_DELAY,
            _ => Duration::ZERO,
        };
        let full = self.is_full();
        match self.files.get_mut(&path) {
            Some(file) => match &mut file.stage {
                Stage::OutAt { again, .. } => {
                    let closed = matches!(again, Some((Sign::Closed, _)));
                    if !closed {
                        let since = again.map_or(now, |(_, since)| since);
                        *again = Some((sign, since));
                    }
                }
                Stage::Queued(spot) => {
                    if sign == Sign::Closed {
                        file.closed.get_or_insert(now);
                    }
                    let was_backlog = file.is_backlog;
                    file.is_backlog &= sign == Sign::Scanned;
                    let due = now + delay;
                    // A sign never makes a file wait longer; a scan that finds a file which has
                    // failed before says nothing new.
                    let is_news =
                        !matches!(sign, Sign::Found | Sign::Scanned) || file.failures == 0;
                    let sooner = due < spot.place.due && is_news;
                    // What is written anew may be small by now.
                    let is_large = spot.is_large && sign != Sign::Closed;
                    let changes_lane = is_large != spot.is_large;
                    if sooner || changes_lane || (was_backlog && !file.is_backlog) {
                        let due = if sooner { due } else { spot.place.due };
                        self.queue(path, due, is_large);
                    }
                }
            },
            None if full => return false,
            None => {
                let waiting = Waiting {
                    since: now,
                    closed: (sign == Sign::Closed).then_some(now),
                    seen: None,
                    is_backlog: sign == Sign::Scanned,
                    failures: 0,
                    delays: 0,
                    stage: Stage::OutAt { again: None, streamed: false },
                };
                self.files.insert(path.clone(), waiting);
                self.queue(path, now + delay, false);
            }
        }
        true
    }

    /// Hands out the next file that is due.
    pub fn next(&mut self, now: Instant) -> Option<Due> {
        let (path, streamed) = self.lanes.next(now)?;
        self.hand_out(path, streamed, now)
    }

    /// As [`Settle::next`], of the files that are no backlog.
    pub fn next_new(&mut self, now: Instant) -> Option<Due> {
        let (path, streamed) = self.lanes.next_new(now)?;
        self.hand_out(path, streamed, now)
    }

    fn hand_out(&mut self, path: UploadPath, streamed: bool, now: Instant) -> Option<Due> {
        let file = self.files.get_mut(&path)?;
        file.stage = Stage::OutAt { again: None, streamed };
        Some(Due {
            since: file.since,
            closed: file.closed,
            is_backlog: file.is_backlog,
            seen: file.seen.map(|(stat, since)| (stat, now.saturating_duration_since(since))),
            path,
        })
    }

    /// A file that was handed out is large: whether it may be streamed now. If not, it is to be reported as
    /// [`Outcome::Large`], and comes again when there is a place for it.
    pub fn begin_stream(&mut self, path: &UploadPath) -> bool {
        match self.files.get_mut(path).map(|file| &mut file.stage) {
            Some(Stage::OutAt { streamed, .. }) => {
                *streamed = *streamed || self.lanes.begin_stream();
                *streamed
            }
            _ => false,
        }
    }

    /// Takes back a file that was handed out. Returns whether something has happened to it meanwhile: it
    /// is due again then, and `outcome` is not the last word.
    pub fn report(&mut self, path: &UploadPath, outcome: Outcome, now: Instant) -> bool {
        let Some(file) = self.files.get_mut(path) else { return false };
        let Stage::OutAt { again, streamed } = &mut file.stage else { return false };
        let (again, is_large) = (again.take(), *streamed || outcome == Outcome::Large);
        if std::mem::take(streamed) {
            self.lanes.end_stream();
        }
        if let Some((sign, since)) = again {
            // Whatever came out, something has happened since.
            file.is_backlog = sign == Sign::Scanned;
            if outcome == Outcome::Done {
                file.since = since;
                self.failing -= usize::from(file.failures > 0);
                file.failures = 0;
                file.seen = None;
            }
            file.closed = (sign == Sign::Closed).then_some(since);
            self.queue(path.clone(), now, false);
            return true;
        }
        let wait = match outcome {
            Outcome::Done => {
                self.failing -= usize::from(file.failures > 0);
                self.files.remove(path);
                return false;
            }
            Outcome::Returned | Outcome::Large => Duration::ZERO,
            Outcome::Changed => {
                file.closed = None;
                TOUCH_DELAY
            }
            Outcome::Unsettled(stat) => {
                if file.seen.is_none_or(|(seen, _)| seen != stat) {
                    file.seen = Some((stat, now));
                }
                file.delays += u32::from(self.hurrying);
                self.rules.quiet
            }
            Outcome::Failed if file.failures == 0 && self.failing >= self.capacity => {
                // Too many to remember: a scan will find it again.
                self.files.remove(path);
                return false;
            }
            Outcome::Failed => {
                self.failing += usize::from(file.failures == 0);
                file.failures += 1;
                RETRY.0.saturating_mul(1 << file.failures.min(10)).min(RETRY.1)
            }
        };
        self.queue(path.clone(), now + wait, is_large);
        false
    }

    /// Makes every file due now that has not failed: somebody waits for it.
    pub fn nudge(&mut self, now: Instant) {
        let sound = |path: &&UploadPath| self.files.get(*path).is_some_and(|f| f.failures == 0);
        let later: Vec<_> = self.lanes.after(now).filter(sound).cloned().collect();
        for path in later {
            self.bring_forward(path, now);
        }
    }

    /// Makes every waiting file due now, and is quick to take files from now on: the program is
    /// about to end, and whoever wrote them has ended.
    pub fn hurry(&mut self, now: Instant) {
        self.hurrying = true;
        self.rules.quiet = self.rules.quiet.min(TOUCH_DELAY);
        // Whatever went wrong before, each gets one more try.
        self.failing = 0;
        for file in self.files.values_mut() {
            (file.failures, file.delays) = (0, 0);
        }
        let later: Vec<_> = self.lanes.after(now).cloned().collect();
        for path in later {
            self.bring_forward(path, now);
        }
    }

    /// Makes a file that waits due now, in the lane where it is.
    fn bring_forward(&mut self, path: UploadPath, now: Instant) {
        if let Some(Stage::Queued(spot)) = self.files.get(&path).map(|file| &file.stage) {
            let is_large = spot.is_large;
            self.queue(path, now, is_large);
        }
    }

    /// Puts a file into a lane, or gives it another place there.
    fn queue(&mut self, path: UploadPath, due: Instant, is_large: bool) {
        if let Some(file) = self.files.get_mut(&path) {
            if let Stage::Queued(spot) = file.stage {
                self.lanes.leave(spot);
            }
            let coming = Coming { since: file.since, due, is_backlog: file.is_backlog };
            file.stage = Stage::Queued(self.lanes.join(path, coming, is_large));
        }
    }
}

#[cfg(test)]
mod tests;
