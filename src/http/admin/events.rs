//! What happens, as it happens: server-sent events with the state in words, and with the log's lines.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde::Serialize;

use crate::http::{Problem, Site};
use crate::model::recent_lines::{Importance, Line};

use super::frame::Frame;
use super::language::Language;
use super::message::Tone;
use super::status::Status;

/// Pages that are kept up to date at a time. Each holds a connection, and there are only so many.
const MOST: usize = 16;

/// How often the state is looked at.
const TICK: Duration = Duration::from_secs(1);

/// A proxy gives up a connection on which nothing comes.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// A line of the log.
#[derive(Debug, Clone, Serialize)]
pub struct EventLine {
    pub tone: &'static str,
    pub clock: String,
    /// In English, as it stands in the log.
    pub text: String,
}

/// How many pages are kept up to date now.
pub type Watched = Arc<AtomicUsize>;

/// One of them.
struct Place(Watched);

impl Place {
    fn take(watched: &Watched) -> Option<Self> {
        let most = |taken| (taken < MOST).then_some(taken + 1);
        watched.fetch_update(Ordering::Relaxed, Ordering::Relaxed, most).ok()?;
        Some(Self(watched.clone()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The last lines, newest first.
pub fn latest(site: &Site, language: Language) -> Vec<EventLine> {
    let mut lines = since(site, 0, language).1;
    lines.reverse();
    lines
}

/// The lines after a number, oldest first, and the number of the last one.
fn since(site: &Site, after: u64, language: Language) -> (u64, Vec<EventLine>) {
    let lines = site.health.recent_lines.after(after);
    let last = lines.last().map_or(after, |line| line.number);
    (last, lines.iter().map(|line| EventLine::of(line, language)).collect())
}

impl EventLine {
    fn of(line: &Line, language: Language) -> Self {
        let tone = match line.level {
            Importance::Info => Tone::Calm,
            Importance::Warn => Tone::Warning,
            Importance::Error => Tone::Bad,
        };
        let mut text = line.message.clone();
        for (name, value) in line.fields.iter().filter(|(_, value)| !value.is_empty()) {
            // What the message says already is not said again.
            if !line.message.contains(value.as_str()) {
                text.push_str(&format!("  {name}={value}"));
            }
        }
        Self { tone: tone.as_str(), clock: language.clock(line.at), text }
    }
}

/// The stream that a page listens to.
pub async fn stream(
    State(site): State<Arc<Site>>,
    Extension(watched): Extension<Watched>,
    frame: Frame,
) -> Response {
    let Some(place) = Place::take(&watched) else {
        let detail = "too many pages are kept up to date already; this one works without it";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return problem.retry_after(Duration::from_secs(60)).into_response();
    };
    let language = frame.language;
    // What the page shows already need not be sent.
    let (told, _) = since(&site, 0, language);
    let begin = (site, place, told, None::<Status>, false);
    let events = stream::unfold(begin, move |(site, place, told, shown, waits)| async move {
        if waits {
            tokio::time::sleep(TICK).await;
        }
        let (told, lines) = since(&site, told, language);
        let mut events: Vec<Event> = lines.iter().filter_map(|line| event("line", line)).collect();
        let state = Status::of(&site, language, None);
        if shown.as_ref() != Some(&state) {
            events.extend(event("state", &state));
        }
        Some((stream::iter(events), (site, place, told, Some(state), true)))
    });
    let events = events.flatten().map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(KeepAlive::new().interval(SIGN_OF_LIFE)).into_response()
}

fn event(name: &str, data: &impl Serialize) -> Option<Event> {
    Event::default().event(name).json_data(data).ok()
}
