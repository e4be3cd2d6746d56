//! What the pages are drawn with: a stylesheet, a script and an icon, compiled in.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;

use crate::model::Digest;

const STYLE: &str = include_str!("assets/style.css");
const SCRIPT: &str = include_str!("assets/script.js");
const ICON: &str = include_str!("assets/icon.svg");

/// Stands in the addresses, so that a browser may keep what it has for ever and still gets what is new.
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest = Digest::of([STYLE, SCRIPT, ICON].concat().as_bytes()).to_string();
    digest[..12].to_owned()
});

fn asset(kind: &'static str, content: &'static str) -> impl IntoResponse {
    let kept = "public, max-age=31536000, immutable";
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)], content)
}

pub async fn style() -> impl IntoResponse {
    asset("text/css; charset=utf-8", STYLE)
}

pub async fn script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

pub async fn icon() -> impl IntoResponse {
    asset("image/svg+xml", ICON)
}
