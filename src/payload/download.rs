//! An object that comes piece by piece, for a reader that takes its time.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::remote::{Remote, RemoteError};

/// What the network brings is put together to pieces of this size.
const PIECE: usize = 256 << 10;

/// Pieces that wait to be taken.
const WAITING: usize = 2;

/// A download under way. It ends when this is dropped.
pub(super) struct Download {
    pieces: mpsc::Receiver<Bytes>,
    task: JoinSet<Result<(), RemoteError>>,
}

impl Download {
    /// Begins to fetch an object of at most this many bytes. Wants a runtime of several threads.
    pub fn start(remote: Arc<dyn Remote>, url: String, most: u64) -> Self {
        let (sender, pieces) = mpsc::channel(WAITING);
        let mut task = JoinSet::new();
        task.spawn(fetch(remote, url, most, sender));
        Self { pieces, task }
    }

    /// The next piece; `None` when the store has given all it has.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RemoteError> {
        if let Some(piece) = self.pieces.recv().await {
            return Ok(Some(piece));
        }
        match self.task.join_next().await {
            Some(done) => done.expect("a download does not panic").map(|()| None),
            None => Ok(None),
        }
    }
}

async fn fetch(
    remote: Arc<dyn Remote>,
    url: String,
    most: u64,
    sender: mpsc::Sender<Bytes>,
) -> Result<(), RemoteError> {
    let mut piece = Vec::new();
    let mut sink = |bytes: &[u8]| {
        piece.extend_from_slice(bytes);
        if piece.len() < PIECE {
            return Ok(());
        }
        let full = Bytes::from(std::mem::take(&mut piece));
        // The reader may be slow, and other work must not wait for it.
        tokio::task::block_in_place(|| sender.blocking_send(full))
            .map_err(|_| io::Error::other("nobody reads on"))
    };
    remote.download(&url, most, &mut sink).await?;
    if !piece.is_empty() {
        // Whoever has gone away does not miss it.
        let _ = sender.send(piece.into()).await;
    }
    Ok(())
}
