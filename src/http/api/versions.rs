//! `GET entries/{id}/versions/` and `GET versions/{id}/content`: what a path had.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::api::ask::{Asked, Id, Nothing, Refusals};
use crate::http::api::content::description::{Bytes, PartHeaders};
use crate::http::api::content::send;
use crate::http::api::entries::{Listed, find};
use crate::http::api::{Api, former_cursor};
use crate::http::{Problem, Site};
use crate::model::version::{PastRow, Trash, Why};
use crate::model::{UploadPath, Version};
use crate::store::HistoryQuery;

/// Former entries of one answer.
const MOST: u32 = 500;

/// Why an entry is a former one.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// Its path has got another content.
    Replaced,
    /// In the trash: the app deleted the file.
    Deleted,
    /// In the trash: a person, a cleanup or a program removed the entry.
    Removed,
}

/// An entry as it was last.
#[derive(Debug, Serialize, ToSchema)]
pub struct Former {
    /// Its `id` is the version's own; `updated_at` is when this content became the path's.
    #[serde(flatten)]
    pub entry: Listed,
    /// When it ceased.
    #[schema(example = "2026-05-06T07:08:09Z")]
    pub ended_at: String,
    #[schema(inline)]
    pub why: Ended,
}

impl Former {
    /// A version, as it is told.
    #[must_use]
    pub fn of(version: &Version) -> Self {
        Self {
            entry: Listed::of(&version.entry),
            ended_at: version.ended_at.to_string(),
            why: match version.why {
                Why::Replaced => Ended::Replaced,
                Why::Trash(Trash::Deleted) => Ended::Deleted,
                Why::Trash(Trash::Removed) => Ended::Removed,
            },
        }
    }
}

/// A page of former entries, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct FormerPart {
    pub versions: Vec<Former>,
    /// The cursor of the next page; null at the end.
    pub next: Option<String>,
}

fn fifty() -> u32 {
    50
}

/// Which page of a list of former entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageWanted {
    /// Most former entries of this answer.
    #[serde(default = "fifty")]
    #[param(default = 50, minimum = 1, maximum = 500)]
    limit: u32,
    /// `next` of the page before, for the same list.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// Former contents of the path of an entry: versions, and what is in the trash.
#[utoipa::path(
    get,
    path = "/entries/{id}/versions/",
    tag = "history",
    params(("id" = i64, Path, description = "The entry."), PageWanted),
    responses(
        (status = 200, description = "A page of the list.", body = FormerPart),
        (status = 404, description = "There is no such entry.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn versions(
    State(api): State<Arc<Api>>,
    Asked(wanted): Asked<PageWanted>,
    Id(id): Id,
) -> Result<Json<FormerPart>, Problem> {
    let entry = find(&api.site, id).await?;
    let path = UploadPath::parse(&entry.original_path).map_err(|why| {
        Problem::not_found(format!("the history of {:?} ({why})", entry.original_path))
    })?;
    let query = HistoryQuery { path: Some(path), ..HistoryQuery::default() };
    page(&api.site, query, wanted.limit, wanted.cursor.as_deref()).await
}

/// A page of a list of former entries.
pub async fn page(
    site: &Site,
    mut query: HistoryQuery,
    limit: u32,
    cursor: Option<&str>,
) -> Result<Json<FormerPart>, Problem> {
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad_request(format!("limit: {limit} is not between 1 and {MOST}")));
    }
    let token = site.gate.token();
    query.limit = Some(limit);
    query.after = cursor.map(|cursor| former_cursor::read(token, &query, cursor)).transpose()?;
    let page = site.store.history(&query).await?;
    let next = page.next.map(|next| former_cursor::write(token, &query, next));
    Ok(Json(FormerPart { versions: page.versions.iter().map(Former::of).collect(), next }))
}

/// The bytes of a former entry, as those of an entry: `entries/{id}/content`. Does not count as an access.
#[utoipa::path(
    get,
    path = "/versions/{id}/content",
    tag = "history",
    params(
        ("id" = i64, Path, description = "The version."),
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
    let version = find_version(&api.site, id).await?;
    send(&api, &version.entry, PastRow::Version(id), &method, &headers).await
}

/// A former entry by its id.
pub async fn find_version(site: &Site, id: i64) -> Result<Version, Problem> {
    let none = || Problem::not_found(format!("the version {id}"));
    // The list is in the order of ids, and begins below the one given.
    let after = Some(id.checked_add(1).ok_or_else(none)?);
    let query = HistoryQuery { after, limit: Some(1), ..HistoryQuery::default() };
    let found = site.store.history(&query).await?.versions.pop();
    found.filter(|version| version.entry.id == id).ok_or_else(none)
}
