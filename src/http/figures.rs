//! The figures of the image cache, for whoever asks over HTTP: counted anew for each, as long as that is quick.
//!
//! To count a million entries takes a database some tenths of a second. Then an answer waits for a moment only,
//! and tells what was counted last, and when; the counting goes on behind it, and not all the time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::{Growth, Store, StoreError, Totals};

/// Fewer entries than these are counted for every answer, however long that takes.
const MANY: u64 = 50_000;

/// How long an answer waits for new figures where there are others.
const PATIENCE: Duration = Duration::from_millis(30);

/// Of the time, counting takes no more than one part in so many.
const SHARE: u32 = 10;

/// Something that was counted.
#[derive(Debug, Clone)]
pub struct Counted<T> {
    pub figures: T,
    at: Instant,
    /// How long it took.
    took: Duration,
}

impl<T> Counted<T> {
    /// For how long these have been the figures.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.at.elapsed()
    }

    /// Whether they are so new that nothing is to be counted yet.
    fn is_new(&self) -> bool {
        self.age() < self.took * SHARE
    }
}

/// What was counted last.
#[derive(Debug)]
struct Kept<T> {
    last: Mutex<Option<Counted<T>>>,
    /// Held by whoever counts.
    turn: tokio::sync::Mutex<()>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { last: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T: Clone + Send + 'static> Kept<T> {
    fn last(&self) -> Option<Counted<T>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The figures; `are_many` says whether those that were counted last may be told again.
    async fn get(
        self: &Arc<Self>,
        are_many: impl Fn(&T) -> bool,
        count: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<Counted<T>, StoreError> {
        let last = self.last().filter(|last| are_many(&last.figures));
        if let Some(last) = &last
            && (last.is_new() || self.turn.try_lock().is_err())
        {
            return Ok(last.clone());
        }
        let kept = self.clone();
        let mut counting = tokio::spawn(async move {
            let _turn = kept.turn.lock().await;
            let began = Instant::now();
            let figures = count.await?;
            let counted = Counted { figures, at: began, took: began.elapsed() };
            *kept.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted.clone());
            Ok(counted)
        });
        let counted = match last {
            None => counting.await,
            Some(last) => match tokio::time::timeout(PATIENCE, &mut counting).await {
                Ok(counted) => counted,
                Err(_) => return Ok(last),
            },
        };
        counted.expect("counting does not panic, and nobody stops it")
    }
}

/// The figures of one image cache.
pub struct Figures {
    store: Arc<dyn Store>,
    totals: Arc<Kept<Totals>>,
    growth: Arc<Kept<Vec<Growth>>>,
}

impl Figures {
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, totals: Arc::default(), growth: Arc::default() }
    }

    /// As [`Store::totals`].
    ///
    /// # Errors
    /// The store's.
    pub async fn totals(&self) -> Result<Counted<Totals>, StoreError> {
        let store = self.store.clone();
        let are_many = |totals: &Totals| totals.entries >= MANY;
        self.totals.get(are_many, async move { store.totals().await }).await
    }

    /// As [`Store::growth`]; always of so many days.
    ///
    /// # Errors
    /// The store's.
    pub async fn growth(&self, days: u32) -> Result<Counted<Vec<Growth>>, StoreError> {
        let store = self.store.clone();
        // Few days may have few of very many entries; to find those can take as long.
        let entries = self.totals.last().map_or(0, |totals| totals.figures.entries);
        self.growth.get(|_| entries >= MANY, async move { store.growth(days).await }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts to `figure` when it is told to.
    async fn count(told: tokio::sync::oneshot::Receiver<u64>) -> Result<u64, StoreError> {
        Ok(told.await.expect("it is told"))
    }

    fn at_once(figure: u64) -> tokio::sync::oneshot::Receiver<u64> {
        let (tell, told) = tokio::sync::oneshot::channel();
        tell.send(figure).unwrap();
        told
    }

    #[tokio::test]
    async fn few_are_counted_for_every_answer() {
        let kept = Arc::<Kept<u64>>::default();
        for figure in 1..5 {
            let counted = kept.get(|_| false, count(at_once(figure))).await.unwrap();
            assert_eq!(counted.figures, figure);
        }
    }

    #[tokio::test]
    async fn many_are_told_from_before_while_they_are_counted_again() {
        let kept = Arc::<Kept<u64>>::default();
        assert_eq!(kept.get(|_| true, count(at_once(1))).await.unwrap().figures, 1);
        kept.last.lock().unwrap().as_mut().unwrap().took = Duration::ZERO;
        let (tell, told) = tokio::sync::oneshot::channel();
        assert_eq!(kept.get(|_| true, count(told)).await.unwrap().figures, 1);
        // It is under way: nobody begins it again, and nobody waits.
        assert_eq!(kept.get(|_| true, count(at_once(3))).await.unwrap().figures, 1);
        tell.send(2).unwrap();
        drop(kept.turn.lock().await);
        assert_eq!(kept.last().unwrap().figures, 2);
        // New ones are told as they are.
        kept.last.lock().unwrap().as_mut().unwrap().took = Duration::MAX / SHARE;
        assert_eq!(kept.get(|_| true, count(at_once(4))).await.unwrap().figures, 2);
    }
}
