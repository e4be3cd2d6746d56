//! A former content that is to be the present one again: a page that asks, and the deed.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::http::api::versions::{revert, version_of};
use crate::http::{Problem, Site};

use super::change::Change;
use super::frame::{Frame, Tab, done, show};
use super::message::Message;
use super::overview::{guard, now};
use super::trash::Row;

/// Which entry, and which of the former contents of its path.
type Numbers = Result<Path<(i64, i64)>, PathRejection>;

#[derive(Template)]
#[template(path = "revert.html")]
struct Asking<'p> {
    frame: &'p Frame,
    row: Row,
    /// The entry's page.
    back: String,
    /// Nobody here has the upload directory.
    impossible: bool,
}

/// The page that asks.
pub async fn confirm(
    State(site): State<Arc<Site>>,
    frame: Frame,
    numbers: Numbers,
) -> Result<Response, Problem> {
    let frame = frame.on(Tab::Entries);
    let (id, version) = read(numbers)?;
    let (_, version) = version_of(&site, id, version).await?;
    let page = Asking {
        row: Row::of(&version, &frame, now()),
        back: format!("{}/entries/{id}/", frame.root),
        impossible: site.guard.is_none(),
        frame: &frame,
    };
    Ok(show(StatusCode::OK, &frame, &page))
}

/// The deed.
pub async fn carry_out(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    numbers: Numbers,
    _: Change,
) -> Result<Response, Problem> {
    let (id, version) = read(numbers)?;
    let entry = revert(&site, guard(&site)?.as_ref(), id, version).await?;
    let to = format!("{}/admin/entries/{}/", site.prefix, entry.id);
    Ok(done(&site, &headers, &to, &Message::Reverted))
}

fn read(numbers: Numbers) -> Result<(i64, i64), Problem> {
    let Path(numbers) = numbers.map_err(|_| Problem::not_found("a version of this number"))?;
    Ok(numbers)
}
