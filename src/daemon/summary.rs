//! What the daemon tells about itself while it runs: summaries in the log, the state for `status`,
//! signs of life for the service manager.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::capture::Capture;
use crate::daemon::{Parts, state_file};
use crate::model::ByteSize;
use crate::model::health::Counters;
use crate::model::log_limit::LogLimit;
use crate::model::plan::Plan;
use crate::process::service_manager;
use crate::restore::Report;

/// How often the state is written down, when it has changed.
const TICK: Duration = Duration::from_secs(1);

/// How often captured files are summed up in the log.
const SUMMARY: Duration = Duration::from_secs(30);

/// The gaps between lines about a restore that goes on.
const PROGRESS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How often a database that is away is mentioned again.
const REMINDER: Duration = Duration::from_secs(600);

/// Runs until it is aborted.
pub async fn run(parts: Arc<Parts>) {
    let counters = &parts.context.health.counters;
    let mut told = (0, 0, Instant::now());
    let mut reminded = Instant::now();
    let mut progress_told = (0, LogLimit::new(PROGRESS.0, PROGRESS.1));
    // Most restores are over before there is anything to say.
    progress_told.1.allow(Instant::now());
    let mut state = state_file::Writer::default();
    loop {
        tokio::time::sleep(TICK).await;
        let now =
            (Counters::get(&counters.captured_files), Counters::get(&counters.captured_bytes));
        if now.0 != told.0 && told.2.elapsed() >= SUMMARY {
            let (files, bytes) = (now.0 - told.0, now.1 - told.1);
            let unsaved = parts.scanner.unsaved().0;
            tracing::info!(
                event = "capture_summary",
                files,
                bytes,
                unsaved,
                "{files} files ({}) have become safe",
                ByteSize(bytes)
            );
            told = (now.0, now.1, Instant::now());
        }
        let progress = *parts.progress.borrow();
        // One that has stopped, or waits for the database, makes no lines.
        if let (Some(planned @ 1..), false) = (progress.planned, progress.finished)
            && progress_told.0 != Counters::get(&counters.restored_files)
            && progress_told.1.allow(Instant::now()).is_some()
        {
            progress_told.0 = Counters::get(&counters.restored_files);
            let files = progress.restored(counters);
            tracing::info!(event = "restore_progress", files, planned, "restoring");
        }
        match parts.context.health.database_away() {
            Some(reason) if reminded.elapsed() >= REMINDER => {
                reminded = Instant::now();
                let unsaved = parts.scanner.unsaved().0;
                tracing::warn!(event = "database_away", unsaved, reason, "still away");
            }
            Some(_) => {}
            None => reminded = Instant::now(),
        }
        state.write(&parts);
        if parts.with_capture(Capture::check).is_some_and(|alive| alive.is_ok()) {
            // Nobody may be listening, and a sign of life that is not heard is no trouble of ours.
            let _ = service_manager::alive();
        }
    }
}

/// Tells what a restore has done, with every name that needs a person.
pub fn tell_restore(plan: &Plan, report: &Report, took: Duration) {
    for damage in &report.damaged_examples {
        tracing::error!(
            event = "restore_damaged",
            path = damage.path,
            id = damage.id,
            reason = %damage.reason,
            "not restored"
        );
    }
    for (path, reason) in &report.failed_examples {
        tracing::error!(event = "restore_refused", path, reason, "not restored");
    }
    for (path, why) in &plan.refused_examples {
        tracing::error!(event = "restore_refused", path, reason = %why, "not restored");
    }
    if let Some(stopped) = &report.stopped {
        let left = report.left.len();
        tracing::error!(event = "restore_stopped", left, reason = %stopped, "will be tried again");
    }
    let Report { restored, bytes, damaged, .. } = report;
    let refused = plan.refused + report.failed;
    let (present, without_data) = (plan.present + report.kept, plan.without_data);
    let took_ms = took.as_millis() as u64;
    tracing::info!(
        event = "restore_finished",
        restored,
        bytes,
        present,
        damaged,
        refused,
        without_data,
        left = report.left.len(),
        took_ms,
        "{restored} files ({}) are back, {present} were there",
        ByteSize(*bytes)
    );
}
