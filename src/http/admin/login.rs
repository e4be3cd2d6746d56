//! The login: the token for a session, typed into a form or brought along by the link from the start.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use askama::Template;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use crate::http::gate::session::{self, Session};
use crate::http::{Problem, Site};

use super::change::{Change, form};
use super::cookie;
use super::fields::Fields;
use super::frame::{Frame, done, show, way_back};
use super::message::{self, Message};

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'p> {
    frame: &'p Frame,
    next: String,
    fault: Option<&'static str>,
    /// Seconds to wait after too many wrong tokens.
    wait: Option<String>,
}

#[derive(Template)]
#[template(path = "logged_in.html")]
struct GoOn<'p> {
    frame: &'p Frame,
    next: String,
}

/// The form; with a token in the address, the session at once.
pub async fn page(
    State(site): State<Arc<Site>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    frame: Frame,
    fields: Fields,
    headers: HeaderMap,
) -> Response {
    match fields.get("token") {
        Some(token) => answer(&site, &frame, &headers, from, &fields, token),
        None => show(StatusCode::OK, &frame, &blank(&site, &frame, &fields)),
    }
}

/// The form, filled in.
pub async fn log_in(
    State(site): State<Arc<Site>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    frame: Frame,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let fields = form(request).await?;
    let token = fields.get("token").unwrap_or_default();
    Ok(answer(&site, &frame, &headers, from, &fields, token))
}

/// The end of the session, as far as this browser goes.
pub async fn log_out(State(site): State<Arc<Site>>, headers: HeaderMap, _: Change) -> Response {
    let to = format!("{}/admin/login", site.prefix);
    let mut response = done(&site, &headers, &to, &Message::LoggedOut);
    let gone = cookie::write(&headers, &site.prefix, session::COOKIE, "", 0);
    response.headers_mut().append(header::SET_COOKIE, gone);
    response
}

fn blank<'p>(site: &Site, frame: &'p Frame, fields: &Fields) -> Page<'p> {
    Page { frame, next: way_back(site, fields.get("next")), fault: None, wait: None }
}

fn answer(
    site: &Site,
    frame: &Frame,
    headers: &HeaderMap,
    from: SocketAddr,
    fields: &Fields,
    token: &str,
) -> Response {
    let page = blank(site, frame, fields);
    if let Err(problem) = site.gate.admit(token.trim(), from) {
        let wait = problem.retry_after.map(std::time::Duration::from_secs);
        let fault = if wait.is_some() { frame.t.too_many_tokens } else { frame.t.wrong_token };
        let wait = wait.map(|wait| frame.language.duration(wait));
        return show(problem.status(), frame, &Page { fault: Some(fault), wait, ..page });
    }
    let session = match Session::begin(SystemTime::now()) {
        Ok(session) => session,
        Err(error) => {
            let detail = format!("the system gives no random bytes: {error}");
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
        }
    };
    // A browser that follows a link on another site keeps our cookie from what the answer redirects
    // to. A page of ours that goes on by itself is no other site any more.
    let from_elsewhere = headers
        .get("sec-fetch-site")
        .is_some_and(|site| !matches!(site.as_bytes(), b"none" | b"same-origin"));
    let mut response = if from_elsewhere {
        let refresh = HeaderValue::try_from(format!("0; url={}", page.next));
        let mut response = show(StatusCode::OK, frame, &GoOn { frame, next: page.next });
        if let Ok(refresh) = refresh {
            response.headers_mut().insert(header::REFRESH, refresh);
        }
        response
    } else {
        Redirect::to(&page.next).into_response()
    };
    let value = session.cookie_value(site.gate.token());
    let lifetime = session::LIFETIME.as_secs();
    for (name, value, seconds) in
        [(session::COOKIE, value, lifetime), (message::COOKIE, Message::LoggedIn.encode(), 60)]
    {
        let kept = cookie::write(headers, &site.prefix, name, &value, seconds);
        response.headers_mut().append(header::SET_COOKIE, kept);
    }
    response
}
