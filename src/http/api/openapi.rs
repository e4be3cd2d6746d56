//! `GET openapi.json`: the calls, as the routes describe them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::http::api::{call_routes, life_routes, metrics_routes};
use crate::http::{Problem, Site};

const ABOUT: &str = "Reading needs the token beyond loopback; changing needs it everywhere: \
     `Authorization: Bearer TOKEN`. Paths may end in `/` or not. Errors are `application/problem+json`.";

/// The description of one site.
pub fn of(site: &Site) -> OpenApi {
    let calls = if site.prefix.is_empty() {
        call_routes()
    } else {
        OpenApiRouter::default().nest(&site.prefix, call_routes())
    };
    let info = InfoBuilder::new()
        .title("imagecached")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .build();
    let mut described = OpenApiBuilder::new().info(info).build();
    for part in
        [calls.into_openapi(), life_routes().into_openapi(), metrics_routes().into_openapi()]
    {
        described.merge(part);
    }
    let parts = described.components.get_or_insert_default();
    parts.schemas.entry(Problem::name().into_owned()).or_insert_with(Problem::schema);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    parts.add_security_scheme("token", SecurityScheme::Http(bearer));
    described
}

pub fn answer(described: &OpenApi) -> Response {
    Json(described).into_response()
}
