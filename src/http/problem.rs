//! Errors as `application/problem+json` (RFC 9457): what went wrong, and what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::{StoreError, Trouble};

/// An error, as every call answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Problem {
    /// A stable name: `about:blank#not-found`.
    #[serde(rename = "type")]
    #[schema(example = "about:blank#not-found")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What went wrong here, and what to do.
    pub detail: String,
    /// Seconds to wait, where waiting helps. Also in the header `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The tables are not there, or older than this program: see `http/starting.rs`.
    #[serde(skip)]
    pub is_about_tables: bool,
}

impl Problem {
    /// A problem. The detail is for people: what, why, and what to do.
    #[must_use]
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        let name = title.to_ascii_lowercase().replace(' ', "-");
        let detail = detail.into();
        let kind = format!("about:blank#{name}");
        Self {
            kind,
            title,
            status: status.as_u16(),
            detail,
            retry_after: None,
            is_about_tables: false,
        }
    }

    /// Adds the seconds after which asking again may help; at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: std::time::Duration) -> Self {
        self.retry_after = Some(wait.as_secs_f64().ceil().max(1.0) as u64);
        self
    }

    /// There is no such thing here.
    #[must_use]
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{what} is not here"))
    }

    /// A value that cannot be used.
    #[must_use]
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// Only a process that has the upload directory can do this.
    #[must_use]
    pub fn no_upload_dir() -> Self {
        let detail = "this process does not have the upload directory; ask the one that runs beside the \
                      app (`imagecached run --listen …` or `watch --listen …`)";
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(&self)).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer realm=\"imagecached\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        // The admin panel tells it to people in its own way.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match error.trouble {
            Trouble::Value => StatusCode::BAD_REQUEST,
            Trouble::Full => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let is_about_tables = error.trouble == Trouble::Schema;
        let problem = Self { is_about_tables, ..Self::new(status, error.to_string()) };
        match error.trouble {
            Trouble::Away | Trouble::Busy => problem.retry_after(std::time::Duration::from_secs(5)),
            _ => problem,
        }
    }
}
