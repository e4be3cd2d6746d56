//! The doctor's findings, each with its cure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tokio::sync::Mutex;

use crate::doctor::{Finding, Severity, examine};
use crate::http::Site;

use super::change::Change;
use super::frame::{Frame, Tab, done, show};
use super::message::Message;

/// For how long findings are shown again instead of looking once more: the doctor writes probes.
const FRESH: Duration = Duration::from_secs(60);

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The last look. Held while the doctor looks, so that many visitors make one look.
pub type Memory = Arc<Mutex<Option<Look>>>;

/// What the doctor has found.
pub struct Look {
    at: Instant,
    findings: Arc<Vec<Finding>>,
    /// It came to its end within the time given.
    ended: bool,
}

#[derive(Template)]
#[template(path = "doctor.html")]
struct Page<'p> {
    frame: &'p Frame,
    sentence: String,
    tone: &'static str,
    looked: String,
    /// It was given up before its end.
    unfinished: bool,
    /// Another process has the upload directory.
    elsewhere: bool,
    groups: Vec<Group>,
}

/// Findings of one severity.
struct Group {
    title: &'static str,
    tone: &'static str,
    findings: Vec<Shown>,
}

struct Shown {
    check: &'static str,
    message: String,
    cure: Option<String>,
}

pub async fn page(
    State(site): State<Arc<Site>>,
    Extension(memory): Extension<Memory>,
    frame: Frame,
) -> Response {
    let frame = frame.on(Tab::Doctor);
    let (findings, age, ended) = look(&site, &memory).await;
    let count = |severity| findings.iter().filter(|it| it.severity == severity).count() as u64;
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let elsewhere = site.guard.is_none();
    let tone = match (errors, warnings) {
        // Whether the uploads are safe is known only where the upload directory is.
        (0, 0) if elsewhere => "calm",
        (0, 0) => "good",
        (0, _) => "warning",
        _ => "bad",
    };
    let group = |severity, title, tone| Group {
        title,
        tone,
        findings: findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .map(|it| Shown { check: it.check, message: it.message.clone(), cure: it.cure.clone() })
            .collect(),
    };
    let text = frame.t;
    let groups = [
        group(Severity::Error, text.errors, "bad"),
        group(Severity::Warning, text.warnings, "warning"),
        group(Severity::Note, text.notes, "calm"),
        group(Severity::Ok, text.all_well, "good"),
    ];
    let page = Page {
        sentence: match (errors, warnings) {
            (0, 0) if elsewhere => text.doctor_well_from_here.to_owned(),
            _ => (text.doctor_sentence)(errors, warnings),
        },
        tone,
        looked: (text.looked)(&frame.language.ago(age)),
        unfinished: !ended,
        elsewhere,
        groups: groups.into_iter().filter(|group| !group.findings.is_empty()).collect(),
        frame: &frame,
    };
    show(StatusCode::OK, &frame, &page)
}

/// Looks again.
pub async fn again(
    State(site): State<Arc<Site>>,
    Extension(memory): Extension<Memory>,
    headers: HeaderMap,
    _: Change,
) -> Response {
    *memory.lock().await = None;
    look(&site, &memory).await;
    done(&site, &headers, &format!("{}/admin/doctor/", site.prefix), &Message::Examined)
}

async fn look(site: &Site, memory: &Memory) -> (Arc<Vec<Finding>>, Duration, bool) {
    let mut last = memory.lock().await;
    if let Some(look) = &*last
        && look.at.elapsed() < FRESH
    {
        return (look.findings.clone(), look.at.elapsed(), look.ended);
    }
    let mut findings = Vec::new();
    let patient = (site.patient)();
    let mut tell = |finding| findings.push(finding);
    let ended = tokio::time::timeout(LIMIT, examine(&patient, &mut tell)).await.is_ok();
    let findings = Arc::new(findings);
    *last = Some(Look { at: Instant::now(), findings: findings.clone(), ended });
    (findings, Duration::ZERO, ended)
}
