//! `GET status/`: the same words as `imagecached status --json`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::api::Api;
use crate::http::api::ask::{Asked, Nothing, Refusals};
use crate::http::{Guard, Problem};
use crate::model::health::{Counters, Health, Verified, Watcher};

/// How everything stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// The database product.
    #[schema(example = "PostgreSQL")]
    pub database: String,
    pub entries: u64,
    /// Entries whose bytes can be read back.
    pub with_data: u64,
    pub without_data: u64,
    /// Entries with base64 in the row.
    pub inline: u64,
    /// Entries with chunks in the database.
    pub chunked: u64,
    /// Entries in an object store.
    pub by_url: u64,
    /// Sum of the files' sizes.
    pub file_bytes: u64,
    /// Since when the entries are so many. They are counted for this answer, but where there are very many: then
    /// it tells what was counted last, some seconds ago.
    pub counted_seconds_ago: f64,
    /// What our tables take; null where the database cannot tell.
    pub database_bytes: Option<u64>,
    /// Files that are seen and not safe; null without the upload directory.
    pub unsaved: Option<u64>,
    /// For how long the oldest of them has been so.
    pub oldest_unsaved_seconds: Option<f64>,
    /// When a file became safe for the last time since the process started, by this machine's clock.
    #[schema(example = "2026-05-06T07:08:09Z")]
    pub last_capture: Option<String>,
    /// The daemon of this process; null without the upload directory.
    pub daemon: Option<Daemon>,
    /// The last errors, oldest first.
    pub last_errors: Vec<Fault>,
}

/// The daemon.
#[derive(Debug, Serialize, ToSchema)]
pub struct Daemon {
    pub pid: u32,
    pub unsaved: u64,
    /// Since the start.
    pub captured_files: u64,
    pub captured_bytes: u64,
    pub restored_files: u64,
    pub failures: u64,
    pub damaged_entries: u64,
    pub watcher: Watching,
    /// Why the database is away, when it is.
    pub database_away: Option<String>,
    /// Files to restore; null before there is a plan.
    pub restore_planned: Option<u64>,
    pub restore_finished: bool,
    /// What the last restore has left undone and why it stopped, if it has; it is tried again by itself.
    pub restore_stopped: Option<String>,
    /// Why deletes were not taken for meant, the last time since the start.
    pub delete_brake: Option<String>,
    pub last_errors: Vec<Fault>,
    /// What its own verifying has come to; null where nobody has asked for it (`verify_interval`).
    pub verify: Option<Verifying>,
}

/// The daemon's own verifying, since the start.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verifying {
    /// Entries that were read and compared.
    pub entries: u64,
    pub mended: u64,
    /// Entries that are not as they should be and could not be mended.
    pub not_mended: u64,
    /// Former contents that are damaged.
    pub damaged_versions: u64,
    /// When it had been around all entries for the last time, by this machine's clock.
    #[schema(example = "2026-05-06T07:08:09Z")]
    pub last_round: Option<String>,
}

impl From<Verified> for Verifying {
    fn from(verified: Verified) -> Self {
        let Verified { entries, mended, not_mended, damaged_versions, last_round } = verified;
        let last_round = last_round.map(|at| at.to_string());
        Self { entries, mended, not_mended, damaged_versions, last_round }
    }
}

/// How new files are noticed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Watching {
    /// `off`, `watching`, or `degraded`: only scans find files.
    #[schema(example = "watching")]
    pub state: &'static str,
    /// Why it is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<Watcher> for Watching {
    fn from(watcher: Watcher) -> Self {
        match watcher {
            Watcher::Off => Self { state: "off", reason: None },
            Watcher::Watching => Self { state: "watching", reason: None },
            Watcher::Degraded(reason) => Self { state: "degraded", reason: Some(reason) },
        }
    }
}

/// Something that went wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fault {
    /// By this machine's clock.
    #[schema(example = "2026-05-06T07:08:09Z")]
    pub at: String,
    pub text: String,
}

/// How everything stands: what is stored, what is not safe yet, what went wrong.
#[utoipa::path(
    get,
    path = "/status/",
    tag = "status",
    responses((status = 200, description = "How it stands.", body = Status), Refusals)
)]
pub async fn status(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<Status>, Problem> {
    let site = &api.site;
    let counted = site.figures.totals().await?;
    let totals = &counted.figures;
    let state = site.guard.as_ref().map(|guard| guard.state());
    let oldest = state.as_ref().and_then(|state| state.oldest_unsaved);
    Ok(Json(Status {
        database: site.store.product().to_owned(),
        entries: totals.entries,
        with_data: totals.with_data,
        without_data: totals.entries.saturating_sub(totals.with_data),
        inline: totals.inline,
        chunked: totals.chunked,
        by_url: totals.by_url,
        file_bytes: totals.file_bytes,
        counted_seconds_ago: counted.age().as_secs_f64(),
        database_bytes: totals.database_bytes,
        unsaved: state.as_ref().map(|state| state.unsaved as u64),
        oldest_unsaved_seconds: oldest.map(|age| age.as_secs_f64()),
        last_capture: site.health.last_capture().map(|at| at.to_string()),
        daemon: site.guard.as_ref().map(|guard| daemon(&**guard, &site.health)),
        last_errors: faults(&site.health),
    }))
}

fn daemon(guard: &dyn Guard, health: &Health) -> Daemon {
    let (state, counters) = (guard.state(), &health.counters);
    Daemon {
        pid: std::process::id(),
        unsaved: state.unsaved as u64,
        captured_files: Counters::get(&counters.captured_files),
        captured_bytes: Counters::get(&counters.captured_bytes),
        restored_files: Counters::get(&counters.restored_files),
        failures: Counters::get(&counters.failures),
        damaged_entries: Counters::get(&counters.damaged_entries),
        watcher: health.watcher().into(),
        database_away: health.database_away(),
        delete_brake: health.delete_brake(),
        restore_planned: state.restore_planned,
        restore_finished: state.restore_finished,
        restore_stopped: health.restore_stopped(),
        last_errors: faults(health),
        verify: health.verified().map(Verifying::from),
    }
}

fn faults(health: &Health) -> Vec<Fault> {
    let errors = health.last_errors().into_iter();
    errors.map(|error| Fault { at: error.at, text: error.text }).collect()
}
