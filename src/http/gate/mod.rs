//! The gate: every request passes through it, and it decides who may read and who may change things.
//!
//! On loopback anybody on this machine may read; elsewhere reading needs the token as well. Changing
//! needs it everywhere: in the header `Authorization: Bearer …`, or as the session that a browser got
//! for it. What a browser sends for a session must come from a page of ours.
//!
//! Who sends ten wrong tokens within a minute is told to wait for its end. Behind a proxy all visitors may
//! have one address, and then one who guesses must not lock the others out. So a token that withstands
//! guessing (32 characters or more; all that are made here) is let in all the same when it is the right one:
//! there, waiting protects nothing, since no number of guesses that a network carries finds it. A shorter
//! one was chosen by a person and may be guessed, so each look at it counts, and while an address waits none
//! of its tokens is looked at, be it right or wrong. To take looks slowly instead, in turn, helps nobody
//! there: before it is looked at, the right token is one like the others, and who floods us has all turns.
//! Nor does the address that a proxy writes into a header: anybody can write one. Sessions that have begun
//! go on in any case.

pub mod attempts;
pub mod headers;
pub mod host;
pub mod origin;
pub mod session;
pub mod token;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::gate::attempts::Attempts;
use crate::http::gate::host::Hosts;
use crate::http::gate::session::Session;
use crate::http::gate::token::Token;
use crate::http::problem::Problem;

/// Header that carries a session's form token where there is no form.
pub const FORM_TOKEN: &str = "x-csrf-token";

/// The rules of one server.
#[derive(Debug)]
pub struct Gate {
    token: Token,
    hosts: Hosts,
    attempts: Attempts,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visitor {
    /// Somebody without the token.
    Stranger,
    /// A program with the token.
    Program,
    /// A browser that has shown the token before.
    Browser(Session),
}

impl Visitor {
    /// Whether the token was shown.
    #[must_use]
    pub fn is_known(&self) -> bool {
        *self != Self::Stranger
    }
}

impl Gate {
    /// A gate for a server that listens on `address`.
    #[must_use]
    pub fn new(token: Token, address: SocketAddr) -> Self {
        Self { token, hosts: Hosts::of(address), attempts: Attempts::default() }
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// Whether strangers may read.
    #[must_use]
    pub fn reads_are_free(&self) -> bool {
        matches!(self.hosts, Hosts::Loopback)
    }

    /// Looks at a token that somebody typed or sent.
    ///
    /// # Errors
    /// When it is wrong; and where a token can be guessed, when this address has sent too many wrong ones.
    pub fn admit(&self, given: &str, from: SocketAddr) -> Result<(), Problem> {
        let now = Instant::now();
        let wait = self.attempts.wait(from.ip(), now);
        let is_looked_at = wait.is_none() || self.token.withstands_guessing();
        if is_looked_at && self.token.matches(given) {
            return Ok(());
        }
        if let Some(wait) = wait {
            let detail = "too many wrong tokens from this address; wait";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait));
        }
        self.attempts.note_wrong(from.ip(), now);
        tracing::warn!(event = "http_refused", address = %from.ip(), "a wrong token");
        let detail = "the token is wrong; it is the value of IMAGECACHED_TOKEN, or the one in the link \
                      that was printed at start";
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
    }

    /// Who has sent these headers.
    fn visitor(&self, headers: &HeaderMap, from: SocketAddr) -> Result<Visitor, Problem> {
        if let Some(given) = headers.get(header::AUTHORIZATION) {
            let given = given.to_str().unwrap_or_default();
            let (scheme, token) = given.split_once(' ').unwrap_or((given, ""));
            if !scheme.eq_ignore_ascii_case("bearer") {
                let detail = "write the header as `Authorization: Bearer TOKEN`";
                return Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
            }
            return self.admit(token.trim(), from).map(|()| Visitor::Program);
        }
        Ok(self.session(headers).map_or(Visitor::Stranger, Visitor::Browser))
    }

    /// The session that these headers bring, if it is valid now.
    #[must_use]
    pub fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let cookies =
            headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == session::COOKIE)
            .find_map(|(_, value)| Session::read(value, &self.token, SystemTime::now()))
    }

    /// Whether a form, or a call by a script, was made by a page of this session. Programs need none.
    ///
    /// # Errors
    /// When it was not.
    pub fn check_form(&self, visitor: &Visitor, form_token: Option<&str>) -> Result<(), Problem> {
        let ours = match visitor {
            Visitor::Program => true,
            Visitor::Browser(session) => {
                form_token.is_some_and(|given| session.made_form(&self.token, given))
            }
            Visitor::Stranger => return Err(login_needed()),
        };
        if ours {
            return Ok(());
        }
        let detail = "this form is not from a page of yours, or is too old; load the page again";
        Err(Problem::new(StatusCode::FORBIDDEN, detail))
    }
}

/// The refusal to strangers.
#[must_use]
pub fn login_needed() -> Problem {
    let detail =
        "this needs the token: send `Authorization: Bearer TOKEN`, or log in under admin/login";
    Problem::new(StatusCode::UNAUTHORIZED, detail)
}

/// What a route asks of its visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Anybody: signs of life, the login page, its style.
    Open,
    /// Reading: anybody on loopback, elsewhere who has the token.
    Read,
    /// As [`Rule::Read`] for what only reads, and the token for everything else, by method.
    ByMethod,
}

/// The middleware. Puts the [`Visitor`] into the request.
pub async fn pass(
    State((gate, rule)): State<(Arc<Gate>, Rule)>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    match gate.let_in(&request, rule, from) {
        Ok(visitor) => {
            request.extensions_mut().insert(visitor);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

impl Gate {
    fn let_in(&self, request: &Request, rule: Rule, from: SocketAddr) -> Result<Visitor, Problem> {
        let headers = request.headers();
        if headers.get_all(header::HOST).iter().count() > 1 {
            return Err(Problem::bad_request("a request has one Host header"));
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = request.uri().authority().map(|authority| authority.as_str()).or(host);
        if !self.hosts.take(host) {
            let detail =
                "this server answers to names of its own machine only (localhost, 127.0.0.1)";
            return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !reads && !origin::is_ours(headers, host) {
            let detail = "this was sent by a page of another site, which may change nothing here";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
        // Platforms ask for signs of life without a token, and a wrong one is no reason not to live.
        if rule == Rule::Open {
            return Ok(self.visitor(headers, from).unwrap_or(Visitor::Stranger));
        }
        let visitor = self.visitor(headers, from)?;
        let free = reads && self.reads_are_free();
        if !visitor.is_known() && !free {
            return Err(login_needed());
        }
        if rule == Rule::ByMethod && !reads && matches!(visitor, Visitor::Browser(_)) {
            let form_token = headers.get(FORM_TOKEN).and_then(|value| value.to_str().ok());
            self.check_form(&visitor, form_token)?;
        }
        Ok(visitor)
    }
}
