//! The way to the end of `run` and `watch`: a request starts the time to end, a second one cuts it
//! short.

use std::time::{Duration, Instant};

use crate::capture::Deadline;
use crate::daemon::{Daemon, Farewell};
use crate::process::{Signal, Signals, service_manager};

/// Signals to end that come within this time are one: some platforms send several at once.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// What is left of the time to end after a second signal.
const HURRY: Duration = Duration::from_secs(5);

/// The requests to end so far.
pub struct Ending {
    limit: Duration,
    first: Option<Instant>,
    deadline: Option<Deadline>,
}

impl Ending {
    /// Nobody has asked yet; from the first request, or from [`Ending::begin`], it takes `limit`.
    pub fn new(limit: Duration) -> Self {
        Self { limit, first: None, deadline: None }
    }

    /// When it has to be over; `None` before it has begun.
    pub fn deadline(&self) -> Option<&Deadline> {
        self.deadline.as_ref()
    }

    /// The time to end runs from now on, unless it has been running before.
    pub fn begin(&mut self) -> Deadline {
        let limit = self.limit;
        self.deadline.get_or_insert_with(|| Deadline::at(Instant::now() + limit)).clone()
    }

    /// Takes a signal into account.
    pub fn note(&mut self, signal: Signal) {
        if !signal.asks_to_end() {
            return;
        }
        let now = Instant::now();
        let deadline = self.begin();
        match self.first {
            None => {
                self.first = Some(now);
                tracing::info!(event = "signal", signal = signal.name(), "ending");
                let _ = service_manager::stopping();
            }
            Some(first) if now - first > SAME_SIGNAL => {
                if deadline.bring_forward(now + HURRY) {
                    tracing::warn!(event = "signal", "asked to end again: hurrying");
                }
            }
            Some(_) => {}
        }
    }

    /// Ends the daemon, and listens for requests to be quick about it.
    pub async fn finish(mut self, daemon: Daemon, signals: &mut Signals) -> Farewell {
        let deadline = self.begin();
        let finish = daemon.finish(&deadline);
        tokio::pin!(finish);
        loop {
            tokio::select! {
                farewell = &mut finish => return farewell,
                Some(signal) = signals.recv() => self.note(signal),
            }
        }
    }
}
