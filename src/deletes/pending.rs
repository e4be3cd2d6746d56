//! What has vanished from the disk and is not yet taken for deleted. Time comes in as an argument.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::model::UploadPath;
use crate::model::brake::Braked;
use crate::model::version::Leaving;

/// As many names are kept in memory.
const MOST: usize = 50_000;

/// A name that has vanished; nobody has asked so far what is stored under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub path: UploadPath,
    /// It may have been a directory, which took everything in it along.
    pub with_all_in_it: bool,
    pub at: Instant,
}

/// A file that has vanished and is, or is about to be, stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vanished {
    pub at: Instant,
    /// Its entry as it was soon after. A content that another instance has stored since stays.
    pub leaving: Option<Leaving>,
}

/// For a time nothing counts.
#[derive(Debug)]
struct Hold {
    until: Instant,
    why: Braked,
    /// Names that would have been pending.
    dropped: usize,
    /// Those of them that came since the hold began, or was prolonged.
    lately: u64,
    told: bool,
}

/// Names that have vanished. Kept is the safe side: whatever is dropped here stays in the cache.
#[derive(Debug)]
pub struct Pending {
    grace: Duration,
    heard: Vec<Heard>,
    vanished: HashMap<UploadPath, Vanished>,
    hold: Option<Hold>,
    /// Names that were handed out before a hold, and came back when it had ended; and why it held.
    late: usize,
    held_for: Option<Braked>,
    /// Counts the holds: what was handed out before one does not come back after it.
    holds: u64,
}

impl Pending {
    pub fn new(grace: Duration) -> Self {
        Self {
            grace,
            heard: Vec::new(),
            vanished: HashMap::new(),
            hold: None,
            late: 0,
            held_for: None,
            holds: 0,
        }
    }

    /// A name has vanished.
    pub fn hear(&mut self, heard: Heard) {
        if let Some(hold) = &mut self.hold {
            hold.dropped += 1;
            hold.lately += 1;
        } else if self.heard.len() + self.vanished.len() >= MOST {
            self.brake(Braked::TooManyNames, heard.at);
        } else {
            self.heard.push(heard);
        }
    }

    /// Drops everything, and holds for the grace time.
    pub fn brake(&mut self, why: Braked, now: Instant) {
        let dropped = self.heard.len() + self.vanished.len();
        self.heard = Vec::new();
        self.vanished = HashMap::new();
        self.holds += 1;
        match &mut self.hold {
            Some(hold) => {
                hold.until = now + self.grace;
                hold.dropped += dropped;
                hold.lately = 0;
            }
            None => {
                let until = now + self.grace;
                self.held_for = Some(why.clone());
                self.hold = Some(Hold { until, why, dropped, lately: 0, told: false });
            }
        }
    }

    /// What is to be told of the hold: once, when it has cost something.
    pub fn take_news(&mut self) -> Option<(Braked, usize)> {
        if self.hold.is_none() && self.late > 0 {
            return Some((self.held_for.clone()?, std::mem::take(&mut self.late)));
        }
        let hold = self.hold.as_mut().filter(|hold| !hold.told && hold.dropped > 0)?;
        hold.told = true;
        Some((hold.why.clone(), hold.dropped))
    }

    /// Ends a hold whose time has come; whether one has ended. It is prolonged when `is_calm` does not say so
    /// of the number of names that have vanished under it: what has made it hold goes on.
    pub fn end_hold(&mut self, now: Instant, is_calm: impl Fn(u64) -> bool) -> bool {
        let Some(hold) = self.hold.as_mut().filter(|hold| hold.until <= now) else { return false };
        if is_calm(hold.lately) {
            self.hold = None;
            return true;
        }
        hold.until = now + self.grace;
        hold.lately = 0;
        false
    }

    /// The number of holds so far.
    pub fn holds(&self) -> u64 {
        self.holds
    }

    /// Hands out the names that nobody has asked about.
    pub fn take_heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// Takes names back that were handed out when there had been so many holds.
    pub fn put_back(&mut self, mut heard: Vec<Heard>, holds: u64) {
        if holds == self.holds {
            heard.append(&mut self.heard);
            self.heard = heard;
        } else {
            self.drop_late(heard.len());
        }
    }

    /// A file that was handed out as a name, when there had been so many holds, is a stored one.
    pub fn wait(&mut self, path: UploadPath, vanished: Vanished, holds: u64) {
        if holds == self.holds {
            self.vanished.insert(path, vanished);
        } else {
            self.drop_late(1);
        }
    }

    fn drop_late(&mut self, names: usize) {
        match &mut self.hold {
            Some(hold) => hold.dropped += names,
            None => self.late += names,
        }
    }

