//! While the daemon starts it is about to make the tables, or to upgrade them: what a call finds missing comes by
//! itself, and nobody need type anything.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::{Problem, Site};

/// Tables are made within a second, as a rule.
const AGAIN: Duration = Duration::from_secs(2);

/// What is told instead of what the database says of its tables.
pub const DETAIL: &str =
    "imagecached is starting, and about to make or upgrade its tables; ask again";

/// The middleware around everything that asks the database.
pub async fn explain(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    // Asked first: a call that comes when the tables are there finds them.
    let is_starting = site.is_starting();
    let response = next.run(request).await;
    let problem = response.extensions().get::<Problem>();
    if is_starting && problem.is_some_and(|problem| problem.is_about_tables) {
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, DETAIL)
            .retry_after(AGAIN)
            .into_response();
    }
    response
}

impl Site {
    /// Whether the daemon in this process is about to make the tables.
    pub fn is_starting(&self) -> bool {
        self.guard.as_ref().is_some_and(|guard| guard.state().makes_tables)
    }
}
