//! How long uploads stay unsafe: from the moment that a file was closed to the commit of its entry.

use std::time::Duration;

use crate::model::Timestamp;

/// Upper bounds of the buckets of [`Histogram`], seconds; above the last one everything else falls.
pub const BOUNDS: [f64; 18] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 1_800.0, 7_200.0,
];

/// As many minutes are kept.
pub const MINUTES: usize = 60;

/// Microseconds in a minute.
const MINUTE: i64 = 60_000_000;

/// Buckets of a minute: each ends at 1.25 times the end of the one before, the first at a tenth of a
/// millisecond, so a quantile is a quarter too high at most. The last one ends after 11 hours.
const FINE: usize = 90;
const FINE_FIRST: f64 = 0.000_1;
const FINE_RATIO: f64 = 1.25;

/// All close-to-commit times since the start, in the form that Prometheus wants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// Files in each bucket of [`BOUNDS`] alone (not added up), and above the last bound.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// Sum of all times, seconds.
    pub sum: f64,
    pub count: u64,
}

/// The files that became safe within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Minute {
    /// Its begin, by this machine's clock.
    pub begins: Timestamp,
    pub count: u64,
    /// Half of the files took at most so long. Zero in an empty minute.
    pub p50: Duration,
    /// 99 of 100 took at most so long.
    pub p99: Duration,
    pub max: Duration,
}

/// The close-to-commit times of a process: since the start, and of the last hour by minute.
#[derive(Debug, Default)]
pub struct Latencies {
    all: Histogram,
    /// The ring: a minute's place is its number modulo the length.
    ring: Vec<Slot>,
    last: Option<Timestamp>,
}

#[derive(Debug, Clone)]
struct Slot {
    /// Minutes since 1970.
    minute: i64,
    buckets: [u32; FINE],
    count: u64,
    max: Duration,
}

impl Latencies {
    /// Notes a file that became safe at `now`, so long after it was closed.
    pub fn note(&mut self, now: Timestamp, took: Duration) {
        let seconds = took.as_secs_f64();
        self.all.buckets[BOUNDS.partition_point(|bound| *bound < seconds)] += 1;
        self.all.sum += seconds;
        self.all.count += 1;
        self.last = self.last.max(Some(now));
        let minute = now.0.div_euclid(MINUTE);
        let empty = Slot { minute, buckets: [0; FINE], count: 0, max: Duration::ZERO };
        if self.ring.is_empty() {
            self.ring = vec![Slot { minute: i64::MIN, ..empty.clone() }; MINUTES];
        }
        let slot = &mut self.ring[place(minute)];
        if slot.minute > minute {
            return; // The clock was set back: this hour has been told already.
        }
        if slot.minute < minute {
            *slot = empty;
        }
        slot.buckets[fine(seconds)] += 1;
        slot.count += 1;
        slot.max = slot.max.max(took);
    }

    /// All times since the start.
    #[must_use]
    pub fn histogram(&self) -> Histogram {
        self.all.clone()
    }

    /// When the last file became safe.
    #[must_use]
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// The hour that ends with the minute of `now`, oldest first: [`MINUTES`] of them.
    #[must_use]
    pub fn last_hour(&self, now: Timestamp) -> Vec<Minute> {
        let this = now.0.div_euclid(MINUTE);
        (this - MINUTES as i64 + 1..=this)
            .map(|minute| {
                let slot = self.ring.get(place(minute)).filter(|slot| slot.minute == minute);
                let begins = Timestamp(minute * MINUTE);
                let zero = Duration::ZERO;
                slot.map_or(Minute { begins, count: 0, p50: zero, p99: zero, max: zero }, |slot| {
                    let (p50, p99) = (slot.quantile(0.5), slot.quantile(0.99));
                    Minute { begins, count: slot.count, p50, p99, max: slot.max }
                })
            })
            .collect()
    }
}

impl Slot {
    fn quantile(&self, part: f64) -> Duration {
        let wanted = (self.count as f64 * part).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, files) in self.buckets.iter().enumerate() {
            seen += u64::from(*files);
            if seen >= wanted {
                let end = FINE_FIRST * FINE_RATIO.powi(at as i32);
                return Duration::from_secs_f64(end).min(self.max);
            }
        }
        self.max
    }
}

fn place(minute: i64) -> usize {
    minute.rem_euclid(MINUTES as i64) as usize
}

/// The fine bucket of a time.
fn fine(seconds: f64) -> usize {
    if seconds <= FINE_FIRST {
        return 0;
    }
    ((seconds / FINE_FIRST).log(FINE_RATIO).ceil() as usize).min(FINE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_time_falls_into_the_first_bucket_that_holds_it() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.last(), None);
        for took in [ms(0), ms(1), ms(2), ms(250), ms(3_600_000 * 3)] {
            latencies.note(Timestamp(7), took);
        }
        let all = latencies.histogram();
        assert_eq!((all.buckets[0], all.buckets[1], all.buckets[7]), (2, 1, 1));
        assert_eq!((all.buckets[BOUNDS.len()], all.count), (1, 5));
        assert_eq!(latencies.last(), Some(Timestamp(7)));
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn the_hour_has_sixty_minutes_and_forgets_the_one_before() {
        let mut latencies = Latencies::default();
        let at = |minute: i64| Timestamp(minute * MINUTE + 1);
        assert!(latencies.last_hour(at(1_000)).iter().all(|minute| minute.count == 0));
        for took in 1..=100 {
            latencies.note(at(1_000), ms(took));
        }
        let hour = latencies.last_hour(at(1_001));
        assert_eq!(hour.len(), MINUTES);
        let minute = hour[MINUTES - 2];
        assert_eq!((minute.begins, minute.count), (Timestamp(1_000 * MINUTE), 100));
        assert!((ms(50)..ms(63)).contains(&minute.p50), "{minute:?}");
        assert!((ms(99)..=ms(100)).contains(&minute.p99), "{minute:?}");
        assert_eq!(minute.max, ms(100));
        assert_eq!(hour[MINUTES - 1].count, 0);
        // An hour later the place in the ring is another minute's.
        latencies.note(at(1_060), ms(5));
        let hour = latencies.last_hour(at(1_060));
        assert_eq!(hour.iter().map(|minute| minute.count).sum::<u64>(), 1);
        assert_eq!(hour[MINUTES - 1].p99, ms(5));
        // A clock that was set back harms nothing.
        latencies.note(at(1_000), ms(5));
        assert_eq!(latencies.last_hour(at(1_060)), hour);
    }
}
