//! The admin panel: pages for people.

use std::sync::Arc;

use axum::Router;

use crate::http::Site;

/// The login, and what its page needs.
pub fn open(_site: Arc<Site>) -> Router {
    Router::new()
}

/// The pages, below the prefix.
pub fn pages(_site: Arc<Site>) -> Router {
    Router::new()
}
