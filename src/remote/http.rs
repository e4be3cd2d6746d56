//! The one HTTP client: time limits that see whether bytes move, retries, and no redirects.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use tokio::time::Instant;

use crate::remote::answer;
use crate::remote::error::{Failure, Trouble};
use crate::remote::limits::Limits;
use crate::remote::patience::Patience;

/// How much is handed to the connection at a time: what the eye that watches for a stall can tell apart.
const FRAME: usize = 64 << 10;

/// A request that can be sent again.
#[derive(Clone)]
pub(super) struct Request {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Vec<Bytes>,
}

impl Request {
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Vec::new() }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Http {
    client: reqwest::Client,
    pub patience: Arc<Patience>,
}

impl Http {
    pub fn new(patience: Arc<Patience>) -> Result<Self, Failure> {
        let limits = &patience.limits;
        // The whole process has one, and whoever comes first sets it: they are all the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .user_agent(concat!("imagecached/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(limits.connect)
            // What the system has taken from us has not reached the store yet.
            .tcp_user_timeout(limits.stalled)
            // A cut idle connection must not cost a try.
            .pool_idle_timeout(Duration::from_secs(20))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .http1_only()
            .build()
            .map_err(|error| Failure::new(Trouble::Other, told(&error)))?;
        Ok(Self { client, patience })
    }

    /// Sends a request until it is answered with something else than a refusal that may pass. `expected`
    /// says which answers beside success the caller understands; all others become a failure.
    pub async fn send(
        &self,
        request: &Request,
        expected: impl Fn(StatusCode) -> bool + Send,
    ) -> Result<Response, Failure> {
        let mut tried = 0;
        loop {
            let failure = match self.once(request).await {
                Ok(response) if response.status().is_success() || expected(response.status()) => {
                    return Ok(response);
                }
                Ok(response) => self.refusal(response).await,
                Err(failure) => failure,
            };
            tried += 1;
            if !self.patience.pause(tried, &failure).await {
                return Err(failure);
            }
            tracing::debug!(event = "remote_retry", reason = %failure, tried, "trying again");
        }
    }

    /// The next piece of an answer's body; `None` at its end.
    pub async fn piece(&self, response: &mut Response) -> Result<Option<Bytes>, Failure> {
        let most = self.limits().silence;
        match tokio::time::timeout(most, response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(Failure::new(Trouble::Away, told(&error))),
            Err(_) => Err(self.patience.silence(most, format!("no byte has come for {most:?}"))),
        }
    }

    /// A body that must be short; what is over `most` bytes is left out.
    pub async fn text(&self, mut response: Response, most: usize) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        while let Some(piece) = self.piece(&mut response).await? {
            text.extend_from_slice(&piece[..piece.len().min(most - text.len())]);
            if text.len() == most {
                break;
            }
        }
        Ok(text)
    }

    async fn refusal(&self, response: Response) -> Failure {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.text(response, answer::MOST_BYTES).await.unwrap_or_default();
        answer::refusal(status, &headers, &body)
    }

    async fn once(&self, request: &Request) -> Result<Response, Failure> {
        let length: usize = request.body.iter().map(Bytes::len).sum();
        let mut sending = reqwest::Request::new(request.method.clone(), request.url.clone());
        *sending.headers_mut() = request.headers.clone();
        let progress = Arc::new(Progress::default());
        if length > 0 {
            sending.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
            *sending.body_mut() = Some(watched(request.body.clone(), progress.clone()));
        } else {
            if matches!(request.method, Method::PUT | Method::POST) {
                sending.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(0));
            }
            progress.sent();
        }
        let limits = self.limits();
        let answered_within = limits.answer_to(&request.method, length as u64);
        let answer = self.client.execute(sending);
        tokio::pin!(answer);
        loop {
            let seen = progress.seen();
            // Getting a connection has its own limit, and nothing moves before there is one.
            let most = match seen.all_sent {
                true => answered_within,
                false => limits.stalled.max(limits.connect),
            };
            tokio::select! {
                biased;
                answer = &mut answer => {
                    return self.judge(answer);
                }
                () = tokio::time::sleep_until(seen.at + most) => {
                    if progress.seen() == seen {
                        return Err(match seen.all_sent {
                            true => self.patience.silence(most, format!("no answer for {most:?}")),
                            false => self.not_gone(),
                        });
                    }
                }
            }
        }
    }

    fn judge(&self, answer: reqwest::Result<Response>) -> Result<Response, Failure> {
        match answer {
            Ok(response) => {
                self.patience.answered();
                Ok(response)
            }
            Err(error) if error.is_timeout() && error.is_connect() => {
                Err(self.patience.silence(self.limits().connect, told(&error)))
            }
            // The kernel has given up what it had taken from us.
            Err(error) if error.is_timeout() => Err(self.not_gone()),
            Err(error) => {
                let told = told(&error);
                // The type is rustls' own, and hidden below two others.
                let untrusted = told.contains("invalid peer certificate");
                let trouble = if untrusted { Trouble::Untrusted } else { Trouble::Away };
                Err(Failure::new(trouble, told))
            }
        }
    }

    fn not_gone(&self) -> Failure {
        let most = self.limits().stalled;
        self.patience.silence(most, format!("no byte has gone for {most:?}"))
    }

    fn limits(&self) -> &Limits {
        &self.patience.limits
    }
}

/// How far the sending of a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    at: Instant,
    all_sent: bool,
}

#[derive(Debug)]
struct Progress(Mutex<Seen>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Seen { at: Instant::now(), all_sent: false }))
    }
}

impl Progress {
    fn seen(&self) -> Seen {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, all_sent: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Seen { at: Instant::now(), all_sent };
    }

    fn sent(&self) {
        self.note(true);
    }
}

/// A body that tells when the connection takes the next frame of it.
fn watched(pieces: Vec<Bytes>, progress: Arc<Progress>) -> reqwest::Body {
    let mut frames = pieces.into_iter().flat_map(|mut piece| {
        std::iter::from_fn(move || {
            (!piece.is_empty()).then(|| piece.split_to(piece.len().min(FRAME)))
        })
    });
    let mut next = frames.next();
    let noting = std::iter::from_fn(move || {
        let frame = next.take()?;
        next = frames.next();
        progress.note(next.is_none());
        Some(Ok::<_, std::io::Error>(frame))
    });
    reqwest::Body::wrap_stream(stream::iter(noting))
}

/// An error with its causes, without the URL: that may be signed.
pub(super) fn told(error: &reqwest::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        // Many layers only repeat what the one below says.
        if !told.iter().any(|before| before.contains(&text)) {
            told.push(text);
        }
        cause = error.source();
    }
    if told.is_empty() {
        told.push(if error.is_timeout() {
            "timed out".into()
        } else {
            "the request failed".into()
        });
    }
    told.join(": ")
}
