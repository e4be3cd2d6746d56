//! Which files are waiting to be captured, and which of them are settled: nobody is in the middle of
//! writing them.
//!
//! The state of every waiting file is here, and time comes in as an argument. A path that is being
//! captured is not handed out a second time; what happens to it meanwhile makes it due again
//! afterwards, so an older content can never overtake a newer one.

mod due;
mod line;
mod passing;
mod questions;
mod sign;

use std::collections::HashMap;
use std::time::{Duration, Instant};

pub use due::{Due, Rules, Writers};
pub use sign::{Outcome, Sign};

use crate::model::settle::line::{Line, Place};
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
    /// In line, at this place.
    Queued(Place),
    /// Handed out; with what was noticed meanwhile, and when.
    OutAt { again: Option<(Sign, Instant)> },
}

/// The files that are seen and not yet safe.
#[derive(Debug)]
pub struct Settle {
    rules: Rules,
    capacity: usize,
    files: HashMap<UploadPath, Waiting>,
    line: Line,
    /// How many of the files have failed: they take no room from others.
    failing: usize,
    hurrying: bool,
}

impl Settle {
    /// Room for `capacity` waiting files; beyond it, the disk itself is the queue.
    #[must_use]
    pub fn new(rules: Rules, capacity: usize) -> Self {
        Self {
            rules,
            capacity,
            files: HashMap::new(),
            line: Line::default(),
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
                Stage::OutAt { again } => {
                    let closed = matches!(again, Some((Sign::Closed, _)));
                    if !closed {
                        let since = again.map_or(now, |(_, since)| since);
                        *again = Some((sign, since));
                    }
                }
                Stage::Queued(place) => {
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
                    let sooner = due < place.due && is_news;
                    if sooner || (was_backlog && !file.is_backlog) {
                        let due = if sooner { due } else { place.due };
                        self.line.leave(*place);
                        *place = self.line.join(path, file.since, due, file.is_backlog);
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
                    stage: Stage::OutAt { again: None },
                };
                self.files.insert(path.clone(), waiting);
                self.queue(path, now + delay);
            }
        }
        true
    }

    /// Hands out the next file that is due.
    pub fn next(&mut self, now: Instant) -> Option<Due> {
        let path = self.line.next(now)?;
        self.hand_out(path, now)
    }

    /// As [`Settle::next`], of the files that are no backlog.
    pub fn next_new(&mut self, now: Instant) -> Option<Due> {
        let path = self.line.next_new(now)?;
        self.hand_out(path, now)
    }

    fn hand_out(&mut self, path: UploadPath, now: Instant) -> Option<Due> {
        let file = self.files.get_mut(&path)?;
        file.stage = Stage::OutAt { again: None };
        Some(Due {
            since: file.since,
            closed: file.closed,
            is_backlog: file.is_backlog,
            seen: file.seen.map(|(stat, since)| (stat, now.saturating_duration_since(since))),
            path,
        })
    }

    /// Takes back a file that was handed out. Returns whether something has happened to it meanwhile: it
    /// is due again then, and `outcome` is not the last word.
    pub fn report(&mut self, path: &UploadPath, outcome: Outcome, now: Instant) -> bool {
        let Some(file) = self.files.get_mut(path) else { return false };
        let Stage::OutAt { again } = &mut file.stage else { return false };
        let again = again.take();
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
            self.queue(path.clone(), now);
            return true;
        }
        let wait = match outcome {
            Outcome::Done => {
                self.failing -= usize::from(file.failures > 0);
                self.files.remove(path);
                return false;
            }
            Outcome::Returned => Duration::ZERO,
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
        self.queue(path.clone(), now + wait);
        false
    }

