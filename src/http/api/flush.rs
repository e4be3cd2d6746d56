//! `POST flush/`: an app waits for it before it says "saved".

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::Problem;
use crate::http::api::Api;
use crate::http::api::ask::{Asked, Refusals};

/// The longest wait, seconds.
const LONGEST: u32 = 60;

fn ten() -> u32 {
    10
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Limit {
    /// Seconds to wait at most.
    #[serde(default = "ten")]
    #[param(default = 10, minimum = 1, maximum = 60)]
    timeout: u32,
}

/// Everything that was closed before the call is in the database.
#[derive(Debug, Serialize, ToSchema)]
pub struct Safe {
    /// Files that were waited for.
    pub safe: u64,
    /// None of them is not.
    pub unsaved: u64,
}

/// Answers once every file that was closed before this call is safe in the database. A file that a writer has
/// open is not waited for.
#[utoipa::path(
    post,
    path = "/flush/",
    tag = "runs",
    params(Limit),
    security(("token" = [])),
    responses(
        (status = 200, description = "All of them are safe.", body = Safe),
        (status = 409, description = "This process does not have the upload directory.", body = Problem,
            content_type = "application/problem+json"),
        (status = 504, description = "Not all are safe by now; the detail names some that are not.",
            body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn flush(
    State(api): State<Arc<Api>>,
    Asked(Limit { timeout }): Asked<Limit>,
) -> Result<Json<Safe>, Problem> {
    if !(1..=LONGEST).contains(&timeout) {
        let detail = format!("timeout: {timeout} is not between 1 and {LONGEST} seconds");
        return Err(Problem::bad_request(detail));
    }
    let guard = api.site.guard.as_ref().ok_or_else(Problem::no_upload_dir)?;
    let flushed = guard.flush(Duration::from_secs(timeout.into())).await;
    if flushed.unsaved == 0 && flushed.unsure.is_none() {
        return Ok(Json(Safe { safe: flushed.safe, unsaved: 0 }));
    }
    let names: Vec<String> = flushed.examples.iter().map(|path| format!("{path:?}")).collect();
    let mut detail = format!("{} files are not safe yet", flushed.unsaved);
    if !names.is_empty() {
        detail = format!("{detail}, such as {}", names.join(", "));
    }
    if let Some(why) = &flushed.unsure {
        detail = format!("{detail}; {why}");
    }
    match api.site.health.database_away() {
        Some(reason) => {
            let detail = format!("{detail}: the database is away ({reason})");
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
            Err(problem.retry_after(Duration::from_secs(5)))
        }
        None => Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, detail)),
    }
}
