//! The connections that are open, and which of them may go to make room for a new one.
//!
//! A connection on which nothing is being answered costs next to nothing, so there may be many; but
//! somebody who opens more and more of them must not keep others out. At the bound, the one that has
//! been idle for longest is closed: whoever sends a request at once is never the one.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::sync::Notify;

/// All open connections.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    count: u64,
    all: HashMap<u64, State>,
}

#[derive(Debug)]
struct State {
    /// `None` while something is being answered.
    idle_since: Option<Instant>,
    close: Arc<Notify>,
}

/// One of them. Dropped, it is closed.
#[derive(Debug)]
pub struct Connection {
    number: u64,
    close: Arc<Notify>,
    connections: Arc<Connections>,
}

/// Something is being answered, until this is dropped.
#[derive(Debug)]
pub struct Busy {
    number: u64,
    connections: Arc<Connections>,
}

impl Connections {
    /// None so far, and so many at most.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, open: Mutex::default() })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits one more. `None` when there are as many as there may be, and all of them are busy.
    #[must_use]
    pub fn admit(self: &Arc<Self>, now: Instant) -> Option<Connection> {
        let mut open = self.open();
        if open.all.len() >= self.most {
            let idle = open.all.iter().filter_map(|(number, s)| Some((s.idle_since?, *number)));
            let (_, longest) = idle.min()?;
            if let Some(state) = open.all.remove(&longest) {
                state.close.notify_one();
            }
        }
        open.count += 1;
        let (number, close) = (open.count, Arc::<Notify>::default());
        open.all.insert(number, State { idle_since: Some(now), close: close.clone() });
        Some(Connection { number, close, connections: self.clone() })
    }

    fn mark(&self, number: u64, idle_since: Option<Instant>) {
        if let Some(state) = self.open().all.get_mut(&number) {
            state.idle_since = idle_since;
        }
    }
}

impl Connection {
    /// Waits until this one has to make room.
    pub async fn has_to_go(&self) {
        self.close.notified().await;
    }

    /// A request has come. One at a time: an answer ends before the next request is read.
    #[must_use]
    pub fn busy(&self) -> Busy {
        self.connections.mark(self.number, None);
        Busy { number: self.number, connections: self.connections.clone() }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections.open().all.remove(&self.number);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.connections.mark(self.number, Some(Instant::now()));
    }
}

/// The body of an answer, which keeps its connection busy until it was taken.
pub struct Answering {
    body: Body,
    _busy: Busy,
}

impl Answering {
    pub fn new(body: Body, busy: Busy) -> Self {
        Self { body, _busy: busy }
    }
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn the_longest_idle_one_makes_room_and_a_busy_one_never() {
        let connections = Connections::new(2);
        let now = Instant::now();
        let first = connections.admit(now).unwrap();
        let second = connections.admit(now + Duration::from_secs(1)).unwrap();
        let busy = first.busy();
        let third = connections.admit(now + Duration::from_secs(2)).unwrap();
        second.has_to_go().await;
        drop(second);
        let also_busy = third.busy();
        assert!(connections.admit(now).is_none(), "all are busy");
        drop(busy);
        let fourth = connections.admit(now).unwrap();
        first.has_to_go().await;
        drop((first, also_busy, third, fourth));
        assert!(connections.open().all.is_empty());
    }
}
