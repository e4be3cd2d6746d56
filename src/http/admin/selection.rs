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
use super::frame::{Frame, Tab, done, show, way_back};
use super::message::Message;
use super::overview::{for_a_while, guard, now};

/// Most entries at a time: more than a page can have.
const MOST: usize = 500;

/// As many of them are named on the page that asks.
const NAMED: usize = 50;

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
    title: String,
    /// What will happen, and what will not.
    explanation: &'static str,
    /// What is lost for ever, if anything is.
    warning: Option<String>,
    deed: &'static str,
    button: String,
    is_dangerous: bool,
    /// Nothing can be done with them here.
    impossible: bool,
    bytes: String,
    ids: Vec<i64>,
    rows: Vec<Row>,
    more: Option<String>,
    back: String,
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
    let back = back(&site, &fields);
    let entries = selected(&site, &fields).await?;
    if entries.is_empty() {
        return Ok(done(&site, &headers, &back, &Message::NothingSelected));
    }
    let (text, language, count) = (frame.t, frame.language, entries.len() as u64);
    let absent = match &site.guard {
        Some(guard) => {
            let present = presence(guard.upload_dir(), &entries).await?;
            present.iter().filter(|is_present| !**is_present).count() as u64
        }
        None => 0,
    };
    let (title, explanation, button) = match deed {
        Deed::Restore => ((text.restore_title)(count), text.restore_explained, text.restore_button),
        Deed::CacheAgain => ((text.cache_title)(count), text.cache_explained, text.cache_button),
        Deed::Delete => ((text.delete_title)(count), text.delete_explained, text.delete_button),
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
    let more = count.saturating_sub(NAMED as u64);
    let page = Page {
        title,
        explanation,
        warning,
        deed: deed.as_str(),
        button: button(count),
        is_dangerous: deed == Deed::Delete,
        impossible: deed != Deed::Delete && site.guard.is_none(),
        bytes: language.size(entries.iter().map(|entry| entry.file_size).sum()),
        ids: entries.iter().map(|entry| entry.id).collect(),
        rows: entries.iter().take(NAMED).map(|entry| Row::of(entry, &frame, now)).collect(),
        more: (more > 0).then(|| (text.and_more)(more)),
        back,
        frame: &frame,
    };
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
    Ok(done(&site, &headers, &back(&site, fields), &message))
}

/// Removes the objects that no entry refers to any more, behind the answer. What is left over, the daemon
/// removes within the hour.
pub fn remove_loose_objects(site: &Site) {
    if let Some(objects) = site.objects.clone().filter(|objects| objects.may_remove()) {
        tokio::spawn(async move { objects.remove_loose(Pace::GENTLE).await });
    }
}

/// Where the entries were selected.
fn back(site: &Site, fields: &Fields) -> String {
    match fields.get("back") {
        Some(back) => way_back(site, Some(back)),
        None => format!("{}/admin/entries/", site.prefix),
    }
}

async fn selected(site: &Site, fields: &Fields) -> Result<Vec<Entry>, Problem> {
    let mut ids = fields.numbers::<i64>("id")?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST {
        return Err(Problem::bad_request(format!("select at most {MOST} entries at a time")));
    }
    entries(site, &ids).await
}

/// The entries of these ids; those that are gone are left out.
///
/// # Errors
/// The store's.
pub async fn entries(site: &Site, ids: &[i64]) -> Result<Vec<Entry>, Problem> {
    let query = ListQuery { ids: Some(ids.to_vec()), ..ListQuery::default() };
    Ok(site.store.list(&query).await?)
}
