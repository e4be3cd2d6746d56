//! A change that a form asks for: whoever takes one as its argument has it checked already.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};

use crate::http::gate::Visitor;
use crate::http::{Problem, Site};

use super::fields::Fields;

/// The field of a form that shows that a page of this session has made it.
pub const FORM_TOKEN: &str = "form_token";

/// A form that somebody who may change things has sent from a page of ours.
pub struct Change {
    pub fields: Fields,
}

impl FromRequest<Arc<Site>> for Change {
    type Rejection = Problem;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Problem> {
        let visitor = request.extensions().get().cloned().unwrap_or(Visitor::Stranger);
        let fields = form(request).await?;
        site.gate.check_form(&visitor, fields.get(FORM_TOKEN))?;
        Ok(Self { fields })
    }
}

/// The fields of a form, whoever has sent it.
///
/// # Errors
/// When it is no form, or too large.
pub async fn form(request: Request) -> Result<Fields, Problem> {
    if !is_form(request.headers()) {
        let detail = "send this as application/x-www-form-urlencoded";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = Bytes::from_request(request, &())
        .await
        .map_err(|error| Problem::new(error.status(), error.body_text()))?;
    Ok(Fields::parse(&body))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("").trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
