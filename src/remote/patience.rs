//! Whether a store that has not answered is asked again, by what it has shown of itself so far.
//!
//! A refusal costs a moment, and may be tried again as often as the limits say. Silence costs a whole time
//! limit each time, in which an upload is not safe and an app waits for its files. So little of it is
//! borne, and none from a store that has been silent to others too.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::remote::error::Failure;
use crate::remote::limits::{Limits, dice};

/// After so many silences in a row, of all requests together, the store is taken to be gone. More than
/// one, since a single object may be what it stumbles over.
const GONE: u32 = 8;

/// The limits of one store, and how often in a row it has been silent.
#[derive(Debug)]
pub(super) struct Patience {
    pub limits: Limits,
    silences: AtomicU32,
}

impl Patience {
    pub fn new(limits: Limits) -> Self {
        Self { limits, silences: AtomicU32::new(0) }
    }

    /// The store has said something, whatever it was.
    pub fn answered(&self) {
        self.silences.store(0, Ordering::Relaxed);
    }

    /// The failure of a request that has met silence.
    pub fn silence(&self, lasted: Duration, cause: String) -> Failure {
        self.silences.fetch_add(1, Ordering::Relaxed);
        Failure::silence(lasted, cause)
    }

    /// Waits until it is time to try again after `tried` tries; `false` when there is to be no other.
    pub async fn pause(&self, tried: u32, failure: &Failure) -> bool {
        let Some(wait) = self.wait(tried, failure) else { return false };
        tokio::time::sleep(wait).await;
        // Others may have met the same meanwhile: requests that were sent together fail together.
        !self.is_in_vain(failure)
    }

    fn wait(&self, tried: u32, failure: &Failure) -> Option<Duration> {
        if !failure.may_pass() || self.is_in_vain(failure) {
            return None;
        }
        // The next try may cost as much as each before.
        if failure.silent.is_some_and(|lasted| lasted * (tried + 1) > self.limits.in_silence) {
            return None;
        }
        self.limits.wait(tried, failure.retry_after, dice())
    }

    fn is_in_vain(&self, failure: &Failure) -> bool {
        failure.silent.is_some() && self.silences.load(Ordering::Relaxed) >= GONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Trouble;

    fn silence(patience: &Patience) -> Failure {
        patience.silence(patience.limits.silence, "no answer".into())
    }

    #[test]
    fn silence_is_borne_for_half_a_minute() {
        let patience = Patience::new(Limits::default());
        let tries = |lasted| {
            let silence = patience.silence(lasted, "no answer".into());
            (1..).find(|tried| patience.wait(*tried, &silence).is_none())
        };
        assert_eq!(tries(patience.limits.silence), Some(2));
        assert_eq!(tries(patience.limits.answer), Some(1));
        let refusal = Failure::new(Trouble::Away, "503");
        assert!(patience.wait(3, &refusal).is_some());
        assert!(patience.wait(1, &Failure::new(Trouble::Denied, "403")).is_none());
    }

    #[test]
    fn a_store_that_is_silent_to_all_is_not_asked_again_until_it_answers() {
        let patience = Patience::new(Limits::default());
        for _ in 1..GONE {
            let met = silence(&patience);
            assert!(patience.wait(1, &met).is_some());
        }
        let met = silence(&patience);
        assert!(patience.wait(1, &met).is_none());
        patience.answered();
        assert!(patience.wait(1, &met).is_some());
    }

    #[tokio::test]
    async fn requests_that_were_sent_together_give_up_together() {
        let first_wait = Duration::from_millis(10);
        let patience = Patience::new(Limits { first_wait, ..Limits::default() });
        let first = silence(&patience);
        let others = async {
            for _ in 1..GONE {
                drop(silence(&patience));
            }
        };
        assert!(!tokio::join!(patience.pause(1, &first), others).0);
    }
}
