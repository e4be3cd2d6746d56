//! The API: what the commands do, as calls.
//!
//! A file a group of calls. The routes are made from the descriptions that `openapi.json` serves, so that the
//! one cannot know what the other does not.

mod ask;
mod cache_all;
mod cleanup;
mod content;
pub(super) mod cursor;
mod entries;
mod flush;
pub(super) mod former_cursor;
mod jobs;
pub mod life;
mod metrics;
mod openapi;
mod removal;
mod restore;
mod status;
mod trash;
pub(super) mod versions;

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::routing::get;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use crate::http::Site;
use crate::http::api::content::Reading;
use crate::http::api::jobs::Jobs;
use crate::model::Timestamp;

/// What the calls share.
pub(in crate::http) struct Api {
    site: Arc<Site>,
    jobs: Jobs,
    reading: Reading,
}

/// Signs of life, for platforms and service managers.
pub fn open(site: Arc<Site>) -> Router {
    life_routes().with_state(Arc::new(life::Life::new(site))).into()
}

/// The metrics.
pub fn metrics(site: Arc<Site>) -> Router {
    metrics_routes().with_state(Arc::new(metrics::Scrape::new(site))).into()
}

/// The calls, below the prefix.
pub fn calls(site: Arc<Site>) -> Router {
    let described = Arc::new(openapi::of(&site));
    let api = Api { site, jobs: Jobs::default(), reading: Reading::default() };
    let (router, _) = call_routes().with_state(Arc::new(api)).split_for_parts();
    let serve = get(move || async move { openapi::answer(&described) });
    router.route("/openapi.json", serve.clone()).route("/openapi.json/", serve)
}

fn life_routes() -> OpenApiRouter<Arc<life::Life>> {
    OpenApiRouter::default().with(routes!(life::healthz)).with(routes!(life::readyz))
}

fn metrics_routes() -> OpenApiRouter<Arc<metrics::Scrape>> {
    OpenApiRouter::default().with(routes!(metrics::metrics))
}

fn call_routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::default()
        .with(routes!(status::status))
        .with(routes!(cache_all::cache_all))
        .with(routes!(jobs::job))
        .with(routes!(entries::list))
        .with(routes!(entries::one, removal::remove))
        .with(routes!(content::content))
        .with(routes!(restore::restore_all))
        .with(routes!(restore::restore_one))
        .with(routes!(cleanup::cleanup))
        .with(routes!(flush::flush))
        .with(routes!(versions::versions))
        .with(routes!(versions::content))
        .with(routes!(versions::restore))
        .with(routes!(trash::list))
        .with(routes!(trash::undelete))
        .with(routes!(trash::forget))
}

/// Adds routes with and without the `/` at their end. A redirect from one to the other would turn a POST
/// into a GET.
trait BothEnds<S> {
    fn with(self, routes: UtoipaMethodRouter<S>) -> Self;
}

impl<S: Clone + Send + Sync + 'static> BothEnds<S> for OpenApiRouter<S> {
    fn with(self, (schemas, paths, router): UtoipaMethodRouter<S>) -> Self {
        let other_ends: Vec<String> = paths.paths.keys().map(|path| other_end(path)).collect();
        let other = router.clone();
        let both = self.routes((schemas, paths, router));
        other_ends.iter().fold(both, |both, path| both.route(path, other.clone()))
    }
}

fn other_end(path: &str) -> String {
    match path.strip_suffix('/') {
        Some(path) => path.to_owned(),
        None => format!("{path}/"),
    }
}

/// This machine's clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
