//! A deadline that can be brought forward while somebody waits for it.

use std::time::Instant;

use tokio::sync::watch;

/// The moment at which something is given up. Clones are the same deadline.
#[derive(Debug, Clone)]
pub struct Deadline(watch::Sender<Instant>);

impl Deadline {
    /// At this moment, until it is brought forward.
    #[must_use]
    pub fn at(moment: Instant) -> Self {
        Self(watch::Sender::new(moment))
    }

    /// The moment, as it is now.
    #[must_use]
    pub fn moment(&self) -> Instant {
        *self.0.borrow()
    }

    /// Moves it to `moment`, if that is earlier; says whether it was.
    pub fn bring_forward(&self, moment: Instant) -> bool {
        self.0.send_if_modified(|at| {
            let earlier = moment < *at;
            *at = moment.min(*at);
            earlier
        })
    }

    /// Returns once it has passed.
    pub async fn passed(&self) {
        let mut changes = self.0.subscribe();
        loop {
            let moment = *changes.borrow_and_update();
            tokio::select! {
                () = tokio::time::sleep_until(moment.into()) => return,
                // Never an error: the sender is borrowed for as long as this waits.
                _ = changes.changed() => {}
            }
        }
    }

    /// Calls `f` with the moment, and again whenever it is brought forward; never returns.
    pub async fn follow(&self, mut f: impl FnMut(Instant)) {
        let mut changes = self.0.subscribe();
        loop {
            f(*changes.borrow_and_update());
            // Never an error: the sender is borrowed for as long as this waits.
            let _ = changes.changed().await;
        }
    }

    /// What comes of `work`, or `None` when it has not ended by then.
    pub async fn bound<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = self.passed() => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn it_can_be_brought_forward_while_somebody_waits() {
        let now = Instant::now();
        let deadline = Deadline::at(now + Duration::from_secs(3_600));
        let waiting = tokio::spawn({
            let deadline = deadline.clone();
            async move { deadline.bound(std::future::pending::<()>()).await }
        });
        assert!(!deadline.bring_forward(now + Duration::from_secs(7_200)), "it was put off");
        assert!(deadline.bring_forward(now));
        assert_eq!(waiting.await.unwrap(), None);
        assert_eq!(deadline.bound(async { 1 }).await, Some(1), "what is done counts");
    }
}
