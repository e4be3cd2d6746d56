//! `GET /healthz` and `GET /readyz`: signs of life, for platforms and monitors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use crate::http::{Problem, Site};
use crate::store::Trouble;

/// A file that has been unsaved for so long is stuck.
const STUCK: Duration = Duration::from_secs(120);

/// The database has so long to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// It is asked again after so long: anybody may ask us, as often as they like.
const FRESH: Duration = Duration::from_secs(2);

/// What signs of life are asked of.
pub struct Life {
    site: Arc<Site>,
    /// When the database was asked, and what was wrong with it.
    asked: Mutex<Option<(Instant, Option<String>)>>,
}

impl Life {
    pub fn new(site: Arc<Site>) -> Self {
        Self { site, asked: Mutex::default() }
    }

    async fn database(&self) -> Option<String> {
        let mut asked = self.asked.lock().await;
        if let Some((at, wrong)) = &*asked
            && at.elapsed() < FRESH
        {
            return wrong.clone();
        }
        let starting = self.site.makes_tables();
        let wrong = match tokio::time::timeout(ANSWER, self.site.store.check()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(match starting {
                Some(detail) if error.trouble == Trouble::Schema => detail,
                _ => error.to_string(),
            }),
            Err(_) => Some(format!("the database has not answered for {} s", ANSWER.as_secs())),
        };
        *asked = Some((Instant::now(), wrong.clone()));
        wrong
    }
}

/// It is ready.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    pub ready: bool,
}

/// The process is alive.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "status",
    responses(
        (status = 200, description = "It is.", body = String, content_type = "text/plain", example = "alive"),
        (status = 421, description = "The header `Host` is no name of this machine.", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn healthz() -> &'static str {
    "alive\n"
}

/// Files are restored, the database is there, and nothing is stuck.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "status",
    responses(
        (status = 200, description = "So it is.", body = Ready),
        (status = 421, description = "The header `Host` is no name of this machine.", body = Problem,
            content_type = "application/problem+json"),
        (status = 503, description = "It is not; the detail says why.", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn readyz(State(life): State<Arc<Life>>) -> Result<Json<Ready>, Problem> {
    let mut reasons = Vec::new();
    if let Some(guard) = &life.site.guard {
        let state = guard.state();
        if !state.restore_finished {
            reasons.push("the restore has not finished".to_owned());
        }
        if let Some(age) = state.oldest_unsaved.filter(|age| *age > STUCK) {
            let (unsaved, age) = (state.unsaved, age.as_secs());
            reasons.push(format!("{unsaved} files are not safe, the oldest for {age} s"));
        }
    }
    reasons.extend(life.database().await);
    if reasons.is_empty() {
        return Ok(Json(Ready { ready: true }));
    }
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, reasons.join("; "));
    Err(problem.retry_after(FRESH))
}
