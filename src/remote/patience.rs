//! Whether a store that has not answered is asked again, by what it has shown of itself so far.
//!
//! A refusal costs a moment, and may be tried again as often as the limits say. Silence costs a whole time
//! limit each time, in which an upload is not safe and an app waits for its files. So it is tried again
//! once, and not at all by a store that has been silent to others too.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::remote::error::Failure;
use crate::remote::limits::{Limits, dice};

/// Most tries of a request of which the last met silence.
const TRIES_IN_SILENCE: u32 = 2;

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
    pub fn silence(&self, cause: String) -> Failure {
        self.silences.fetch_add(1, Ordering::Relaxed);
        Failure::silence(cause)
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
        if failure.silent && tried >= TRIES_IN_SILENCE {
            return None;
        }
        self.limits.wait(tried, failure.retry_after, dice())
    }

    fn is_in_vain(&self, failure: &Failure) -> bool {
        failure.silent && self.silences.load(Ordering::Relaxed) >= GONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::Trouble;

    #[test]
    fn silence_is_tried_again_once() {
        let patience = Patience::new(Limits::default());
        let silence = patience.silence("no answer".into());
        assert!(patience.wait(1, &silence).is_some());
        assert!(patience.wait(2, &silence).is_none());
        let refusal = Failure::new(Trouble::Away, "503");
        assert!(patience.wait(3, &refusal).is_some());
        assert!(patience.wait(1, &Failure::new(Trouble::Denied, "403")).is_none());
    }

    #[test]
    fn a_store_that_is_silent_to_all_is_not_asked_again_until_it_answers() {
        let patience = Patience::new(Limits::default());
        for _ in 1..GONE {
            let silence = patience.silence("no answer".into());
            assert!(patience.wait(1, &silence).is_some());
        }
        let silence = patience.silence("no answer".into());
        assert!(patience.wait(1, &silence).is_none());
        patience.answered();
        assert!(patience.wait(1, &silence).is_some());
    }

    #[tokio::test]
    async fn requests_that_were_sent_together_give_up_together() {
        let first_wait = Duration::from_millis(10);
        let patience = Patience::new(Limits { first_wait, ..Limits::default() });
        let first = patience.silence("no answer".into());
        let others = async {
            for _ in 1..GONE {
                drop(patience.silence("no answer".into()));
            }
        };
        assert!(!tokio::join!(patience.pause(1, &first), others).0);
    }
}
