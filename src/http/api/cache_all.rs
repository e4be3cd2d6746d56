//! `POST cache-all/`: everything under the upload directory.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use crate::http::Problem;
use crate::http::api::Api;
use crate::http::api::ask::{Asked, Refusals, Wait};
use crate::http::api::jobs::{Cached, Job, Kind, Outcome};

/// Stores everything under the upload directory that is not stored yet. One run at a time: a second call joins
/// the one under way.
#[utoipa::path(
    post,
    path = "/cache-all/",
    tag = "runs",
    params(Wait),
    security(("token" = [])),
    responses(
        (status = 200, description = "What became of the files.", body = Cached),
        (status = 202, description = "It runs; ask for it at the address in `Location`.", body = Job,
            headers(("Location" = String, description = "Where the job is."))),
        (status = 409, description = "This process does not have the upload directory.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn cache_all(
    State(api): State<Arc<Api>>,
    Asked(Wait { wait }): Asked<Wait>,
) -> Result<Response, Problem> {
    let guard = api.site.guard.clone().ok_or_else(Problem::no_upload_dir)?;
    let run = api.jobs.begin(Kind::CacheAll, async move {
        let cached = Some(guard.cache_all().await?.into());
        Ok(Outcome { cached, ..Outcome::default() })
    });
    if !wait {
        return Ok(run.accepted(&api.site.prefix));
    }
    Ok(Json(run.end().await?.cached).into_response())
}
