//! The API: what the commands do, as calls.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;

use crate::http::Site;

/// Signs of life, for platforms and service managers.
pub fn open(_site: Arc<Site>) -> Router {
    Router::new().route("/healthz", get(|| async { "alive\n" }))
}

/// The metrics.
pub fn metrics(_site: Arc<Site>) -> Router {
    Router::new()
}

/// The calls, below the prefix.
pub fn calls(_site: Arc<Site>) -> Router {
    Router::new()
}
