//! `POST restore/` and `POST entries/{id}/restore/`: missing files.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::http::Problem;
use crate::http::api::Api;
use crate::http::api::ask::{Asked, Id, Nothing, Refusals, Wait};
use crate::http::api::entries::find;
use crate::http::api::jobs::{Job, Kind, Outcome, PutBack};

/// Puts all missing files back. One run at a time: a second call joins the one under way.
#[utoipa::path(
    post,
    path = "/restore/",
    tag = "runs",
    params(Wait),
    security(("token" = [])),
    responses(
        (status = 200, description = "What became of the entries.", body = PutBack),
        (status = 202, description = "It runs; ask for it at the address in `Location`.", body = Job,
            headers(("Location" = String, description = "Where the job is."))),
        (status = 409, description = "This process does not have the upload directory.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn restore_all(
    State(api): State<Arc<Api>>,
    Asked(Wait { wait }): Asked<Wait>,
) -> Result<Response, Problem> {
    let guard = api.site.guard.clone().ok_or_else(Problem::no_upload_dir)?;
    let run = api.jobs.begin(Kind::Restore, async move {
        let put_back = Some(guard.restore(None).await?.into());
        Ok(Outcome { put_back, ..Outcome::default() })
    });
    if !wait {
        return Ok(run.accepted(&api.site.prefix));
    }
    Ok(Json(run.end().await?.put_back).into_response())
}

/// Puts the file of one entry back, unless it is there.
#[utoipa::path(
    post,
    path = "/entries/{id}/restore/",
    tag = "entries",
    params(("id" = i64, Path, description = "The entry.")),
    security(("token" = [])),
    responses(
        (status = 200, description = "What became of the entry.", body = PutBack),
        (status = 404, description = "There is no such entry.", body = Problem,
            content_type = "application/problem+json"),
        (status = 409, description = "This process does not have the upload directory.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn restore_one(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
    Id(id): Id,
) -> Result<Json<PutBack>, Problem> {
    let guard = api.site.guard.as_ref().ok_or_else(Problem::no_upload_dir)?;
    find(&api.site, id).await?;
    let restored = guard.restore(Some(&[id])).await;
    let restored = restored.map_err(|why| Problem::new(StatusCode::SERVICE_UNAVAILABLE, why))?;
    Ok(Json(restored.into()))
}
