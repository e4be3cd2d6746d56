//! What is done with selected entries: a page that counts and asks first, then the deed.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::cleanup::{Candidates, carry_out as remove};
use crate::http::{Problem, Site};
use crate::model::{Entry, UploadPath};
use crate::objects::Pace;
use crate::store::ListQuery;

use super::change::Change;
use super::cleanup::trash_keeps;
use super::entries::{Row, presence};
use super::fields::Fields;
use super::frame::{Frame, Tab, done, show};
use super::message::Message;
use super::overview::{for_a_while, guard, now};
use super::question::{Back, NAMED, Question, Words, selected_ids};

/// Most entries at a time: more than a page can have.
const MOST: usize = 500;

/// What can be done with entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Restore,
    CacheAgain,
    Delete,
}

impl Deed {
    fn read(fields: &Fields) -> Result<Self, Problem> {
        match fields.get("do") {
            Some("restore") => Ok(Self::Restore),
            Some("cache") => Ok(Self::CacheAgain),
            Some("delete") => Ok(Self::Delete),
            _ => Err(Problem::bad_request("do: restore, cache or delete")),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Restore => "restore",
            Self::CacheAgain => "cache",
            Self::Delete => "delete",
        }
    }
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Page<'p> {
    frame: &'p Frame,
    question: Question,
    /// What is lost for ever, if anything is.
    warning: Option<String>,
    rows: Vec<Row>,
}

/// The page that asks.
pub async fn confirm(
    State(site): State<Arc<Site>>,
    frame: Frame,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, Problem> {
    let frame = frame.on(Tab::Entries);
    let deed = Deed::read(&fields)?;
    let back = Back::read(&site, &fields, "entries");
    let entries = selected(&site, &fields).await?;
    if entries.is_empty() {
        return Ok(done(&site, &headers, &back.address, &Message::NothingSelected));
    }
    let text = frame.t;
    let absent = match &site.guard {
        Some(guard) => {
            let present = presence(guard.upload_dir(), &entries).await?;
            present.iter().filter(|is_present| !**is_present).count() as u64
        }
        None => 0,
    };
    let words: Words = match deed {
        Deed::Restore => (text.restore_title, text.restore_explained, text.restore_button),
        Deed::CacheAgain => (text.cache_title, text.cache_explained, text.cache_button),
        Deed::Delete => (text.delete_title, text.delete_explained, text.delete_button),
    };
    let trash = trash_keeps(&site, &frame).filter(|_| deed == Deed::Delete);
    let warning = match (deed, &site.guard) {
        _ if trash.is_some() => trash,
        (Deed::Delete, None) => Some(text.delete_unknown.to_owned()),
        (Deed::Delete, Some(_)) if absent > 0 => Some((text.delete_last_copies)(absent)),
        (Deed::CacheAgain, Some(_)) if absent > 0 => Some((text.cache_absent)(absent)),
        _ => None,
    };
    let now = now();
    let question = Question {
        is_dangerous: deed == Deed::Delete,
        impossible: deed != Deed::Delete && site.guard.is_none(),
        ..Question::about(entries.iter(), &frame, words, deed.as_str(), back)
    };
    let rows = entries.iter().take(NAMED).map(|entry| Row::of(entry, &frame, now)).collect();
    let page = Page { question, warning, rows, frame: &frame };
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
    let entries = selected(&site, fields).await?;
    let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
    let message = match deed {
        _ if ids.is_empty() => Message::NothingSelected,
        Deed::Delete => {
            let chosen = Candidates { entries, ..Candidates::default() };
            let to = site.keeping.destination(false);
            let removed = remove(site.store.as_ref(), &chosen, to).await?;
            remove_loose_objects(&site);
            tracing::info!(event = "removed", removed, "entries removed from the admin panel");
            Message::Deleted(removed)
        }
        Deed::Restore => {
            let guard = guard(&site)?;
            for_a_while(async move { guard.restore(Some(&ids)).await.map(|it| Message::from(&it)) })
                .await?
        }
        Deed::CacheAgain => {
            let guard = guard(&site)?;
            let path = |entry: &Entry| UploadPath::parse(&entry.original_path).ok();
            let paths: Vec<_> = entries.iter().filter_map(path).collect();
            for_a_while(async move { guard.cache_again(&paths).await.map(|it| Message::from(&it)) })
                .await?
        }
    };
    let back = Back::read(&site, fields, "entries");
    Ok(done(&site, &headers, &back.address, &message))
}

/// Removes the objects that no entry refers to any more, behind the answer. What is left over, the daemon
/// removes within the hour.
pub fn remove_loose_objects(site: &Site) {
    if let Some(objects) = site.objects.clone().filter(|objects| objects.may_remove()) {
        tokio::spawn(async move { objects.remove_loose(Pace::GENTLE).await });
    }
}

async fn selected(site: &Site, fields: &Fields) -> Result<Vec<Entry>, Problem> {
    entries(site, &selected_ids(fields, MOST)?).await
}

/// The entries of these ids; those that are gone are left out.
///
/// # Errors
/// The store's.
pub async fn entries(site: &Site, ids: &[i64]) -> Result<Vec<Entry>, Problem> {
    let query = ListQuery { ids: Some(ids.to_vec()), ..ListQuery::default() };
    Ok(site.store.list(&query).await?)
}
