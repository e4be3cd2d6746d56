//! The way of the bytes from where they are to the client, piece by piece.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use crate::http::{Problem, Site};
use crate::model::entry::{CHUNK_BYTES, ChunkSet};
use crate::model::version::PastRow;
use crate::payload::damage::Reason;
use crate::payload::{Expected, ReadError, Reader};

/// What is to be copied.
pub struct Copy {
    pub site: Arc<Site>,
    pub row: PastRow,
    /// The chunks, if the bytes are there.
    pub chunks: Option<ChunkSet>,
    pub expected: Expected,
    /// The bytes that are wanted.
    pub window: Range<u64>,
}

type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// The client's end. The last piece is held back until the bytes are known to be right.
struct Out {
    begun: Option<oneshot::Sender<Result<(), Problem>>>,
    pieces: Pieces,
    held: Option<Bytes>,
}

impl Out {
    /// Takes a piece, and sends the one before; `false` when the client has gone.
    async fn take(&mut self, piece: Bytes) -> bool {
        match self.held.replace(piece) {
            Some(before) => self.send(before).await,
            None => true,
        }
    }

    async fn send(&mut self, piece: Bytes) -> bool {
        self.begin(Ok(()));
        self.pieces.send(Ok(piece)).await.is_ok()
    }

    fn begin(&mut self, begun: Result<(), Problem>) {
        if let Some(sender) = self.begun.take() {
            // A client that has gone away needs no answer.
            let _ = sender.send(begun);
        }
    }

    async fn end(mut self) {
        if let Some(last) = self.held.take() {
            self.send(last).await;
        }
        self.begin(Ok(()));
    }

    /// A problem while nothing was sent; later the connection is cut.
    async fn fail(mut self, row: PastRow, error: ReadError) {
        let problem = problem(row, error);
        if self.begun.is_some() {
            return self.begin(Err(problem));
        }
        let reason = &problem.detail;
        let id = row.id();
        tracing::warn!(
            event = "http_cut",
            id,
            reason,
            "the content of {row} is not sent to its end"
        );
        let _ = self.pieces.send(Err(io::Error::other(problem.detail))).await;
    }
}

/// Copies until the end, or until the client has gone.
pub async fn copy(order: Copy, begun: oneshot::Sender<Result<(), Problem>>, pieces: Pieces) {
    let mut out = Out { begun: Some(begun), pieces, held: None };
    let whole = order.window == (0..order.expected.0);
    let copied = match order.chunks {
        // A range is not worth the way from the beginning; without that nothing can be verified anyway.
        Some(set) if !whole => copy_chunks(&order, set, &mut out).await,
        _ => copy_read(&order, &mut out).await,
    };
    match copied {
        Ok(true) => out.end().await,
        Ok(false) => {}
        Err(error) => out.fail(order.row, error).await,
    }
}

/// Reads from the beginning, and verifies what is read to the end. `false`: the client has gone.
async fn copy_read(order: &Copy, out: &mut Out) -> Result<bool, ReadError> {
    let site = &order.site;
    let mut reader = Reader::open_row(&*site.store, site.remote.as_ref(), order.row).await?;
    if reader.expected() != order.expected {
        return Err(ReadError::Replaced);
    }
    let mut at = 0;
    while let Some(piece) = reader.next().await? {
        let begins = at;
        at += piece.len() as u64;
        if let Some(piece) = cut(piece, begins, &order.window)
            && !out.take(piece).await
        {
            return Ok(false);
        }
        if at >= order.window.end && order.window.end < order.expected.0 {
            break;
        }
    }
    Ok(true)
}

/// Reads the chunks that a range lies in.
async fn copy_chunks(order: &Copy, set: ChunkSet, out: &mut Out) -> Result<bool, ReadError> {
    let bytes = CHUNK_BYTES as u64;
    let (window, size) = (&order.window, order.expected.0);
    for number in window.start / bytes..=(window.end - 1) / bytes {
        let seq = u32::try_from(number).unwrap_or(u32::MAX);
        let chunk = order.site.store.read_chunk(set, seq).await?;
        let begins = number * bytes;
        let due = (size - begins).min(bytes);
        let chunk = chunk.filter(|chunk| chunk.len() as u64 == due);
        let chunk = chunk.ok_or(ReadError::Damaged(Reason::Chunk(seq)))?;
        if let Some(piece) = cut(chunk.into(), begins, window)
            && !out.take(piece).await
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The part of a piece that lies within the window.
fn cut(piece: Bytes, begins: u64, window: &Range<u64>) -> Option<Bytes> {
    let ends = begins + piece.len() as u64;
    let (start, end) = (window.start.max(begins), window.end.min(ends));
    (start < end).then(|| piece.slice((start - begins) as usize..(end - begins) as usize))
}

/// Why the bytes are not to be had, for the client.
fn problem(row: PastRow, error: ReadError) -> Problem {
    let again = std::time::Duration::from_secs(1);
    match error {
        ReadError::Damaged(reason) => {
            let cure = match row {
                PastRow::Entry(_) => {
                    "; if the file is on a disk, store it again with `imagecached cache PATH`"
                }
                PastRow::Version(_) => "",
            };
            let detail = format!("{row} is damaged: {reason}{cure}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
        }
        ReadError::Removed => Problem::not_found(row),
        ReadError::Replaced => {
            let detail = format!("{row} got another content just now; ask again");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(again)
        }
        ReadError::Store(error) => error.into(),
        ReadError::Remote(error) => Problem::new(StatusCode::BAD_GATEWAY, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_to_the_window() {
        let piece = || Bytes::from_static(b"0123456789");
        assert_eq!(cut(piece(), 0, &(0..100)).unwrap(), piece());
        assert_eq!(cut(piece(), 100, &(95..103)).unwrap(), "012");
        assert_eq!(cut(piece(), 100, &(108..200)).unwrap(), "89");
        assert_eq!(cut(piece(), 100, &(103..105)).unwrap(), "34");
        assert_eq!(cut(piece(), 100, &(0..100)), None);
        assert_eq!(cut(piece(), 100, &(110..200)), None);
    }
}
