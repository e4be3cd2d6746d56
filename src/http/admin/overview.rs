//! The overview: is everything safe, how much is there, how fast did it become safe, what happened last.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::http::{Guard, Problem, Site};
use crate::model::Timestamp;
use crate::model::latency::Minute;
use crate::store::{Growth, Totals};

use super::change::Change;
use super::events::{self, EventLine};
use super::frame::{Frame, Tab, done, show};
use super::language::Language;
use super::message::Message;
use super::plot::{self, Line, Plot};
use super::status::Status;

/// Days that the plot of the growth shows.
const DAYS: u32 = 30;

/// How long a page is kept waiting for work that goes on without it.
const PATIENCE: Duration = Duration::from_secs(8);

#[derive(Template)]
#[template(path = "overview.html")]
struct Page<'p> {
    frame: &'p Frame,
    status: Status,
    /// The daemon is in this process.
    guarded: bool,
    /// `None` while the database is away.
    figures: Option<Figures>,
    /// How old the figures are, where that is to be told.
    counted: Option<String>,
    /// Why it is away, in English.
    database_trouble: Option<String>,
    plots: Vec<Plot>,
    errors: Vec<PastError>,
    events: Vec<EventLine>,
}

/// The image cache in figures, written out.
struct Figures {
    product: &'static str,
    entries: String,
    file_bytes: String,
    database_bytes: Option<String>,
    without_data: u64,
    without_data_shown: String,
    payloads: Vec<Share>,
}

/// How many entries have their bytes in one kind of place.
struct Share {
    name: &'static str,
    /// The value of the list's filter.
    filter: &'static str,
    count: u64,
    shown: String,
    percent: String,
    of: u64,
}

struct PastError {
    at: String,
    text: String,
}

pub async fn page(State(site): State<Arc<Site>>, frame: Frame) -> Response {
    let frame = frame.on(Tab::Overview);
    let language = frame.language;
    let totals = site.figures.totals().await;
    let trouble = totals.as_ref().err().map(ToString::to_string);
    let mut plots = Vec::new();
    if let Ok(totals) = &totals
        && totals.figures.entries > 0
    {
        plots.extend(growth(&site, language).await);
    }
    plots.extend(latency(&site, language));
    let errors = site.health.last_errors().into_iter().rev();
    let page = Page {
        status: Status::of(&site, language, trouble.as_deref()),
        guarded: site.guard.is_some(),
        counted: totals.as_ref().ok().and_then(|totals| counted(language, totals.age())),
        figures: totals.ok().map(|totals| figures(&site, language, &totals.figures)),
        database_trouble: trouble.or_else(|| site.health.database_away()),
        plots,
        errors: errors.map(|error| PastError { at: error.at, text: error.text }).collect(),
        events: events::latest(&site, language),
        frame: &frame,
    };
    show(StatusCode::OK, &frame, &page)
}

/// Where there are very many entries, they are not counted for every page.
fn counted(language: Language, age: Duration) -> Option<String> {
    let seconds = age.as_secs();
    (seconds > 0).then(|| (language.texts().counted_ago)(&language.number(seconds)))
}

fn figures(site: &Site, language: Language, totals: &Totals) -> Figures {
    let text = language.texts();
    let without_data = totals.entries.saturating_sub(totals.with_data);
    let share = |name, filter, count| Share {
        name,
        filter,
        count,
        shown: language.number(count),
        percent: language.percent(count, totals.entries),
        of: totals.entries.max(1),
    };
    Figures {
        product: site.store.product(),
        entries: language.number(totals.entries),
        file_bytes: language.size(totals.file_bytes),
        database_bytes: totals.database_bytes.map(|bytes| language.size(bytes)),
        without_data,
        without_data_shown: language.number(without_data),
        payloads: vec![
            share(text.payload_inline, "inline", totals.inline),
            share(text.payload_chunks, "chunks", totals.chunked),
            share(text.payload_url, "url", totals.by_url),
            share(text.payload_none, "none", without_data),
        ],
    }
}

