//! What the daemon does for HTTP: see [`Guard`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::capture;
use crate::daemon::Parts;
use crate::http::{Flushed, Guard, GuardState, Restored, Tally};
use crate::model::UploadPath;
use crate::model::plan::{Missing, Plan};
use crate::uploads::UploadDir;

/// How long a call waits for a database that is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// The daemon, as HTTP asks it.
pub struct Guarding(pub Arc<Parts>);

#[async_trait]
impl Guard for Guarding {
    fn upload_dir(&self) -> &UploadDir {
        &self.0.upload_dir
    }

    fn state(&self) -> GuardState {
        let (unsaved, oldest_unsaved) = self.0.scanner.unsaved();
        let progress = *self.0.progress.borrow();
        GuardState {
            unsaved,
            oldest_unsaved,
            restore_planned: progress.planned,
            restore_done: progress.restored(&self.0.context.health.counters),
            restore_finished: progress.finished,
        }
    }

    async fn cache_all(&self) -> Result<Tally, String> {
        let parts = &self.0;
        parts.know_the_cache(Instant::now() + PATIENCE).await?;
        let tally = capture::cache_all(&parts.scanner).await.map_err(|error| {
            let root = parts.upload_dir.root().display();
            format!("cannot read the upload directory {root}: {error}")
        })?;
        Ok(as_told(tally))
    }

    async fn cache_again(&self, paths: &[UploadPath]) -> Result<Tally, String> {
        self.0.know_the_cache(Instant::now() + PATIENCE).await?;
        Ok(as_told(capture::cache_again(&self.0.scanner, paths).await))
    }

    async fn restore(&self, ids: Option<&[i64]>) -> Result<Restored, String> {
        let parts = &self.0;
        parts.know_the_cache(Instant::now() + PATIENCE).await?;
        let mut restoring = parts.restoring();
        restoring.patience = Some(PATIENCE);
        let (plan, report) = match ids {
            Some(ids) => {
                let plan = only(ids);
                let report = restoring.act(&plan).await;
                (plan, report)
            }
            None => {
                // One that waits for the database may go on for long.
                let turn = parts.restores.try_lock();
                let turn = turn.map_err(|_| "a restore is under way already".to_owned())?;
                let restored = parts.restore_with(restoring, turn).await;
                restored.map_err(|error| error.to_string())?
            }
        };
        Ok(Restored {
            restored: report.restored,
            bytes: report.bytes,
            present: plan.present + report.kept,
            damaged: report.damaged,
            refused: plan.refused + report.failed,
            without_data: plan.without_data,
            left: report.left.len() as u64,
        })
    }

    async fn flush(&self, limit: Duration) -> Flushed {
        let deadline = Instant::now() + limit;
        let parts = &self.0;
        let known = parts.know_the_cache(deadline).await;
        let flushed = capture::flush(&parts.scanner, parts.hearing.get(), deadline).await;
        let capture::Flushed { safe, unsaved, examples, unsure } = flushed;
        Flushed { safe, unsaved, examples, unsure: known.err().or(unsure) }
    }
}

impl Parts {
    /// Waits until it is known what the cache holds: before that every file would seem new.
    async fn know_the_cache(&self, deadline: Instant) -> Result<(), String> {
        let mut progress = self.progress.subscribe();
        let known = progress.wait_for(|progress| progress.planned.is_some());
        match tokio::time::timeout_at(deadline.into(), known).await {
            Ok(_) => Ok(()),
            Err(_) => Err(match self.context.health.database_away() {
                Some(reason) => format!("nothing is known of the cache yet: {reason}"),
                None => "nothing is known of the cache yet: the database is being read".to_owned(),
            }),
        }
    }
}

/// The plan to restore these entries and no others. What is there already is found out on the way.
fn only(ids: &[i64]) -> Plan {
    // Their sizes are not known, so each comes alone: several large rows at a time would fill the memory.
    let bytes = u64::MAX / 2 / (ids.len() as u64).max(1);
    let missing = ids.iter().map(|&id| Missing { id, bytes, access_is_old: true });
    Plan { missing: missing.collect(), ..Plan::default() }
}

fn as_told(tally: capture::Tally) -> Tally {
    let capture::Tally { cached, unchanged, skipped, failed, examples } = tally;
    let examples = examples.iter().map(ToString::to_string).collect();
    Tally { cached, unchanged, skipped, failed, examples }
}
