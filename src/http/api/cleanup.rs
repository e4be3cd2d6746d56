//! `POST cleanup/`: entries that nobody has used for long.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::cleanup::{self, CleanupError, Destination, kept_until, purge};
use crate::http::Problem;
use crate::http::api::Api;
use crate::http::api::ask::{Asked, Refusals, yes};
use crate::http::api::entries::{Listed, MOST_DAYS};

/// Entries that an answer shows; all are counted.
const SHOWN: usize = 500;

fn ninety() -> u32 {
    90
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct What {
    /// Not seen on disk, restored or read for so many days.
    #[serde(default = "ninety")]
    #[param(default = 90, minimum = 1, maximum = 36_500)]
    days: u32,
    /// `false`: do it. Otherwise the answer only says what would go.
    #[serde(default = "yes")]
    #[param(default = true)]
    dry_run: bool,
    /// Not into the trash: what goes cannot be taken back.
    #[serde(default)]
    #[param(default = false)]
    for_good: bool,
}

/// What a cleanup has removed, or would.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cleaned {
    pub days: u32,
    pub dry_run: bool,
    /// Entries that are gone now.
    pub removed: u64,
    /// Until when they can be taken back from the trash, about; null where they go for good.
    #[schema(example = "2026-06-05T07:08:09Z")]
    pub kept_until: Option<String>,
    /// Entries that are to go.
    pub count: u64,
    /// The first 500 of them.
    pub candidates: Vec<Listed>,
    /// Size of their files.
    pub bytes: u64,
    /// Entries that the database takes for unused, but whose files are on disk: kept.
    pub in_use: u64,
}

/// Drops entries that have not been accessed for long and whose files are not on disk. Only shows what would
/// go, unless `dry_run=false`.
#[utoipa::path(
    post,
    path = "/cleanup/",
    tag = "runs",
    params(What),
    security(("token" = [])),
    responses(
        (status = 200, description = "What went, or would go.", body = Cleaned),
        (status = 409, description = "This process does not have the upload directory, or it cannot be read: \
            then nobody can tell which files are in use.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn cleanup(
    State(api): State<Arc<Api>>,
    Asked(What { days, dry_run, for_good }): Asked<What>,
) -> Result<Json<Cleaned>, Problem> {
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Problem::bad_request(format!("days: {days} is not between 1 and {MOST_DAYS}")));
    }
    let guard = api.site.guard.as_ref().ok_or_else(Problem::no_upload_dir)?;
    let store = &*api.site.store;
    let to = api.site.keeping.destination(for_good);
    let done = cleanup::run(store, guard.upload_dir(), days, (!dry_run).then_some(to), SHOWN);
    let done = done.await.map_err(refused)?;
    if !dry_run {
        let purged = purge(store, api.site.keeping).await?;
        if done.removed + purged.versions + purged.trashed > 0 {
            api.remove_loose_objects();
        }
    }
    let to_trash = to == Destination::Trash;
    Ok(Json(Cleaned {
        days,
        dry_run,
        removed: done.removed,
        kept_until: to_trash.then(|| kept_until(api.site.keeping.trash).to_string()),
        count: done.entries,
        bytes: done.bytes,
        in_use: done.in_use,
        candidates: done.first.iter().map(Listed::of).collect(),
    }))
}

/// Why nothing can be removed, as a problem.
fn refused(error: CleanupError) -> Problem {
    match error {
        CleanupError::Store(error) => error.into(),
        error @ CleanupError::UploadDir { .. } => {
            Problem::new(StatusCode::CONFLICT, error.to_string())
        }
    }
}