    /// Makes every file due now that has not failed: somebody waits for it.
    pub fn nudge(&mut self, now: Instant) {
        let sound = |path: &&UploadPath| self.files.get(*path).is_some_and(|f| f.failures == 0);
        let later: Vec<_> = self.line.after(now).filter(sound).cloned().collect();
        for path in later {
            self.queue(path, now);
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
        let later: Vec<_> = self.line.after(now).cloned().collect();
        for path in later {
            self.queue(path, now);
        }
    }

    /// Puts a file into the line, or gives it another place there.
    fn queue(&mut self, path: UploadPath, due: Instant) {
        if let Some(file) = self.files.get_mut(&path) {
            if let Stage::Queued(place) = file.stage {
                self.line.leave(place);
            }
            file.stage = Stage::Queued(self.line.join(path, file.since, due, file.is_backlog));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { quiet: Duration::from_secs(2), held_open: Duration::from_secs(60) };

    fn path(name: &str) -> UploadPath {
        UploadPath::parse(name).unwrap()
    }

    fn stat(size: u64) -> FileStat {
        FileStat { size, mtime_ns: 1, ctime_ns: 1, inode: 1, mode: 0o644 }
    }

    fn settle() -> (Settle, Instant) {
        (Settle::new(RULES, 3), Instant::now())
    }

    #[test]
    fn a_closed_file_is_due_at_once_and_once() {
        let (mut settle, now) = settle();
        settle.note(path("a"), Sign::Touched, now);
        assert_eq!(settle.next(now), None);
        settle.note(path("a"), Sign::Closed, now);
        let due = settle.next(now).unwrap();
        assert!(due.closed.is_some());
        assert_eq!(settle.next(now + RULES.held_open), None);
        settle.report(&path("a"), Outcome::Done, now);
        assert_eq!(settle.unsaved(), 0);
    }

    #[test]
    fn what_is_seen_to_come_is_no_backlog_any_more() {
        let (mut settle, now) = settle();
        for name in ["a", "b", "c"] {
            settle.note(path(name), Sign::Scanned, now);
        }
        settle.note(path("b"), Sign::Closed, now);
        assert_eq!(settle.next(now).unwrap().path, path("b"));
        assert_eq!(settle.queued(), 2);
    }

    #[test]
    fn a_file_that_was_only_linked_is_due_a_little_later() {
        let (mut settle, now) = settle();
        settle.note(path("a"), Sign::Touched, now);
        assert_eq!(settle.next_due(), Some(now + TOUCH_DELAY));
        assert!(settle.next(now + TOUCH_DELAY).is_some());
    }

    #[test]
    fn a_passing_name_is_waited_for_unless_time_is_short() {
        let (mut settle, now) = settle();
        settle.note(path(".a.jpg.Xy12zW"), Sign::Closed, now);
        assert_eq!(settle.next_due(), Some(now + RULES.quiet));
        settle.hurry(now);
        assert!(settle.next(now).is_some());
    }

    #[test]
    fn what_happens_during_a_capture_makes_the_file_due_again() {
        let (mut settle, now) = settle();
        settle.note(path("a"), Sign::Closed, now);
        settle.next(now).unwrap();
        let later = now + Duration::from_secs(1);
        settle.note(path("a"), Sign::Closed, later);
        settle.note(path("a"), Sign::Touched, later);
        assert_eq!(settle.next(later), None, "handed out twice");
        settle.report(&path("a"), Outcome::Done, later);
        let due = settle.next(later).unwrap();
        assert!(due.closed.is_some());
        assert_eq!(due.since, later);
    }

    #[test]
    fn the_database_being_away_costs_no_place_in_line() {
        let (mut settle, now) = settle();
        settle.note(path("a"), Sign::Closed, now);
        settle.next(now).unwrap();
        settle.report(&path("a"), Outcome::Returned, now);
        let due = settle.next(now).unwrap();
        assert!(due.closed.is_some());
        assert_eq!(due.since, now);
    }

    #[test]
    fn failures_wait_longer_and_longer_until_something_happens() {
        let (mut settle, now) = settle();
        settle.note(path("a"), Sign::Closed, now);
        let mut waits = Vec::new();
        for _ in 0..14 {
            settle.next(settle.next_due().unwrap()).unwrap();
            settle.report(&path("a"), Outcome::Failed, now);
            waits.push(settle.next_due().unwrap() - now);
        }
        assert!(waits.is_sorted(), "{waits:?}");
        assert_eq!(waits.last(), Some(&RETRY.1));
        settle.note(path("a"), Sign::Closed, now);
        assert!(settle.next(now).is_some());
    }

    #[test]
    fn without_it_a_file_has_to_keep_still() {
        let (mut settle, now) = settle();
        settle.note(path("a"), Sign::Found, now);
        settle.next(now).unwrap();
        settle.report(&path("a"), Outcome::Unsettled(stat(1)), now);
        let due = settle.next(now + RULES.quiet).unwrap();
        assert!(due.is_settled(&stat(1), Writers::Unknown, &RULES));
        assert!(!due.is_settled(&stat(2), Writers::Unknown, &RULES), "it grew");
        assert!(!due.is_settled(&stat(1), Writers::Some, &RULES), "a writer pauses");
        // It looks the same every time: the clock goes on from the first such look.
        settle.report(&path("a"), Outcome::Unsettled(stat(1)), now + RULES.quiet);
        let due = settle.next(now + RULES.held_open).unwrap();
        assert!(due.is_settled(&stat(1), Writers::Some, &RULES));
    }

    #[test]
    fn beyond_its_room_it_says_so() {
        let (mut settle, now) = settle();
        for name in ["a", "b", "c"] {
            assert!(settle.note(path(name), Sign::Found, now));
        }
        assert!(!settle.note(path("d"), Sign::Found, now));
        assert!(settle.note(path("a"), Sign::Closed, now), "a known file needs no room");
    }

    #[test]
    fn files_that_fail_take_no_room_from_others() {
        let (mut settle, now) = settle();
        for name in ["a", "b", "c"] {
            settle.note(path(name), Sign::Found, now);
            settle.next(now).unwrap();
            settle.report(&path(name), Outcome::Failed, now);
        }
        assert!(!settle.is_full() && settle.note(path("d"), Sign::Closed, now));
        assert_eq!(settle.next(now).unwrap().path, path("d"));
        settle.report(&path("d"), Outcome::Failed, now);
        assert_eq!(settle.unsaved(), 3, "the fourth is left to a scan");
        // At the end each gets one more try.
        assert_eq!(settle.hopeful(), 0);
        settle.hurry(now);
        assert_eq!(settle.hopeful(), 3);
        for _ in 0..3 {
            let due = settle.next(now).unwrap();
            settle.report(&due.path, Outcome::Failed, now);
        }
        assert_eq!(settle.hopeful(), 0);
    }

    #[test]
    fn hurry_makes_everything_due() {
        let (mut settle, now) = settle();
        settle.note(path("a"), Sign::Touched, now);
        settle.note(path("b"), Sign::Found, now);
        settle.next(now).unwrap();
        settle.report(&path("b"), Outcome::Unsettled(stat(1)), now);
        settle.hurry(now);
        assert!(settle.next(now).is_some() && settle.next(now).is_some());
        settle.report(&path("a"), Outcome::Done, now);
        for _ in 0..20 {
            assert_eq!(settle.hopeful(), 1);
            settle.report(&path("b"), Outcome::Unsettled(stat(1)), now);
            settle.next(now + TOUCH_DELAY).unwrap();
        }
        assert_eq!((settle.hopeful(), settle.unsaved()), (0, 1), "a writer does not let go");
    }
}
