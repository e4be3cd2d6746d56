//! Cleanup: first what would go, then the same again with a button below it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::cleanup::{self, CleanupError, purge};
use crate::http::{Problem, Site};

use super::change::Change;
use super::entries::Row;
use super::fields::Fields;
use super::frame::{Frame, Tab, done, show};
use super::message::Message;
use super::overview::{guard, now};
use super::selection::remove_loose_objects;

/// The days that the commands and the API take as well, unless told otherwise.
const DAYS: u32 = 90;

/// As many of those that would go are shown.
const SHOWN: usize = 100;

#[derive(Template)]
#[template(path = "cleanup.html")]
struct Page<'p> {
    frame: &'p Frame,
    /// There is an upload directory here, without which nobody can tell what is in use.
    guarded: bool,
    days: u32,
    /// Whether it can be taken back.
    afterwards: String,
    /// The answer to the question; `None` until it is asked.
    found: Option<Found>,
}

struct Found {
    count: u64,
    count_shown: String,
    button: String,
    bytes: String,
    in_use: String,
    days: String,
    rows: Vec<Row>,
    /// How many are not shown.
    more: Option<String>,
}

pub async fn page(
    State(site): State<Arc<Site>>,
    frame: Frame,
    fields: Fields,
) -> Result<Response, Problem> {
    let frame = frame.on(Tab::Cleanup);
    let asked: Option<u32> = fields.number("days")?;
    let found = match (&site.guard, asked) {
        (Some(guard), Some(days)) => {
            let store = site.store.as_ref();
            let sum = cleanup::run(store, guard.upload_dir(), days, None, SHOWN).await?;
            let language = frame.language;
            let count = sum.entries;
            let now = now();
            let more = count.saturating_sub(SHOWN as u64);
            Some(Found {
                count,
                count_shown: (frame.t.entries_count)(count),
                button: (frame.t.cleanup_do)(count),
                bytes: language.size(sum.bytes),
                in_use: (frame.t.in_use)(sum.in_use),
                days: (frame.t.days_count)(u64::from(days)),
                rows: sum.first.iter().map(|entry| Row::of(entry, &frame, now)).collect(),
                more: (more > 0).then(|| (frame.t.and_more)(more)),
            })
        }
        _ => None,
    };
    let days = asked.unwrap_or(DAYS);
    let afterwards =
        trash_keeps(&site, &frame).unwrap_or_else(|| frame.t.cleanup_for_ever.to_owned());
    let page = Page { frame: &frame, guarded: site.guard.is_some(), days, afterwards, found };
    Ok(show(StatusCode::OK, &frame, &page))
}

pub async fn carry_out(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    change: Change,
) -> Result<Response, Problem> {
    let guard = guard(&site)?;
    let days = change.fields.number("days")?;
    let days = days.ok_or_else(|| Problem::bad_request("days: how many?"))?;
    // What is used since the page was made is not among them any more.
    let to = Some(site.keeping.destination(false));
    let store = site.store.as_ref();
    let removed = cleanup::run(store, guard.upload_dir(), days, to, 0).await?.removed;
    purge(site.store.as_ref(), site.keeping).await?;
    remove_loose_objects(&site);
    tracing::info!(event = "removed", removed, days, "entries removed from the admin panel");
    let to = format!("{}/admin/cleanup/", site.prefix);
    Ok(done(&site, &headers, &to, &Message::Cleaned(removed)))
}

/// How long what goes can be taken back; `None` where it cannot.
pub fn trash_keeps(site: &Site, frame: &Frame) -> Option<String> {
    let days = site.keeping.trash.as_secs().div_ceil(24 * 3600);
    (days > 0).then(|| (frame.t.trash_keeps)(&(frame.t.days_count)(days)))
}

impl From<CleanupError> for Problem {
    fn from(error: CleanupError) -> Self {
        match error {
            CleanupError::Store(error) => error.into(),
            error @ CleanupError::UploadDir { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}
