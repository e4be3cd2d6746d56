//! The backlog's pace, and its large files: what only a scan of everything has found takes its time.

use std::sync::PoisonError;
use std::time::Instant;

use crate::capture::queue::Queue;

impl Queue {
    /// Whether backlog is bound to a pace.
    pub fn is_paced(&self) -> bool {
        self.state().pace.is_bound()
    }

    /// Takes bytes of the backlog, which others pay for by waiting.
    pub fn take(&self, bytes: u64) {
        self.state().pace.take(bytes, Instant::now());
    }

    /// As [`Queue::take`], and waits until more may be taken: for a file that is read piece by piece.
    pub fn take_and_rest(&self, bytes: u64) {
        let mut state = self.state();
        state.pace.take(bytes, Instant::now());
        loop {
            let now = Instant::now();
            let Some(until) = state.pace.rest(now).filter(|_| !state.closed) else { return };
            let wait = until.saturating_duration_since(now);
            state = self.paced.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether a large file of the backlog may set out; no other one may until [`Queue::end_unhurried`].
    pub fn begin_unhurried(&self) -> bool {
        !std::mem::replace(&mut self.state().streaming, true)
    }

    /// Ends [`Queue::begin_unhurried`].
    pub fn end_unhurried(&self) {
        self.state().streaming = false;
        self.work.notify_all();
    }

    /// Whether backlog has to wait, for nothing but its pace.
    pub fn backlog_rests(&self) -> bool {
        self.state().backlog_rests(Instant::now())
    }
}
