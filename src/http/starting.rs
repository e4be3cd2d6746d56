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

/// The middleware around everything that asks the database.
pub async fn explain(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    // Asked first: a call that comes when the tables are there finds them.
    let starting = site.makes_tables();
    let response = next.run(request).await;
    let problem = response.extensions().get::<Problem>();
    match starting {
        Some(detail) if problem.is_some_and(|problem| problem.is_about_tables) => {
            let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
            problem.retry_after(AGAIN).into_response()
        }
        _ => response,
    }
}

impl Site {
    /// What is to be told of missing tables while the daemon in this process is about to make them; `None` where it
    /// has made them, or is not to.
    pub fn makes_tables(&self) -> Option<String> {
        let guard = self.guard.as_ref()?;
        guard.makes_tables().then(|| match self.health.database_away() {
            None => "imagecached is starting, and about to make or upgrade its tables; ask again".into(),
            Some(reason) => format!(
                "imagecached is starting, and could not make or upgrade its tables yet: {reason}; it tries again"
            ),
        })
    }
}
