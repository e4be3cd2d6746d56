//! What the daemon does for HTTP: see [`Guard`].

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::runtime::Handle;

use crate::capture;
use crate::daemon::unfinished::Unfinished;
use crate::daemon::{Parts, flush};
use crate::http::{Flushed, Guard, GuardState, Restored, Tally};
use crate::model::plan::{Missing, Plan};
use crate::model::{Entry, UploadPath};
use crate::revert::{Revert, RevertError};
use crate::uploads::UploadDir;

/// How long a call waits for a database that is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// The daemon, as HTTP asks it. The work is done by the daemon's own runtime: HTTP's may end before the
/// connections that were opened for it.
pub struct Guarding {
    parts: Arc<Parts>,
    runtime: Handle,
}

impl Guarding {
    /// For this daemon, whose runtime is the one of the caller.
    #[must_use]
    pub fn new(parts: Arc<Parts>) -> Self {
        Self { parts, runtime: Handle::current() }
    }

    /// Has the daemon do this, to its end: also when nobody waits for it any longer.
    async fn there<T, F>(&self, work: impl FnOnce(Arc<Parts>) -> F) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let work = self.runtime.spawn(work(self.parts.clone()));
        work.await.expect("what the daemon does for HTTP does not panic, and is not aborted")
    }
}

#[async_trait]
impl Guard for Guarding {
    fn upload_dir(&self) -> &UploadDir {
        &self.parts.upload_dir
    }

    fn state(&self) -> GuardState {
        let (unsaved, oldest_unsaved) = self.parts.scanner.unsaved();
        let progress = *self.parts.progress.borrow();
        GuardState {
            unsaved,
            oldest_unsaved,
            restore_planned: progress.planned,
            restore_done: progress.restored(&self.parts.context.health.counters),
            restore_finished: progress.finished,
        }
    }

    fn makes_tables(&self) -> bool {
        self.parts.context.settings.migrate && self.parts.scanner.is_held()
    }

    async fn cache_all(&self) -> Result<Tally, String> {
        self.there(|parts| async move { parts.cache_all().await }).await
    }

    async fn cache_again(&self, paths: &[UploadPath]) -> Result<Tally, String> {
        let paths = paths.to_vec();
        self.there(|parts| async move {
            parts.know_the_cache(Instant::now() + PATIENCE).await?;
            Ok(as_told(capture::cache_again(&parts.scanner, &paths).await))
        })
        .await
    }

    async fn restore(&self, ids: Option<&[i64]>) -> Result<Restored, String> {
        let ids = ids.map(<[i64]>::to_vec);
        self.there(|parts| async move { parts.restore_for(ids.as_deref()).await }).await
    }

    async fn revert(&self, path: &UploadPath, version: i64) -> Result<Entry, RevertError> {
        let path = path.clone();
        self.there(move |parts| async move {
            let (restoring, scanner) = (parts.restoring(), parts.scanner.clone());
            Revert { restoring, scanner }.act(&path, version).await
        })
        .await
    }

    async fn flush(&self, limit: Duration) -> Flushed {
        let deadline = Instant::now() + limit;
        self.there(move |parts| async move {
            let known = parts.know_the_cache(deadline).await;
            let flushed = capture::flush(&parts.scanner, parts.hearing.get(), deadline).await;
            let capture::Flushed { safe, unsaved, examples, unsure } = flushed;
            Flushed { safe, unsaved, examples, unsure: known.err().or(unsure) }
        })
        .await
    }
}

impl Parts {
    async fn cache_all(&self) -> Result<Tally, String> {
        self.know_the_cache(Instant::now() + PATIENCE).await?;
        let tally = capture::cache_all(&self.scanner).await.map_err(|error| {
            let root = self.upload_dir.root().display();
            format!("cannot read the upload directory {root}: {error}")
        })?;
        Ok(as_told(tally))
    }

    async fn restore_for(&self, ids: Option<&[i64]>) -> Result<Restored, String> {
        self.know_the_cache(Instant::now() + PATIENCE).await?;
        let mut restoring = self.restoring();
        restoring.patience = Some(PATIENCE);
        let (plan, report) = match ids {
            Some(ids) => {
                let plan = only(ids);
                let mut report = restoring.act(&plan).await;
                flush::behind(report.unflushed.take());
                (plan, report)
            }
            None => {
                // One that waits for the database may go on for long.
                let turn = self.restores.try_lock();
                let turn = turn.map_err(|_| "a restore is under way already".to_owned())?;
                let restored = self.restore_with(restoring, turn).await;
                let (plan, report) = restored.map_err(|error| error.to_string())?;
                self.unfinished.send_replace(Unfinished::of(&report));
                (plan, report)
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
            stopped: report
                .stopped
                .filter(|_| !report.left.is_empty())
                .map(|stop| stop.to_string()),
        })
    }

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
