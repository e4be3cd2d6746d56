//! `trash/`: what was deleted, given back or removed for good.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::api::Api;
use crate::http::api::ask::{Asked, Id, Nothing, Refusals};
use crate::http::api::entries::part;
use crate::http::api::versions::{FormerPart, find_version, page};
use crate::http::{Problem, Site};
use crate::model::upload_path::MAX_PATH_BYTES;
use crate::model::version::{Undeleted, Why};
use crate::model::{UploadPath, Version};
use crate::store::{HistoryQuery, Which};

fn fifty() -> u32 {
    50
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Part of the path, compared byte by byte.
    #[param(max_length = 2048)]
    search: Option<String>,
    /// Most former entries of this answer.
    #[serde(default = "fifty")]
    #[param(default = 50, minimum = 1, maximum = 500)]
    limit: u32,
    /// `next` of the page before, for the same list.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// What is in the trash, page by page; what came last is first.
#[utoipa::path(
    get,
    path = "/trash/",
    tag = "history",
    params(Wanted),
    responses(
        (status = 200, description = "A page of the list.", body = FormerPart),
        Refusals,
    )
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<FormerPart>, Problem> {
    let search = part("search", &wanted.search, MAX_PATH_BYTES)?;
    let query = HistoryQuery { which: Which::Trash, search, ..HistoryQuery::default() };
    page(&api.site, query, wanted.limit, wanted.cursor.as_deref()).await
}

/// An entry that was given back.
#[derive(Debug, Serialize, ToSchema)]
pub struct GivenBack {
    /// The entry's id; it may be another than the one that it had before.
    pub entry: i64,
}

/// Gives an entry back: it is its path's entry again, with everything that it had, and the next restore
/// puts its file in its place.
#[utoipa::path(
    post,
    path = "/trash/{id}/undelete/",
    tag = "history",
    params(("id" = i64, Path, description = "The version that is in the trash.")),
    security(("token" = [])),
    responses(
        (status = 200, description = "It is an entry again.", body = GivenBack),
        (status = 404, description = "There is no such thing in the trash.", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "Its path has an entry, or a newer one in the trash.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn undelete(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
    Id(id): Id,
) -> Result<Json<GivenBack>, Problem> {
    let (version, path) = trashed(&api.site, id).await?;
    let shown = &version.entry.original_path;
    let which = Which::Trash;
    let newest =
        HistoryQuery { which, path: Some(path.clone()), limit: Some(1), ..HistoryQuery::default() };
    let newest = api.site.store.history(&newest).await?.versions.pop();
    if let Some(newer) = newest.filter(|newest| newest.entry.id != id) {
        let detail = format!(
            "the version {} of {shown:?} came into the trash later: give that one back, or remove it first",
            newer.entry.id
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    match api.site.store.undelete(&[path]).await?.pop() {
        Some(Undeleted::Restored(entry)) => Ok(Json(GivenBack { entry })),
        Some(Undeleted::Occupied) => {
            let detail = format!(
                "{shown:?} has an entry, which stays; remove that one first if this one is to take its place"
            );
            Err(Problem::new(StatusCode::CONFLICT, detail))
        }
        Some(Undeleted::NotThere) | None => Err(not_in_trash(id)),
    }
}

/// Removes what is in the trash for good.
#[utoipa::path(
    delete,
    path = "/trash/{id}/",
    tag = "history",
    params(("id" = i64, Path, description = "The version that is in the trash.")),
    security(("token" = [])),
    responses(
        (status = 204, description = "It is gone."),
        (status = 404, description = "There is no such thing in the trash.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn forget(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let version = find_version(&api.site, id).await?;
    // Its path may be anything: what is in the trash can be removed all the same.
    if !is_trash(&version) || api.site.store.forget_history(&[id]).await? == 0 {
        return Err(not_in_trash(id));
    }
    api.remove_loose_objects();
    Ok(StatusCode::NO_CONTENT)
}

/// What is in the trash under this id, and its path.
async fn trashed(site: &Site, id: i64) -> Result<(Version, UploadPath), Problem> {
    let version = find_version(site, id).await?;
    if !is_trash(&version) {
        return Err(not_in_trash(id));
    }
    let path = UploadPath::parse(&version.entry.original_path).map_err(|why| {
        let detail = format!("{:?} cannot be given back: {why}", version.entry.original_path);
        Problem::new(StatusCode::CONFLICT, detail)
    })?;
    Ok((version, path))
}

fn is_trash(version: &Version) -> bool {
    matches!(version.why, Why::Trash(_))
}

fn not_in_trash(id: i64) -> Problem {
    Problem::not_found(format!("the version {id} in the trash"))
}
