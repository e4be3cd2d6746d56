//! HTTP: the API, the admin panel and the metrics, for browsers, programs and monitors.
//!
//! `server` bounds what a connection may take, `gate` says who may do what, `api` and `admin` say it in
//! JSON and in HTML. None of them knows a database or a directory: [`Site`] has what they ask.

mod admin;
mod api;
mod body;
mod connections;
mod figures;
pub mod gate;
mod problem;
mod server;
mod site;
mod stall;
mod starting;

use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;

pub use figures::Figures;
pub use problem::Problem;
pub use server::serve;
pub use site::{Flushed, Guard, GuardState, Restored, Site, Tally};

use crate::http::gate::{Gate, Rule, pass};

/// Everything that is answered.
pub fn router(site: Arc<Site>) -> Router {
    let guarded = |routes: Router, rule: Rule| {
        // A layer over no routes is a mistake, as axum sees it.
        if routes.has_routes() {
            routes
                .route_layer(from_fn_with_state(site.clone(), starting::explain))
                .route_layer(from_fn_with_state((site.gate.clone(), rule), pass))
        } else {
            routes
        }
    };
    let prefix = site.prefix.clone();
    let pages = guarded(admin::open(site.clone()), Rule::Open)
        .merge(guarded(admin::pages(site.clone()), Rule::Read));
    let routes = Router::new()
        .merge(guarded(api::open(site.clone()), Rule::Open))
        .merge(guarded(api::metrics(site.clone()), Rule::Read))
        .merge(under(&prefix, guarded(api::calls(site.clone()), Rule::ByMethod)))
        .merge(under(&prefix, pages.layer(from_fn_with_state(site.clone(), admin::for_people))));
    let routes = if prefix.is_empty() {
        routes
    } else {
        let start = format!("{prefix}/admin/");
        routes.route("/", get(|| async move { Redirect::to(&start) }))
    };
    bounded(routes)
}

/// What holds for every answer.
fn bounded(routes: Router) -> Router {
    routes
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(body::bound))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(map_response(gate::headers::harden))
}

fn under(prefix: &str, routes: Router) -> Router {
    if prefix.is_empty() { routes } else { Router::new().nest(prefix, routes) }
}

async fn nothing_here(uri: Uri) -> Problem {
    Problem::not_found(format!("{:?}", uri.path()))
}

async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path takes other methods: see openapi.json")
}

/// A fault of ours in one answer is no reason not to give the next.
fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!(event = "failed", "an HTTP answer has failed; the rest goes on");
    let detail = "a fault in imagecached, noted in its log; please report it";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
}

impl Site {
    /// The gate.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_fault_in_one_answer_is_told_without_its_cause_and_the_next_is_given() {
        async fn faulty() -> &'static str {
            panic!("secret of the fault")
        }
        let router = bounded(Router::new().route("/a", get(faulty)).route("/b", get(async || "b")));
        let ask =
            |path: &str| router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap());
        let answer = ask("/a").await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        let body = axum::body::to_bytes(answer.into_body(), 9_999).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("secret of the fault"));
        assert_eq!(ask("/b").await.unwrap().status(), StatusCode::OK);
        assert_eq!(ask("/c").await.unwrap().status(), StatusCode::NOT_FOUND);
    }
}
