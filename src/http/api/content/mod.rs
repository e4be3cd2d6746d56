//! `GET entries/{id}/content`: the bytes of an entry. Those of a former one go the same way.
//!
//! Bytes that come with their row (up to 5 MiB as a rule) are verified before the first of them is sent: a
//! damaged entry is a problem. Larger ones are verified while they pass, and the last piece is held back
//! until all are: where they turn out to be others, the connection is cut, so that no client takes them for
//! the file. A range that ends before the file does cannot be verified.

mod copy;
pub mod description;
mod kind;
mod range;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::http::Problem;
use crate::http::api::Api;
use crate::http::api::ask::{Asked, Id, Nothing, Refusals};
use crate::http::api::content::copy::{Copy, copy};
use crate::http::api::content::description::{Bytes, PartHeaders};
use crate::http::api::content::range::Wanted;
use crate::http::api::entries::find;
use crate::http::gate::headers::as_upload;
use crate::model::version::PastRow;
use crate::model::{Digest, Entry, UploadPath};

/// Contents that are read at a time: each holds up to a few mebibytes.
const AT_A_TIME: usize = 4;

/// How long a further one waits for its turn.
const TURN: Duration = Duration::from_secs(15);

/// The access to one entry is noted once in so long.
const NOTED: Duration = Duration::from_secs(60);

/// So many accesses are remembered.
const REMEMBERED: usize = 4_096;

/// Contents being read, and those that were.
pub struct Reading {
    turns: Arc<Semaphore>,
    noted: Mutex<HashMap<i64, Instant>>,
}

impl Default for Reading {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_A_TIME)), noted: Mutex::default() }
    }
}

impl Reading {
    /// Whether the access to this entry is to be noted now.
    fn is_news(&self, id: i64) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if noted.len() >= REMEMBERED {
            noted.retain(|_, at| now.duration_since(*at) < NOTED);
        }
        if noted.len() >= REMEMBERED
            || noted.get(&id).is_some_and(|at| now.duration_since(*at) < NOTED)
        {
            return false;
        }
        noted.insert(id, now);
        true
    }
}

/// The bytes of an entry. `ETag` is their sha256. One range can be asked for. Counts as an access. Types that can
/// run scripts come as attachments, and none of them may.
#[utoipa::path(
    get,
    path = "/entries/{id}/content",
    tag = "entries",
    params(
        ("id" = i64, Path, description = "The entry."),
        PartHeaders,
    ),
    responses(Bytes, Refusals)
)]
pub async fn content(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
    Id(id): Id,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let entry = find(&api.site, id).await?;
    send(&api, &entry, PastRow::Entry(id), &method, &headers).await
}

/// Sends the bytes of a row, as far as the client wants them.
pub async fn send(
    api: &Api,
    entry: &Entry,
    row: PastRow,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    if !entry.has_data() {
        let path = &entry.original_path;
        let detail = format!("{row} ({path:?}) has no data: nobody has its bytes");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let sha256: Digest = entry.sha256.parse().map_err(|_| {
        let detail = format!("{row} is damaged: it has no valid sha256 to check its bytes by");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    let etag = format!("\"{sha256}\"");
    if range::has(headers, &etag) {
        return Ok(described(StatusCode::NOT_MODIFIED.into_response(), entry, &etag));
    }
    let window = match range::wanted(headers, &etag, entry.file_size) {
        Wanted::All => None,
        Wanted::Part(window) => Some(window),
        Wanted::Nothing => {
            let detail = format!("the entry has {} bytes, and none in this range", entry.file_size);
            let mut refusal =
                Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, detail).into_response();
            let size = format!("bytes */{}", entry.file_size);
            refusal.headers_mut().insert(header::CONTENT_RANGE, text(&size));
            return Ok(refusal);
        }
    };
    let body = match *method {
        Method::HEAD => Body::empty(),
        _ => api.body(entry, row, sha256, window.clone(), is_look(headers)).await?,
    };
    let status = if window.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = described((status, body).into_response(), entry, &etag);
    let headers = response.headers_mut();
    let mut length = entry.file_size;
    if let Some(window) = window {
        length = window.end - window.start;
        let last = window.end - 1;
        let range = format!("bytes {}-{last}/{}", window.start, entry.file_size);
        headers.insert(header::CONTENT_RANGE, text(&range));
    }
    headers.insert(header::CONTENT_LENGTH, length.into());
    Ok(response)
}

impl Api {
    /// The bytes, once the first of them are there.
    async fn body(
        &self,
        entry: &Entry,
        row: PastRow,
        sha256: Digest,
        window: Option<std::ops::Range<u64>>,
        is_look: bool,
    ) -> Result<Body, Problem> {
        let turn = tokio::time::timeout(TURN, self.reading.turns.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| {
            let detail = format!("{AT_A_TIME} contents are being read; ask again");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
                .retry_after(Duration::from_secs(2))
        })?;
        let turn = turn.expect("nobody closes the semaphore");
        let (begun, begins) = oneshot::channel();
        let (pieces, received) = mpsc::channel(1);
        let order = Copy {
            site: self.site.clone(),
            row,
            chunks: entry.chunk_set,
            expected: (entry.file_size, sha256),
            window: window.unwrap_or(0..entry.file_size),
        };
        let path = UploadPath::parse(&entry.original_path).ok();
        let counts = row == PastRow::Entry(entry.id) && !is_look;
        let path = path.filter(|_| counts && self.reading.is_news(entry.id));
        tokio::spawn(async move {
            let store = order.site.store.clone();
            copy(order, begun, pieces).await;
            drop(turn);
            if let Some(path) = path {
                // A time that could not be noted is no failure.
                let _ = store.accessed(&[path]).await;
            }
        });
        let fault = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "a fault in imagecached");
        begins.await.map_err(fault)??;
        let next = |mut received: mpsc::Receiver<_>| async move {
            let piece = received.recv().await?;
            Some((piece, received))
        };
        Ok(Body::from_stream(stream::unfold(received, next)))
    }
}

/// Whether this is a picture on a page of the admin panel: who looks over what nobody uses any more must not
/// make it used by that.
fn is_look(headers: &HeaderMap) -> bool {
    let says = |name, value: &str| headers.get(name).is_some_and(|found| found == value);
    says("sec-fetch-site", "same-origin") && says("sec-fetch-dest", "image")
}

/// Says what the bytes are, and what a browser may do with them.
fn described(mut response: Response, entry: &Entry, etag: &str) -> Response {
    let headers = response.headers_mut();
    let kind = HeaderValue::from_str(&entry.content_type_header).ok();
    let kind = kind.filter(|kind| !kind.is_empty());
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CONTENT_DISPOSITION, text(&kind::disposition(entry)));
    headers.insert(header::ETAG, text(etag));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The next visit asks whether it is still the same.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    as_upload(response)
}

fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .expect("digits, digests and percent-encoded names are visible ASCII")
}
