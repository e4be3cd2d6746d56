//! `GET entries/{id}/versions/` and `GET versions/{id}/content`: what a path had; and
//! `POST entries/{id}/versions/{version}/restore/`: what it is to have again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::api::ask::{Asked, Id, Ids, Nothing, Refusals};
use crate::http::api::content::description::{Bytes, PartHeaders};
use crate::http::api::content::send;
use crate::http::api::entries::{Listed, find};
use crate::http::api::{Api, former_cursor};
use crate::http::{Guard, Problem, Site};
use crate::model::version::{PastRow, Trash, Why};
use crate::model::{Entry, UploadPath, Version};
use crate::revert::RevertError;
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

/// Makes a former content the present one of its path: it takes the place of the file on disk, whole and at once, and
/// is stored. What the path has now is stored first, and becomes a version itself where those are kept.
#[utoipa::path(
    post,
    path = "/entries/{id}/versions/{version}/restore/",
    tag = "history",
    params(
        ("id" = i64, Path, description = "The entry."),
        ("version" = i64, Path, description = "The version: one of the entry's path."),
    ),
    security(("token" = [])),
    responses(
        (status = 200, description = "The entry, as it is now.", body = Listed),
        (status = 404, description = "There is no such entry, or it has no such version.", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "This process does not have the upload directory, the version is damaged, \
            the file is being written, or what it has on disk cannot be stored first. Nothing was changed.",
            body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn restore(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
    Ids(id, version): Ids,
) -> Result<Json<Listed>, Problem> {
    let guard = api.site.guard.clone().ok_or_else(Problem::no_upload_dir)?;
    let entry = revert(&api.site, guard.as_ref(), id, version).await?;
    Ok(Json(Listed::of(&entry)))
}

/// Has the guard make a version of this entry's path its present content.
///
/// # Errors
/// When there is no such version, and what the guard says.
pub async fn revert(
    site: &Site,
    guard: &dyn Guard,
    id: i64,
    version: i64,
) -> Result<Entry, Problem> {
    let (path, _) = version_of(site, id, version).await?;
    guard.revert(&path, version).await.map_err(|error| {
        let status = match error {
            RevertError::NotKept { .. } => StatusCode::NOT_FOUND,
            _ if error.may_pass() => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::CONFLICT,
        };
        Problem::new(status, error.to_string())
    })
}

/// A version of the path of this entry, and that path.
///
/// # Errors
/// When there is no such entry, or the version is not one of its path.
pub async fn version_of(
    site: &Site,
    id: i64,
    version: i64,
) -> Result<(UploadPath, Version), Problem> {
    let entry = find(site, id).await?;
    let none = || Problem::not_found(format!("the version {version} of the entry {id}"));
    let version = find_version(site, version).await?;
    let path = UploadPath::parse(&entry.original_path).map_err(|_| none())?;
    match version.entry.original_path == entry.original_path {
        true => Ok((path, version)),
        false => Err(none()),
    }
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
