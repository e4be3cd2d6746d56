//! A content on its way back: bounded, and taken up again where a connection broke.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::remote::Sink;
use crate::remote::error::{Failure, Trouble};
use crate::remote::limits::{Limits, dice};

/// A body that has begun to come.
pub(super) struct Body<'b> {
    /// The offset in the content of its first byte: where it was asked to start, or before.
    pub start: u64,
    /// Bytes of the whole content, where the store says so.
    pub total: Option<u64>,
    pub pieces: BoxStream<'b, Result<Bytes, Failure>>,
}

/// A connection that brings this much has earned new patience: so the number of tries is bounded by the
/// length, however bad the line.
const WORTH_A_TRY: u64 = 1 << 20;

/// Fetches a content. `open` begins it at an offset, with patience of its own.
pub(super) async fn download<'b>(
    limits: &Limits,
    most: u64,
    sink: &mut Sink<'_>,
    open: impl Fn(u64) -> BoxFuture<'b, Result<Body<'b>, Failure>> + Send,
) -> Result<u64, Failure> {
    let too_long = || {
        let cause = format!("it has more than the {most} bytes that are expected");
        Failure::new(Trouble::Wrong, cause)
    };
    let mut have = 0;
    let (mut tried, mut tried_at) = (0, 0);
    loop {
        let mut body = open(have).await?;
        if body.total.is_some_and(|total| total > most) {
            return Err(too_long());
        }
        if body.start > have {
            return Err(Failure::new(Trouble::Wrong, "it leaves out a part of the content"));
        }
        let mut skip = have - body.start;
        let cut = loop {
            match body.pieces.next().await {
                Some(Ok(piece)) => {
                    let known = skip.min(piece.len() as u64);
                    skip -= known;
                    let new = &piece[known as usize..];
                    have += new.len() as u64;
                    if have > most {
                        return Err(too_long());
                    }
                    sink(new).map_err(|error| Failure::local(&error))?;
                }
                Some(Err(failure)) => break failure,
                None if body.total.is_none_or(|total| have >= total) && skip == 0 => {
                    return Ok(have);
                }
                None => break Failure::new(Trouble::Away, "it ended in the middle"),
            }
        };
        if have - tried_at >= WORTH_A_TRY {
            (tried, tried_at) = (0, have);
        }
        tried += 1;
        let wait = limits.wait(tried, cut.retry_after, dice());
        let Some(wait) = wait.filter(|_| cut.may_pass()) else {
            let cause = format!("after {have} bytes: {}", cut.cause);
            return Err(Failure { cause, ..cut });
        };
        tracing::debug!(event = "remote_retry", reason = %cut, have, "taking it up again");
        tokio::time::sleep(wait).await;
    }
}
