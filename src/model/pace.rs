//! The pace of what can wait: so many bytes a second, so that it slows nobody else.
//!
//! A file's size is known when it is opened, and so it is paid for afterwards. What is taken goes in beats: as much
//! as is paid for in a quarter of a second at once, then a rest until it is. A pause after each file would come to
//! the same sum, but make a commit of its own for each, and a commit is what a database spends most on.

use std::time::{Duration, Instant};

/// As much is taken before a rest.
const BEAT: Duration = Duration::from_millis(250);

/// A file counts as this many bytes at least: the row and its commit cost as much.
const LEAST: u64 = 4 << 10;

/// So many bytes a second, or as many as there are.
#[derive(Debug)]
pub struct Pace {
    /// Zero: no bound.
    rate: u64,
    /// When everything is paid for that was taken.
    paid_at: Option<Instant>,
    resting: bool,
}

impl Pace {
    /// A pace of `rate` bytes a second; without one there is no bound.
    #[must_use]
    pub fn new(rate: Option<u64>) -> Self {
        Self { rate: rate.unwrap_or(0), paid_at: None, resting: false }
    }

    /// Whether there is a bound.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.rate > 0
    }

    /// Ends the bound: there is no time left for it.
    pub fn lift(&mut self) {
        *self = Self::new(None);
    }

    /// Takes this many bytes, which are to be paid for.
    pub fn take(&mut self, bytes: u64, now: Instant) {
        if !self.is_bound() {
            return;
        }
        let cost = Duration::from_secs_f64(bytes.max(LEAST) as f64 / self.rate as f64);
        // A rest that nobody has asked about since it was over is over all the same.
        self.rest(now);
        let paid_at = self.paid_at.map_or(now, |at| at.max(now)) + cost;
        self.paid_at = Some(paid_at);
        self.resting |= paid_at.saturating_duration_since(now) >= BEAT;
    }

    /// Until when nothing more is to be taken; `None` when something may be taken now.
    pub fn rest(&mut self, now: Instant) -> Option<Instant> {
        self.resting &= self.paid_at.is_some_and(|at| at > now);
        self.paid_at.filter(|_| self.resting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Takes files of these sizes, over and over, as soon as it may, for a minute; gives bytes a second and rests.
    fn a_minute(rate: u64, sizes: &[u64]) -> (f64, u32) {
        let start = Instant::now();
        let (mut pace, mut now) = (Pace::new(Some(rate)), start);
        let (mut taken, mut rests) = (0, 0);
        for size in sizes.iter().cycle() {
            pace.take(*size, now);
            taken += size;
            if let Some(until) = pace.rest(now) {
                (now, rests) = (until, rests + 1);
            }
            if now - start >= Duration::from_secs(60) {
                break;
            }
        }
        (taken as f64 / (now - start).as_secs_f64(), rests)
    }

    #[test]
    fn no_more_bytes_a_second_than_that_whatever_the_sizes() {
        for sizes in [&[80 << 10][..], &[4 << 10], &[5 * MIB], &[100 << 10, 3 * MIB, 10_000]] {
            let (rate, rests) = a_minute(4 * MIB, sizes);
            assert!((rate / (4 * MIB) as f64 - 1.0).abs() < 1e-6, "{rate}");
            // A quarter of a second at a time, so that one commit takes many files.
            assert!(rests <= 240, "{rests} rests in a minute");
        }
    }

    #[test]
    fn a_small_file_is_not_free() {
        let (rate, _) = a_minute(4 * MIB, &[1]);
        assert!((1_023.0..1_025.0).contains(&rate), "{rate} files a second");
    }

    #[test]
    fn time_in_which_nothing_was_taken_is_not_saved_up() {
        let (mut pace, now) = (Pace::new(Some(MIB)), Instant::now());
        pace.take(MIB, now);
        assert_eq!(pace.rest(now), Some(now + Duration::from_secs(1)));
        let later = now + Duration::from_secs(3_600);
        assert_eq!(pace.rest(later), None);
        pace.take(MIB, later);
        assert_eq!(pace.rest(later), Some(later + Duration::from_secs(1)));
    }

    #[test]
    fn without_a_bound_there_is_no_rest() {
        let now = Instant::now();
        let mut lifted = Pace::new(Some(1));
        lifted.take(MIB, now);
        lifted.lift();
        for mut pace in [Pace::new(None), lifted] {
            pace.take(1 << 40, now);
            assert_eq!((pace.rest(now), pace.is_bound()), (None, false));
        }
    }
}
