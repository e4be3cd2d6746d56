//! How often one and the same complaint is told.
//!
//! A database that is away for a night fails every attempt; the log is to say so, and not to be filled with it.

use std::time::{Duration, Instant};

/// Lets the first line of a kind through at once, and later ones at gaps that double. The time is passed in.
#[derive(Debug, Clone)]
pub struct LogLimit {
    first_gap: Duration,
    max_gap: Duration,
    /// When the last line was let through, and the gap that follows it.
    last: Option<(Instant, Duration)>,
    left_out: u64,
}

/// How many lines were left out since the last one that was let through: to be told with this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suppressed(pub u64);

impl LogLimit {
    /// A limit whose gaps grow from `first_gap` to `max_gap`.
    #[must_use]
    pub fn new(first_gap: Duration, max_gap: Duration) -> Self {
        Self { first_gap, max_gap, last: None, left_out: 0 }
    }

    /// Whether a line is to be written `now`.
    pub fn allow(&mut self, now: Instant) -> Option<Suppressed> {
        let next_gap = match self.last {
            None => self.first_gap,
            Some((at, gap)) if now.saturating_duration_since(at) >= gap => {
                gap.saturating_mul(2).min(self.max_gap)
            }
            Some(_) => {
                self.left_out += 1;
                return None;
            }
        };
        self.last = Some((now, next_gap.min(self.max_gap)));
        Some(Suppressed(std::mem::take(&mut self.left_out)))
    }

    /// The trouble is over: the next one is told at once. Returns how many lines were left out at the end.
    pub fn reset(&mut self) -> Suppressed {
        self.last = None;
        Suppressed(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn gaps_double_and_what_is_left_out_is_counted() {
        let start = Instant::now();
        let mut limit = LogLimit::new(secs(10), secs(30));
        let told: Vec<_> = (0..=120)
            .filter_map(|second| limit.allow(start + secs(second)).map(|left| (second, left.0)))
            .collect();
        assert_eq!(told, [(0, 0), (10, 9), (30, 19), (60, 29), (90, 29), (120, 29)]);
    }

    #[test]
    fn after_recovery_the_next_line_is_told_at_once() {
        let start = Instant::now();
        let mut limit = LogLimit::new(secs(10), secs(600));
        assert_eq!(limit.allow(start), Some(Suppressed(0)));
        assert_eq!(limit.allow(start + secs(1)), None);
        assert_eq!(limit.reset(), Suppressed(1));
        assert_eq!(limit.allow(start + secs(2)), Some(Suppressed(0)));
        assert_eq!(limit.allow(start + secs(11)), None);
        assert_eq!(limit.allow(start + secs(12)), Some(Suppressed(1)));
    }

    #[test]
    fn t28_a_database_that_is_away_for_long_makes_few_lines() {
        let start = Instant::now();
        let mut limit = LogLimit::new(secs(10), secs(600));
        let tenths = 10 * 3_600;
        let lines = (0..tenths)
            .filter(|tenth| limit.allow(start + Duration::from_millis(tenth * 100)).is_some())
            .count();
        assert!(lines <= 12, "{lines} lines in an hour");
    }

    #[test]
    fn a_clock_that_stands_still_or_a_gap_of_nothing_do_no_harm() {
        let now = Instant::now();
        let mut limit = LogLimit::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(limit.allow(now), Some(Suppressed(0)));
        assert_eq!(limit.allow(now), Some(Suppressed(0)));
        let mut limit = LogLimit::new(secs(10), secs(600));
        assert!(limit.allow(now + secs(5)).is_some());
        assert_eq!(limit.allow(now), None);
    }
}
