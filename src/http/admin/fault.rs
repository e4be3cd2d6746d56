//! Problems, told to people: a page instead of `application/problem+json`, and the login for strangers.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use crate::http::{Problem, Site};

use super::frame::{Frame, show, visitor};

#[derive(Template)]
#[template(path = "fault.html")]
struct Page<'p> {
    frame: &'p Frame,
    title: &'static str,
    /// For people, in English: it may come from the database or the system.
    detail: &'p str,
    may_log_in: bool,
    wait: Option<String>,
}

/// The middleware around all pages.
pub async fn for_people(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    let reads = request.method() == Method::GET;
    let response = next.run(request).await;
    if !wants_pages(&headers) {
        return response;
    }
    let Some(problem) = response.extensions().get::<Problem>().cloned() else { return response };
    let frame = Frame::of(&site, &visitor(&site.gate, &headers), &headers, &uri);
    let is_stranger = problem.status() == StatusCode::UNAUTHORIZED;
    if is_stranger && reads {
        return Redirect::to(&frame.login_address()).into_response();
    }
    let wait = problem.retry_after.map(std::time::Duration::from_secs);
    let page = Page {
        frame: &frame,
        title: title(&frame, problem.status()),
        detail: &problem.detail,
        may_log_in: is_stranger,
        wait: wait.map(|wait| frame.language.duration(wait)),
    };
    let mut answer = show(problem.status(), &frame, &page);
    for name in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = response.headers().get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    answer
}

/// Programs get what programs read.
fn wants_pages(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    !headers.contains_key(header::AUTHORIZATION)
        && accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

fn title(frame: &Frame, status: StatusCode) -> &'static str {
    let text = frame.t;
    match status {
        StatusCode::UNAUTHORIZED => text.fault_login,
        StatusCode::FORBIDDEN => text.fault_forbidden,
        StatusCode::NOT_FOUND => text.fault_not_found,
        StatusCode::CONFLICT => text.fault_no_upload_dir,
        StatusCode::TOO_MANY_REQUESTS => text.fault_too_many,
        StatusCode::SERVICE_UNAVAILABLE => text.fault_database,
        status if status.is_client_error() => text.fault_request,
        _ => text.fault_ours,
    }
}
