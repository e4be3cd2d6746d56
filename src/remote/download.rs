//! A content on its way back: bounded, and taken up again where a connection broke.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;

use crate::remote::Sink;
use crate::remote::error::{Failure, Trouble};
use crate::remote::patience::Patience;

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
    patience: &Patience,
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
        let mut pace = Pace::new(patience.limits.slowest);
        let cut = loop {
            let asked = Instant::now();
            let next = body.pieces.next().await;
            let waited = asked.elapsed();
            match next {
                Some(Ok(piece)) => {
                    let known = skip.min(piece.len() as u64);
                    skip -= known;
                    let new = &piece[known as usize..];
                    have += new.len() as u64;
                    if have > most {
                        return Err(too_long());
                    }
                    sink(new).map_err(|error| Failure::local(&error))?;
                    let is_whole = body.total == Some(have);
                    if let Some(slow) = pace.too_slow(piece.len() as u64, waited)
                        && !is_whole
                    {
                        break patience.silence(patience.limits.slowest.1, slow);
                    }
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
        if !patience.pause(tried, &cut).await {
            let cause = format!("after {have} bytes: {}", cut.cause);
            return Err(Failure { cause, ..cut });
        }
        tracing::debug!(event = "remote_retry", reason = %cut, have, "taking it up again");
    }
}

/// How fast a content comes, by the time in which it was waited for: a slow disk or reader on this side is
/// no fault of the store.
struct Pace {
    least: (u64, Duration),
    came: u64,
    waited: Duration,
}

impl Pace {
    fn new(least: (u64, Duration)) -> Self {
        Self { least, came: 0, waited: Duration::ZERO }
    }

    /// Takes a piece into account; says how slow it is, when that is too slow.
    fn too_slow(&mut self, bytes: u64, waited: Duration) -> Option<String> {
        let (least, within) = self.least;
        self.came += bytes;
        self.waited += waited;
        if self.came >= least {
            *self = Self::new(self.least);
            return None;
        }
        let came = self.came;
        (self.waited > within).then(|| format!("only {came} bytes have come in {within:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_trickles_is_too_slow_and_what_flows_is_not() {
        let seconds = Duration::from_secs;
        let mut pace = Pace::new((1_000, seconds(60)));
        for _ in 0..100 {
            assert_eq!(pace.too_slow(500, seconds(30)), None);
        }
        for _ in 0..6 {
            assert_eq!(pace.too_slow(1, seconds(10)), None);
        }
        assert_eq!(pace.too_slow(1, seconds(10)).unwrap(), "only 7 bytes have come in 60s");
    }
}
