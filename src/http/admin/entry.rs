//! One entry: every field of it, a preview, and what can be done with it.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::doctor::{Verdict, verify_one};
use crate::http::api::former_cursor;
use crate::http::{Problem, Site};
use crate::model::{Entry, Timestamp, UploadPath};
use crate::store::HistoryQuery;

use super::change::Change;
use super::entries::{is_picture, owner, place, presence};
use super::fields::Fields;
use super::frame::{Frame, Tab, done, show};
use super::message::Message;
use super::overview::now;
use super::trash::Row;

#[derive(Template)]
#[template(path = "entry.html")]
struct Page<'p> {
    frame: &'p Frame,
    entry: &'p Entry,
    /// The last part of its path.
    name: &'p str,
    guarded: bool,
    /// Whether its file is on disk, where anybody can tell.
    on_disk: Option<bool>,
    is_picture: bool,
    size: String,
    size_exact: String,
    place: &'static str,
    owner: String,
    created: Moment,
    updated: Moment,
    accessed: Moment,
    modified: Moment,
    mode: String,
    /// What is wrong with its bytes, if somebody has just had them verified.
    damage: Option<String>,
    /// What its path had before, newest first: a page of it.
    versions: Vec<Row>,
    /// Where the next page of it is.
    next: Option<String>,
    /// This is not the first page; where that is.
    first: Option<String>,
}

/// Former contents on a page.
const VERSIONS: u32 = 50;

/// A moment, exact and seen from now.
struct Moment {
    /// How long ago it was, if that says more than the date.
    near: Option<String>,
    exact: String,
    machine: String,
}

pub async fn page(
    State(site): State<Arc<Site>>,
    frame: Frame,
    id: Result<Path<i64>, PathRejection>,
    fields: Fields,
) -> Result<Response, Problem> {
    let entry = find(&site, id).await?;
    shown(&site, frame, &entry, None, fields.get("cursor")).await
}

/// Reads the bytes back and compares their sha256. What is found wrong is told on the page itself, since
/// it may be long.
pub async fn verify(
    State(site): State<Arc<Site>>,
    frame: Frame,
    headers: HeaderMap,
    id: Result<Path<i64>, PathRejection>,
    _: Change,
) -> Result<Response, Problem> {
    let entry = find(&site, id).await?;
    match verify_one(site.store.as_ref(), site.remote.as_deref(), entry.id).await? {
        Verdict::Sound => {
            let to = format!("{}/admin/entries/{}/", site.prefix, entry.id);
            Ok(done(&site, &headers, &to, &Message::Sound))
        }
        Verdict::Gone => Err(Problem::not_found(format!("entry {}", entry.id))),
        Verdict::Damaged(reason) => {
            shown(&site, frame, &entry, Some(reason.to_string()), None).await
        }
    }
}

async fn find(site: &Site, id: Result<Path<i64>, PathRejection>) -> Result<Entry, Problem> {
    let Path(id) = id.map_err(|_| Problem::not_found("an entry of this number"))?;
    let found = super::selection::entries(site, &[id]).await?.pop();
    found.ok_or_else(|| Problem::not_found(format!("entry {id}")))
}

async fn shown(
    site: &Site,
    frame: Frame,
    entry: &Entry,
    damage: Option<String>,
    cursor: Option<&str>,
) -> Result<Response, Problem> {
    let frame = frame.on(Tab::Entries);
    let language = frame.language;
    let on_disk = match &site.guard {
        Some(guard) => presence(guard.upload_dir(), std::slice::from_ref(entry))
            .await
            .ok()
            .map(|found| found[0]),
        None => None,
    };
    let now = now();
    let (versions, next) = match UploadPath::parse(&entry.original_path) {
        Ok(path) => {
            let (path, limit) = (Some(path), Some(VERSIONS));
            let mut query = HistoryQuery { path, limit, ..HistoryQuery::default() };
            let token = site.gate.token();
            query.after =
                cursor.map(|text| former_cursor::read(token, &query, text)).transpose()?;
            let page = site.store.history(&query).await?;
            let next = page.next.map(|next| former_cursor::write(token, &query, next));
            (page.versions, next)
        }
        Err(_) => (Vec::new(), None),
    };
    let here = format!("{}/entries/{}/", frame.root, entry.id);
    let address = |cursor: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        format!("{here}?{}#versions", query.append_pair("cursor", cursor).finish())
    };
    let moment = |moment: Timestamp| Moment {
        near: language.near(moment, now),
        exact: language.date_time(moment),
        machine: moment.to_string(),
    };
    let path = &entry.original_path;
    let page = Page {
        entry,
        name: path.rsplit('/').next().unwrap_or(path),
        guarded: site.guard.is_some(),
        on_disk,
        is_picture: is_picture(entry),
        size: language.size(entry.file_size),
        size_exact: (frame.t.bytes_count)(entry.file_size),
        place: place(frame.t, entry.payload),
        owner: owner(entry),
        created: moment(entry.created_at),
        updated: moment(entry.updated_at),
        accessed: moment(entry.last_accessed),
        modified: moment(Timestamp(entry.mtime_ns / 1_000)),
        mode: format!("{:04o}", entry.mode),
        damage,
        versions: versions.iter().map(|version| Row::of(version, &frame, now)).collect(),
        next: next.map(|next| address(&next)),
        first: cursor.is_some().then(|| format!("{here}#versions")),
        frame: &frame,
    };
    let status = if page.damage.is_some() { StatusCode::CONFLICT } else { StatusCode::OK };
    Ok(show(status, &frame, &page))
}
