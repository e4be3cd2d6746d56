//! What a thread's work has cost.

use std::fs;
use std::time::{Duration, Instant};

/// A piece of work on this thread, from its beginning.
#[derive(Debug)]
pub struct Effort {
    began: Instant,
    before: Option<Duration>,
}

impl Effort {
    /// Begins to count.
    #[must_use]
    pub fn begin() -> Self {
        Self { began: Instant::now(), before: processor_time() }
    }

    /// The processor's time that this thread has used since; where the kernel does not count it, the time that has
    /// passed.
    #[must_use]
    pub fn spent(&self) -> Duration {
        match (self.before, processor_time()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => self.began.elapsed(),
        }
    }
}

/// The processor's time of this thread so far.
fn processor_time() -> Option<Duration> {
    let counts = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    counts.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_counts_and_sleep_does_not() {
        let effort = Effort::begin();
        std::thread::sleep(Duration::from_millis(50));
        let asleep = effort.spent();
        let mut sum = 0_u64;
        while effort.spent() == asleep {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(asleep < Duration::from_millis(50), "{asleep:?}");
    }
}
