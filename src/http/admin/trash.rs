//! The trash: what was deleted, given back or removed for good; a page that counts and asks first.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::http::api::former_cursor;
use crate::http::api::versions::find_version;
use crate::http::{Problem, Site};
use crate::model::upload_path::MAX_PATH_BYTES;
use crate::model::version::{Trash, Undeleted, Why};
use crate::model::{Timestamp, UploadPath, Version};
use crate::store::{HistoryQuery, Which};

use super::change::Change;
use super::entries::{THUMBNAIL_BYTES, is_picture, place};
use super::fields::Fields;
use super::frame::{Frame, Tab, done, show};
use super::message::Message;
use super::overview::{for_a_while, now};
use super::question::{Back, NAMED, Question, Words, selected_ids};
use super::selection::remove_loose_objects;

/// Former entries on a page.
const LIMIT: u32 = 50;

/// Most of them at a time: more than a page has.
const MOST: usize = 200;

/// A former entry as lists show it.
pub struct Row {
    pub id: i64,
    /// The directory, with its `/`.
    pub directory: String,
    pub name: String,
    pub size: String,
    pub place: &'static str,
    pub has_data: bool,
    pub is_picture: bool,
    pub since: String,
    pub since_at: String,
    pub ended: String,
    pub ended_at: String,
    pub why: &'static str,
}

impl Row {
    /// Writes a former entry out.
    pub fn of(version: &Version, frame: &Frame, now: Timestamp) -> Self {
        let (entry, language, text) = (&version.entry, frame.language, frame.t);
        let cut = entry.original_path.rfind('/').map_or(0, |at| at + 1);
        let (directory, name) = entry.original_path.split_at(cut);
        Self {
            id: entry.id,
            directory: directory.to_owned(),
            name: name.to_owned(),
            size: language.size(entry.file_size),
            place: place(text, entry.payload),
            has_data: entry.has_data(),
            is_picture: is_picture(entry) && entry.file_size <= THUMBNAIL_BYTES,
            since: language.when(entry.updated_at, now),
            since_at: entry.updated_at.to_string(),
            ended: language.when(version.ended_at, now),
            ended_at: version.ended_at.to_string(),
            why: match version.why {
                Why::Replaced => text.why_replaced,
                Why::Trash(Trash::Deleted) => text.why_deleted,
                Why::Trash(Trash::Removed) => text.why_removed,
            },
        }
    }
}

#[derive(Template)]
#[template(path = "trash.html")]
struct Shown<'p> {
    frame: &'p Frame,
    search: &'p str,
    rows: Vec<Row>,
    /// Where the next page is.
    next: Option<String>,
    /// This is not the first page; where that is.
    first: Option<String>,
}

/// The list.
pub async fn page(
    State(site): State<Arc<Site>>,
    frame: Frame,
    fields: Fields,
) -> Result<Response, Problem> {
    let frame = frame.on(Tab::Trash);
    let search = fields.get("search").map(str::to_owned);
    if search.as_ref().is_some_and(|text| text.len() > MAX_PATH_BYTES || text.contains('\0')) {
        return Err(Problem::bad_request("search: no path is like that"));
    }
    let token = site.gate.token();
    let mut query = HistoryQuery { which: Which::Trash, search, ..HistoryQuery::default() };
    query.limit = Some(LIMIT);
    let cursor = fields.get("cursor");
    query.after = cursor.map(|text| former_cursor::read(token, &query, text)).transpose()?;
    let found = site.store.history(&query).await?;
    let address = |cursor: Option<&str>| {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        let wanted = [("search", query.search.as_deref()), ("cursor", cursor)];
        pairs.extend_pairs(wanted.into_iter().filter_map(|(name, value)| Some((name, value?))));
        format!("?{}", pairs.finish())
    };
    let next = found.next.map(|next| former_cursor::write(token, &query, next));
    let page = Shown {
        search: query.search.as_deref().unwrap_or_default(),
        rows: found.versions.iter().map(|version| Row::of(version, &frame, now())).collect(),
        next: next.map(|next| address(Some(&next))),
        first: cursor.is_some().then(|| address(None)),
        frame: &frame,
    };
    Ok(show(StatusCode::OK, &frame, &page))
}

/// What can be done with what is in the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    GiveBack,
    Forget,
}

