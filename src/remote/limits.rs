//! How long the store is waited for, and how often it is asked again.

use std::time::Duration;

use reqwest::Method;

/// Time limits and patience of all requests to a store. The defaults are for the internet; tests have
/// less time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most time to get a connection.
    pub connect: Duration,
    /// Most time without a byte being taken while a content is sent.
    pub stalled: Duration,
    /// Most time until the answer begins once the request has been handed to the system. Longer than
    /// `silence`: the system's buffers hold some megabytes that are still to go over a slow line, and a
    /// store may put many parts together before it speaks.
    pub answer: Duration,
    /// Most time until the answer begins where there is nothing to wait for but the store itself, and
    /// most time without a byte while an answer comes.
    pub silence: Duration,
    /// Time that a call may spend on silence: it is tried again when all its tries stay below it.
    pub in_silence: Duration,
    /// Bytes of a content that must come within a time: a store that sends less hides that it
    /// is out of order, and takes the place of one that would answer.
    pub slowest: (u64, Duration),
    /// How often a request is sent at most.
    pub tries: u32,
    /// The wait before the second try; it doubles from try to try.
    pub first_wait: Duration,
    /// The longest wait between two tries. A store that wants to be left alone for longer is not asked
    /// again in this call.
    pub longest_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            stalled: Duration::from_secs(30),
            answer: Duration::from_secs(120),
            silence: Duration::from_secs(15),
            in_silence: Duration::from_secs(30),
            slowest: (64 << 10, Duration::from_secs(60)),
            tries: 4,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(15),
        }
    }
}

impl Limits {
    /// Most time until the answer to a request begins once the system has taken its content of so many bytes.
    pub(super) fn answer_to(&self, method: &Method, bytes: u64) -> Duration {
        match *method {
            Method::POST if bytes > 0 => self.answer,
            _ => self.answer.min(self.silence + Duration::from_secs(bytes / SLOW_LINE)),
        }
    }

    /// The wait after `tried` tries, or `None` to give up. `asked` is what the store asked for;
    /// `dice`, from 0 to 255, spreads clients that failed together.
    pub(super) fn wait(&self, tried: u32, asked: Option<Duration>, dice: u8) -> Option<Duration> {
        if tried >= self.tries || asked.is_some_and(|asked| asked > self.longest_wait) {
            return None;
        }
        let doubled = self.first_wait * 2_u32.saturating_pow(tried.saturating_sub(1)).min(1 << 16);
        // Between half of it and the whole.
        let spread = doubled.min(self.longest_wait) * (256 + u32::from(dice)) / 512;
        Some(asked.map_or(spread, |asked| asked.max(spread)))
    }
}

/// Bytes a second of a line that is slow, and still good enough for a container.
const SLOW_LINE: u64 = 64 << 10;

/// A throw of the dice for [`Limits::wait`]. Without the system's random numbers it is always the same,
/// which costs nothing but the spread.
pub(super) fn dice() -> u8 {
    getrandom::u32().map_or(128, |number| number.to_le_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_spread_and_end() {
        let limits = Limits::default();
        let ms = |tried, dice| limits.wait(tried, None, dice).map(|wait| wait.as_millis());
        assert_eq!(ms(1, 0), Some(250));
        assert_eq!(ms(1, 255), Some(499));
        assert_eq!(ms(2, 0), Some(500));
        assert_eq!(ms(3, 0), Some(1_000));
        assert_eq!(ms(4, 0), None);
        let many = Limits { tries: 100, ..limits };
        assert!(many.wait(99, None, 255).unwrap() <= limits.longest_wait);
    }

    #[test]
    fn an_answer_is_waited_for_by_what_is_to_be_done_for_it() {
        let limits = Limits::default();
        let seconds = |method, bytes| limits.answer_to(&method, bytes).as_secs();
        assert_eq!(seconds(Method::GET, 0), 15);
        assert_eq!(seconds(Method::PUT, 4_000), 15);
        assert_eq!(seconds(Method::PUT, 1 << 20), 31);
        assert_eq!(seconds(Method::PUT, 8 << 20), 120);
        assert_eq!(seconds(Method::POST, 300), 120);
    }

    #[test]
    fn the_store_s_own_wish_is_kept_or_the_call_ends() {
        let limits = Limits::default();
        let asked = |seconds| limits.wait(1, Some(Duration::from_secs(seconds)), 0);
        assert_eq!(asked(7), Some(Duration::from_secs(7)));
        assert_eq!(asked(3_600), None);
    }
}