/// What was stored on each of the last days.
async fn growth(site: &Site, language: Language) -> Option<Plot> {
    const DAY: i64 = 86_400_000_000;
    let text = language.texts();
    let stored = site.figures.growth(DAYS).await.ok()?.figures;
    let today = now().0.div_euclid(DAY);
    let on = |day: i64| stored.iter().find(|growth| growth.day.0.div_euclid(DAY) == day);
    let days: Vec<_> = (today - i64::from(DAYS) + 1..=today).map(|day| (day, on(day))).collect();
    let bytes = days.iter().map(|(_, growth)| growth.map_or(0, |growth| growth.file_bytes));
    let top = plot::round_up_bytes(bytes.max().unwrap_or(0));
    let values: Vec<_> = days
        .iter()
        .map(|(day, growth)| {
            let (entries, bytes) = growth.map_or((0, 0), |it| (it.entries, it.file_bytes));
            let day = language.short_day(*day);
            (bytes, (text.growth_bar)(&day, entries, &language.size(bytes)))
        })
        .collect();
    let seen: Vec<_> = days.iter().filter_map(|(day, growth)| Some((*day, (*growth)?))).collect();
    let entries = seen.iter().map(|(_, growth)| growth.entries).sum();
    let bytes = seen.iter().map(|(_, growth)| growth.file_bytes).sum();
    let row = |(day, growth): &(i64, &Growth)| {
        let (entries, bytes) = (language.number(growth.entries), language.size(growth.file_bytes));
        vec![language.short_day(*day), entries, bytes]
    };
    Some(Plot {
        id: "growth",
        title: text.growth,
        summary: (text.growth_summary)(entries, &language.size(bytes)),
        bars: plot::bars(&values, top),
        lines: Vec::new(),
        top: language.size(top),
        from: language.short_day(today - i64::from(DAYS) + 1),
        until: text.today.to_owned(),
        columns: vec![text.date, text.files, text.size],
        rows: seen.iter().rev().map(row).collect(),
    })
}

/// How long files took from their close to their commit, in the last hour.
fn latency(site: &Site, language: Language) -> Option<Plot> {
    // Where nobody captures, there is nothing to be fast at.
    site.guard.as_ref()?;
    let text = language.texts();
    let hour = site.health.last_hour(now());
    let seconds = |shown: fn(&Minute) -> Duration| -> Vec<Option<f64>> {
        let value = |minute: &Minute| (minute.count > 0).then(|| shown(minute).as_secs_f64());
        hour.iter().map(value).collect()
    };
    let (typical, slow) = (seconds(|minute| minute.p50), seconds(|minute| minute.p99));
    let largest = |values: &[Option<f64>]| values.iter().flatten().copied().fold(0.0, f64::max);
    let top = plot::round_up(largest(&slow));
    let busy: Vec<_> = hour.iter().filter(|minute| minute.count > 0).collect();
    let files: u64 = busy.iter().map(|minute| minute.count).sum();
    let shown = |time: Duration| language.seconds(time.as_secs_f64());
    let row = |minute: &&Minute| {
        vec![
            language.clock(minute.begins),
            language.number(minute.count),
            shown(minute.p50),
            shown(minute.p99),
            shown(minute.max),
        ]
    };
    let summary = if busy.is_empty() {
        text.speed_none.to_owned()
    } else {
        let worst = busy.iter().map(|minute| minute.max).max().unwrap_or_default();
        (text.speed_summary)(files, &shown(worst))
    };
    Some(Plot {
        id: "speed",
        title: text.speed,
        summary,
        bars: Vec::new(),
        lines: vec![
            Line { kind: "slow", name: text.slow, path: plot::path(&slow, top) },
            Line { kind: "typical", name: text.typical, path: plot::path(&typical, top) },
        ],
        top: language.seconds(top),
        from: text.an_hour_ago.to_owned(),
        until: text.now.to_owned(),
        columns: vec![text.time, text.files, text.typical, text.slow, text.slowest],
        rows: busy.iter().rev().map(row).collect(),
    })
}

/// The moment by this machine's clock.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The daemon, for what only a process that has the upload directory can do.
///
/// # Errors
/// When it is not in this process.
pub fn guard(site: &Site) -> Result<Arc<dyn Guard>, Problem> {
    site.guard.clone().ok_or_else(Problem::no_upload_dir)
}

/// Stores everything that is not stored yet.
pub async fn cache_all(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    _: Change,
) -> Result<Response, Problem> {
    let guard = guard(&site)?;
    let work = async move { guard.cache_all().await.map(|tally| Message::from(&tally)) };
    let message = for_a_while(work).await?;
    Ok(done(&site, &headers, &format!("{}/admin/", site.prefix), &message))
}

/// Puts back what is missing.
pub async fn restore(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    _: Change,
) -> Result<Response, Problem> {
    let guard = guard(&site)?;
    let work = async move { guard.restore(None).await.map(|done| Message::from(&done)) };
    let message = for_a_while(work).await?;
    Ok(done(&site, &headers, &format!("{}/admin/", site.prefix), &message))
}

/// Does work, to its end even if nobody waits for it; tells what it has done, or that it goes on.
///
/// # Errors
/// What the work says.
pub async fn for_a_while(
    work: impl Future<Output = Result<Message, String>> + Send + 'static,
) -> Result<Message, Problem> {
    let failed = |detail| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
    let work = tokio::spawn(async move {
        let result = work.await;
        if let Err(reason) = &result {
            tracing::error!(event = "failed", reason, "what the admin panel asked for has failed");
        }
        result
    });
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(result)) => result.map_err(failed),
        Ok(Err(_)) => {
            let detail = "a fault in imagecached, noted in its log; please report it";
            Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
        }
        Err(_) => Ok(Message::GoesOn),
    }
}
