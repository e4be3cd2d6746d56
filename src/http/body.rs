//! The bodies of requests: bounded in size, and in the time that they may take altogether.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::Limited;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::http::problem::Problem;

/// Bytes of a request's body: forms and lists of entries.
const MOST: usize = 256 << 10;

/// How long a client may take for all of it.
const TIME: Duration = Duration::from_secs(30);

/// The middleware.
pub async fn bound(request: Request, next: Next) -> Response {
    let declared = request.headers().get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > MOST as u64) {
        let detail = format!("a request's body may have {MOST} bytes at most");
        return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).into_response();
    }
    let until = Instant::now() + TIME;
    next.run(request.map(|body| {
        let time = Box::pin(tokio::time::sleep_until(until));
        Body::new(Limited::new(Timed { body, time }, MOST))
    }))
    .await
}

/// A body that fails once its time is over.
struct Timed {
    body: Body,
    time: Pin<Box<Sleep>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if frame.is_pending() && self.time.as_mut().poll(context).is_ready() {
            let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
