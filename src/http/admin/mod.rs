//! The admin panel: pages for people, in English and Persian.
//!
//! Every page is made here, from templates that are compiled in, and works without a script; the one
//! small script only saves steps. Each file is one page; `frame` is what stands around all of them,
//! `change` lets nothing be changed but by a form of ours, `text` has every word, once per language.

mod assets;
mod change;
mod cleanup;
mod cookie;
mod doctor;
mod entries;
mod entry;
mod events;
mod fault;
mod fields;
mod frame;
mod language;
mod login;
mod message;
mod overview;
mod plot;
mod query;
mod question;
mod revert;
mod selection;
mod status;
mod text;
mod trash;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};

use crate::http::{Problem, Site};

pub use fault::for_people;

/// The login, and what its page needs.
pub fn open(site: Arc<Site>) -> Router {
    Router::new()
        .route("/admin/login", get(login::page).post(login::log_in))
        .route("/admin/preferences", post(frame::prefer))
        .route("/admin/style.css", get(assets::style))
        .route("/admin/script.js", get(assets::script))
        .route("/admin/icon.svg", get(assets::icon))
        .with_state(site)
}

/// The pages, below the prefix.
pub fn pages(site: Arc<Site>) -> Router {
    Router::new()
        .route("/admin/", get(overview::page))
        .route("/admin/cache-all", post(overview::cache_all))
        .route("/admin/restore", post(overview::restore))
        .route("/admin/events", get(events::stream))
        .route("/admin/entries/", get(entries::page))
        .route("/admin/entries/selected/", get(selection::confirm).post(selection::carry_out))
        .route("/admin/entries/{id}/", get(entry::page))
        .route("/admin/entries/{id}/verify", post(entry::verify))
        .route(
            "/admin/entries/{id}/versions/{version}/restore",
            get(revert::confirm).post(revert::carry_out),
        )
        .route("/admin/trash/", get(trash::page))
        .route("/admin/trash/selected/", get(trash::confirm).post(trash::carry_out))
        .route("/admin/cleanup/", get(cleanup::page).post(cleanup::carry_out))
        .route("/admin/doctor/", get(doctor::page).post(doctor::again))
        .route("/admin/logout", post(login::log_out))
        .route("/admin", any(elsewhere))
        .route("/admin/{*rest}", any(elsewhere))
        .layer(Extension(doctor::Memory::default()))
        .layer(Extension(events::Watched::default()))
        .with_state(site)
}

/// A page may be asked for without the `/` at its end; anything else is not here.
async fn elsewhere(State(site): State<Arc<Site>>, method: Method, uri: Uri) -> Response {
    let path = uri.path();
    if method != Method::GET || path.ends_with('/') {
        return Problem::not_found(format!("{path:?}")).into_response();
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // The router has taken the prefix off. A path that begins with two slashes names another host.
    let path = path.trim_start_matches('/');
    Redirect::to(&format!("{}/{path}/{query}", site.prefix)).into_response()
}