    /// All files that have vanished.
    pub fn all(&self) -> Vec<(UploadPath, Vanished)> {
        self.vanished.iter().map(|(path, vanished)| (path.clone(), *vanished)).collect()
    }

    /// Whether the grace time of this one has passed.
    pub fn is_due(&self, vanished: &Vanished, now: Instant) -> bool {
        vanished.at + self.grace <= now
    }

    /// Whether that of any has.
    pub fn any_due(&self, now: Instant) -> bool {
        self.vanished.values().any(|vanished| self.is_due(vanished, now))
    }

    /// This is settled, unless it has vanished once more since.
    pub fn settle(&mut self, path: &UploadPath, at: Instant) {
        if self.vanished.get(path).is_some_and(|vanished| vanished.at == at) {
            self.vanished.remove(path);
        }
    }

    /// When there is something to do, other than to ask about names.
    pub fn wakes_at(&self) -> Option<Instant> {
        let due = self.vanished.values().map(|vanished| vanished.at + self.grace);
        due.chain(self.hold.as_ref().map(|hold| hold.until)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(60);

    fn heard(name: &str, at: Instant) -> Heard {
        Heard { path: UploadPath::parse(name).unwrap(), with_all_in_it: false, at }
    }

    #[test]
    fn a_name_is_due_after_the_grace_time() {
        let now = Instant::now();
        let mut pending = Pending::new(GRACE);
        pending.hear(heard("a", now));
        assert_eq!(pending.wakes_at(), None);
        let Heard { path, at, .. } = pending.take_heard().pop().unwrap();
        pending.wait(path.clone(), Vanished { at, leaving: None }, 0);
        assert_eq!(pending.wakes_at(), Some(now + GRACE));
        assert!(!pending.any_due(now + GRACE / 2));
        assert!(pending.any_due(now + GRACE));
        // Made anew and deleted again: the later time counts.
        pending.wait(path.clone(), Vanished { at: now + GRACE, leaving: None }, 0);
        assert!(!pending.any_due(now + GRACE));
        pending.settle(&path, now);
        assert_eq!(pending.all().len(), 1);
    }

    #[test]
    fn a_brake_holds_for_the_grace_time_and_until_it_is_calm() {
        let now = Instant::now();
        let is_calm = |names| names <= 1;
        let mut pending = Pending::new(GRACE);
        pending.hear(heard("a", now));
        let handed_out = pending.take_heard();
        pending.hear(heard("b", now));
        pending.brake(Braked::Unheard("overflow".into()), now);
        assert_eq!(pending.take_news().unwrap().1, 1);
        assert_eq!(pending.take_news(), None);
        pending.put_back(handed_out, 0);
        assert!(pending.take_heard().is_empty());
        pending.hear(heard("c", now + GRACE / 2));
        pending.hear(heard("d", now + GRACE / 2));
        assert!(!pending.end_hold(now + GRACE / 2, is_calm));
        assert!(!pending.end_hold(now + GRACE, is_calm));
        pending.hear(heard("e", now + GRACE));
        assert!(pending.end_hold(now + 2 * GRACE, is_calm));
        pending.hear(heard("f", now + 2 * GRACE));
        assert_eq!(pending.take_heard().len(), 1);
    }

    #[test]
    fn a_name_that_was_handed_out_before_a_hold_is_told_with_it_or_after_it() {
        let now = Instant::now();
        let vanished = Vanished { at: now, leaving: None };
        for comes_after in [false, true] {
            let mut pending = Pending::new(GRACE);
            pending.hear(heard("a", now));
            let Heard { path, .. } = pending.take_heard().pop().unwrap();
            pending.brake(Braked::Unheard("overflow".into()), now);
            assert_eq!(pending.take_news(), None);
            if comes_after {
                assert!(pending.end_hold(now + GRACE, |_| true));
            }
            pending.wait(path, vanished, 0);
            assert_eq!(pending.take_news().unwrap().1, 1);
            assert_eq!((pending.take_news(), pending.all().len()), (None, 0));
        }
    }

    #[test]
    fn a_hold_that_costs_nothing_is_not_told() {
        let now = Instant::now();
        let mut pending = Pending::new(GRACE);
        pending.brake(Braked::Unheard("overflow".into()), now);
        assert_eq!(pending.take_news(), None);
        pending.hear(heard("a", now));
        assert_eq!(pending.take_news().unwrap().1, 1);
    }

    #[test]
    fn memory_is_bounded() {
        let now = Instant::now();
        let mut pending = Pending::new(GRACE);
        for n in 0..=MOST {
            pending.hear(heard(&n.to_string(), now));
        }
        assert_eq!(pending.take_news().unwrap().0, Braked::TooManyNames);
        assert!(pending.take_heard().is_empty());
    }
}
