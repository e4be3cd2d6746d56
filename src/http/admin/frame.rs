//! What stands around every page: who looks, in which language and colours, and where they are.

use std::convert::Infallible;
use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Redirect, Response};

use crate::http::gate::{Gate, Visitor};
use crate::http::{Problem, Site};

use super::language::Language;
use super::message::{self, Message};
use super::text::Texts;
use super::{assets, change, cookie};

/// Names of the cookies that remember a visitor's wishes.
const LANGUAGE: &str = "imagecached_language";
const SCHEME: &str = "imagecached_scheme";

const YEAR: u64 = 365 * 86_400;

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scheme {
    /// As the system has it.
    #[default]
    Auto,
    Light,
    Dark,
}

impl Scheme {
    fn parse(text: &str) -> Option<Self> {
        [Self::Auto, Self::Light, Self::Dark].into_iter().find(|scheme| scheme.as_str() == text)
    }

    /// The value of `data-scheme`, and of the cookie.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A page of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    Overview,
    Entries,
    Trash,
    Cleanup,
    Doctor,
    /// None of them.
    Elsewhere,
}

/// A message that a change has left, in words.
pub struct Note {
    pub tone: &'static str,
    pub text: String,
}

/// What every template is given.
pub struct Frame {
    pub language: Language,
    /// The texts of that language.
    pub t: &'static Texts,
    pub scheme: Scheme,
    /// Where the panel is: `/partners/image-cache/admin`.
    pub root: String,
    /// Where the API is: `/partners/image-cache`.
    pub api: String,
    /// This page, with its query, for coming back to it.
    pub here: String,
    pub tab: Tab,
    /// Whether the token was shown: changes can be made.
    pub known: bool,
    /// What each form carries; empty for strangers.
    pub form_token: String,
    pub note: Option<Note>,
    /// For the addresses of style and script.
    pub version: &'static str,
}

impl Frame {
    /// The frame for somebody who sends these headers.
    pub fn of(site: &Site, visitor: &Visitor, headers: &HeaderMap, uri: &Uri) -> Self {
        let wish = cookie::read(headers, LANGUAGE).and_then(Language::of_tag);
        let language = wish.unwrap_or_else(|| Language::of_browser(headers));
        let form_token = match visitor {
            Visitor::Browser(session) => session.form_token(site.gate.token()),
            _ => String::new(),
        };
        let note = cookie::read(headers, message::COOKIE).and_then(Message::decode);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Self {
            language,
            t: language.texts(),
            scheme: cookie::read(headers, SCHEME).and_then(Scheme::parse).unwrap_or_default(),
            root: format!("{}/admin", site.prefix),
            api: site.prefix.clone(),
            here: format!("{}{path}", site.prefix),
            tab: Tab::Elsewhere,
            known: visitor.is_known(),
            form_token,
            note: note.map(|note| Note { tone: note.tone().as_str(), text: note.text(language) }),
            version: &assets::VERSION,
        }
    }

    /// The same frame, for a page of the navigation.
    #[must_use]
    pub fn on(self, tab: Tab) -> Self {
        Self { tab, ..self }
    }

    /// The login, and the way back to this page.
    pub fn login_address(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("next", &self.here).finish();
        format!("{}/login?{query}", self.root)
    }

    /// Whether a page of the navigation is this one, as `aria-current` says it.
    pub fn is_on(&self, tab: Tab) -> bool {
        self.tab == tab
    }
}

impl FromRequestParts<Arc<Site>> for Frame {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Infallible> {
        let visitor = parts.extensions.get().cloned().unwrap_or(Visitor::Stranger);
        Ok(Self::of(site, &visitor, &parts.headers, &parts.uri))
    }
}

/// A page in its frame. The message that it shows is shown once.
pub fn show(status: StatusCode, frame: &Frame, page: &impl Template) -> Response {
    let mut response = match page.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            let detail = format!("this page cannot be made: {error}");
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response();
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(frame.language.tag()));
    headers.insert(header::VARY, HeaderValue::from_static("Cookie, Accept-Language"));
    if frame.note.is_some() {
        let gone = cookie::write(&HeaderMap::new(), &frame.api, message::COOKIE, "", 0);
        headers.append(header::SET_COOKIE, gone);
    }
    response
}

/// Goes on to a page, which will show what was done.
pub fn done(site: &Site, headers: &HeaderMap, to: &str, message: &Message) -> Response {
    let note = cookie::write(headers, &site.prefix, message::COOKIE, &message.encode(), 60);
    let mut response = Redirect::to(to).into_response();
    response.headers_mut().append(header::SET_COOKIE, note);
    response
}

/// A page of the panel to come back to, if that is what it is; the overview otherwise.
pub fn way_back(site: &Site, wanted: Option<&str>) -> String {
    let root = format!("{}/admin/", site.prefix);
    // Nothing but what an address of ours is made of: it goes into a header.
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    match wanted {
        Some(path) if path.starts_with(&root) && plain(path) && !path.contains("//") => path.into(),
        _ => root,
    }
}

/// Remembers which language and colours somebody wants. Nothing of ours changes, so anybody may ask.
pub async fn prefer(State(site): State<Arc<Site>>, request: Request) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let fields = change::form(request).await?;
    let mut response = Redirect::to(&way_back(&site, fields.get("back"))).into_response();
    let mut keep = |name, value| {
        let kept = cookie::write(&headers, &site.prefix, name, value, YEAR);
        response.headers_mut().append(header::SET_COOKIE, kept);
    };
    if let Some(language) = fields.get("language").and_then(Language::of_tag) {
        keep(LANGUAGE, language.tag());
    }
    if let Some(scheme) = fields.get("scheme").and_then(Scheme::parse) {
        keep(SCHEME, scheme.as_str());
    }
    Ok(response)
}

/// Who sends these headers, as far as a cookie tells.
pub fn visitor(gate: &Gate, headers: &HeaderMap) -> Visitor {
    gate.session(headers).map_or(Visitor::Stranger, Visitor::Browser)
}