impl Deed {
    fn read(fields: &Fields) -> Result<Self, Problem> {
        match fields.get("do") {
            Some("give-back") => Ok(Self::GiveBack),
            Some("forget") => Ok(Self::Forget),
            _ => Err(Problem::bad_request("do: give-back or forget")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::GiveBack => "give-back",
            Self::Forget => "forget",
        }
    }
}

#[derive(Template)]
#[template(path = "trash-confirm.html")]
struct Asking<'p> {
    frame: &'p Frame,
    question: Question,
    rows: Vec<Row>,
}

/// The page that asks.
pub async fn confirm(
    State(site): State<Arc<Site>>,
    frame: Frame,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    let frame = frame.on(Tab::Trash);
    let deed = Deed::read(&fields)?;
    let back = Back::read(&site, &fields, "trash");
    let chosen = selected(&site, &fields).await?;
    if chosen.is_empty() {
        return Ok(done(&site, &headers, &back.address, &Message::NothingSelected));
    }
    let text = frame.t;
    let words: Words = match deed {
        Deed::GiveBack => (text.give_back_title, text.give_back_explained, text.give_back_button),
        Deed::Forget => (text.forget_title, text.forget_explained, text.forget_button),
    };
    let entries = chosen.iter().map(|version| &version.entry);
    let question = Question {
        is_dangerous: deed == Deed::Forget,
        ..Question::about(entries, &frame, words, deed.as_str(), back)
    };
    let named = chosen.iter().take(NAMED);
    let rows = named.map(|version| Row::of(version, &frame, now())).collect();
    let page = Asking { question, rows, frame: &frame };
    Ok(show(StatusCode::OK, &frame, &page))
}

/// The deed.
pub async fn carry_out(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    change: Change,
) -> Result<Response, Problem> {
    let fields = &change.fields;
    let deed = Deed::read(fields)?;
    let chosen = selected(&site, fields).await?;
    let message = match deed {
        _ if chosen.is_empty() => Message::NothingSelected,
        Deed::GiveBack => give_back(&site, &chosen).await?,
        Deed::Forget => {
            let ids: Vec<i64> = chosen.iter().map(|version| version.entry.id).collect();
            let forgotten = site.store.forget_history(&ids).await?;
            remove_loose_objects(&site);
            Message::Forgotten(forgotten)
        }
    };
    let back = Back::read(&site, fields, "trash");
    Ok(done(&site, &headers, &back.address, &message))
}

/// Gives entries back, and where the upload directory is, their files. What is not the newest of its path in
/// the trash stays: another content than the one that was chosen would come back.
async fn give_back(site: &Arc<Site>, chosen: &[Version]) -> Result<Message, Problem> {
    let mut paths = Vec::new();
    for version in chosen {
        let Ok(path) = UploadPath::parse(&version.entry.original_path) else { continue };
        let (which, limit) = (Which::Trash, Some(1));
        let newest =
            HistoryQuery { which, limit, path: Some(path.clone()), ..HistoryQuery::default() };
        let newest = site.store.history(&newest).await?.versions.pop();
        if newest.is_some_and(|newest| newest.entry.id == version.entry.id) {
            paths.push(path);
        }
    }
    let undeleted = site.store.undelete(&paths).await?;
    let entry = |one: &Undeleted| match one {
        Undeleted::Restored(id) => Some(*id),
        Undeleted::Occupied | Undeleted::NotThere => None,
    };
    let ids: Vec<i64> = undeleted.iter().filter_map(entry).collect();
    let given = ids.len() as u64;
    let message = Message::GivenBack { given, left: chosen.len() as u64 - given };
    match site.guard.clone() {
        Some(guard) if given > 0 => {
            for_a_while(async move { guard.restore(Some(&ids)).await.map(|_| message) }).await
        }
        _ => Ok(message),
    }
}

/// What is in the trash under the ids that are given; what is gone, or no trash, is left out.
async fn selected(site: &Site, fields: &Fields) -> Result<Vec<Version>, Problem> {
    let ids = selected_ids(fields, MOST)?;
    let mut chosen = Vec::with_capacity(ids.len());
    // The newest first.
    for id in ids.into_iter().rev() {
        match find_version(site, id).await {
            Ok(version) if matches!(version.why, Why::Trash(_)) => chosen.push(version),
            Ok(_) => {}
            Err(problem) if problem.status() == StatusCode::NOT_FOUND => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(chosen)
}
