//! The keeper: does what the start has left undone, then scans from time to time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::capture::intake::Intake;
use crate::daemon::{Begun, Parts, objects, unfinished, verifying};
use crate::model::health::{Counters, Watcher};
use crate::process::{Effort, memory};
use crate::restore::{PlanError, Report};
use crate::store::{MANY_NEW, StoreError, Trouble};

/// Without a watcher, scans are the only eyes.
const DEGRADED_INTERVAL: Duration = Duration::from_secs(5);

/// A scan of a large tree waits so many times as long as the one before it has taken of a processor: while the
/// watcher works, nobody should notice that there are scans.
const RESTS: u32 = 1_500;

/// No scan waits longer for that.
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);

/// Who sets a shorter interval than this, which is the default, has it kept whatever it costs.
const UNHURRIED: Duration = Duration::from_secs(60);

/// The first wait for the database, and the longest.
const DATABASE_RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// How often dead chunks are swept.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How often the index is read again, and with it which `last_accessed` are old.
const HOUR: Duration = Duration::from_secs(3600);

/// The part of the daemon that runs all the time.
pub struct Keeper {
    parts: Arc<Parts>,
    intake: Option<Arc<Intake>>,
    begun: Begun,
}

impl Keeper {
    pub fn new(parts: Arc<Parts>, intake: Option<Arc<Intake>>, begun: Begun) -> Self {
        Self { parts, intake, begun }
    }

    /// Runs until it is aborted.
    pub async fn run(mut self) {
        if !self.begun.store_ready {
            self.wait_for_store().await;
        }
        if self.begun.learn_only {
            self.learn().await;
            return self.scan_for_ever().await;
        }
        let restoring = self.begun.restore.take();
        let mut outcome = None;
        if !self.begun.restored && restoring.is_none() {
            // A first try in the foreground of this task: the scan needs the index that it reads.
            outcome = Some(Ok(self.restore_once().await));
        }
        let (parts, restored) = (self.parts.clone(), self.begun.restored);
        let finishing = tokio::spawn(async move {
            if let Some(restoring) = restoring {
                outcome = restoring.await.ok();
            }
            if !restored {
                unfinished::finish(parts, outcome).await;
            }
        });
        let _finishing = AbortOnDrop(finishing);
        self.scan_for_ever().await;
    }

    async fn wait_for_store(&self) {
        let mut wait = DATABASE_RETRY.0;
        while let Err(error) = self.parts.context.prepare_store().await {
            self.tell_away(&error);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(DATABASE_RETRY.1);
        }
        self.parts.store_is_ready();
        self.parts.scanner.note_database_back();
    }

    async fn restore_once(&self) -> Report {
        let mut wait = DATABASE_RETRY.0;
        loop {
            // Only the plan can fail; without it there is no index, and a scan would read every file.
            match self.parts.clone().restore().await {
                Ok(report) => return report,
                Err(error) => self.tell_unplanned(&error),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(DATABASE_RETRY.1);
        }
    }

    async fn learn(&self) {
        let mut wait = DATABASE_RETRY.0;
        while let Err(error) = self.parts.learn().await {
            self.tell_unplanned(&error);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(DATABASE_RETRY.1);
        }
    }

    fn tell_unplanned(&self, error: &PlanError) {
        match error {
            PlanError::Store(error) => self.tell_away(error),
            PlanError::UploadDir { .. } => {
                self.parts.scanner.tell_once("", &error.to_string());
            }
        }
    }

    fn tell_away(&self, error: &StoreError) {
        let text = error.to_string();
        if !self.parts.context.health.set_database_away(Some(text.clone())) {
            let needs_you = !matches!(error.trouble, Trouble::Away | Trouble::Busy);
            tracing::error!(
                event = "database_away",
                reason = text,
                needs_you,
                "NOTHING IS PROTECTED until the database answers"
            );
        }
    }

    async fn scan_for_ever(&self) {
        let _objects = AbortOnDrop(tokio::spawn(objects::keep(self.parts.clone())));
        let _unfinished = AbortOnDrop(tokio::spawn(unfinished::keep(self.parts.clone())));
        let _verifying = AbortOnDrop(tokio::spawn(verifying::keep(self.parts.clone())));
        let returns = || Counters::get(&self.parts.context.health.counters.database_returns);
        let (mut day, mut hour) = (Instant::now() + DAY, Instant::now() + HOUR);
        let mut returned = returns();
        let captured = || Counters::get(&self.parts.context.health.counters.captured_files);
        let mut prepared_at = captured();
        self.sweep().await;
        loop {
            if let Some(intake) = &self.intake {
                intake.check_root();
            }
            let cost = self.scan().await;
            if captured() - prepared_at >= MANY_NEW {
                prepared_at = captured();
                self.prepare_again().await;
            }
            if Instant::now() >= day {
                day = Instant::now() + DAY;
                self.sweep().await;
            }
            self.pause(cost).await;
            // A database that was away may have come back as it was some time ago.
            if Instant::now() >= hour || returns() != returned {
                hour = Instant::now() + HOUR;
                returned = returns();
                self.refresh_index().await;
            }
        }
    }

    /// Scans, and says how long that has kept a processor.
    async fn scan(&self) -> Duration {
        let parts = self.parts.clone();
        let scan = move || {
            let effort = Effort::begin();
            let scanned = parts.scan_and_tell("");
            memory::give_back();
            (scanned, effort.spent())
        };
        let (scanned, cost) =
            tokio::task::spawn_blocking(scan).await.expect("a scan does not panic");
        let Some(scanned) = scanned else { return cost };
        if let Err(error) = self.parts.scanner.renew_access(&scanned.old_access).await {
            tracing::debug!(event = "upkeep_failed", reason = %error, "access times, tried again later");
        }
        cost
    }

    async fn sweep(&self) {
        match self.parts.context.store.sweep_chunks().await {
            Ok(0) => {}
            Ok(chunk_sets) => {
                tracing::info!(event = "swept", chunk_sets, "remains of large files removed");
            }
            Err(error) => {
                tracing::debug!(event = "upkeep_failed", reason = %error, "sweeping, tried again in a day")
            }
        }
    }

    /// Tables of many entries want more than those of a few.
    async fn prepare_again(&self) {
        if let Err(error) = self.parts.context.prepare_store().await {
            tracing::debug!(event = "upkeep_failed", reason = %error, "the tables, tried again later");
        }
    }

    async fn refresh_index(&self) {
        if let Err(error) = self.parts.scanner.refresh().await {
            tracing::debug!(event = "upkeep_failed", reason = %error, "the index, tried again later");
        }
    }

    /// Waits for the next scan's time, or for a reason to scan now.
    async fn pause(&self, cost: Duration) {
        let usual = self.parts.context.settings.scan_interval;
        let degraded = self.parts.context.health.watcher() != Watcher::Watching;
        let interval = interval(usual, degraded, cost);
        let asked = async {
            match &self.intake {
                Some(intake) => intake.scan_due().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(jittered(interval)) => {}
            () = asked => {}
            () = self.parts.scanner.missed() => {}
            () = self.ask_for_the_database() => unreachable!("it asks for ever"),
        }
    }

    /// Asks now and then whether a database that is away is back: there may be no upload that would
    /// find it out.
    async fn ask_for_the_database(&self) {
        loop {
            tokio::time::sleep(DATABASE_RETRY.1).await;
            // Where uploads wait, they ask themselves.
            if self.parts.scanner.unsaved().0 == 0
                && self.parts.context.health.database_away().is_some()
                && self.parts.context.prepare_store().await.is_ok()
            {
                self.parts.scanner.note_database_back();
            }
        }
    }
}

/// How long to wait for the next scan after one that took `cost` of a processor.
fn interval(usual: Duration, degraded: bool, cost: Duration) -> Duration {
    if degraded {
        usual.min(DEGRADED_INTERVAL)
    } else if usual < UNHURRIED {
        usual
    } else {
        usual.max(cost.saturating_mul(RESTS).min(LONGEST_REST))
    }
}

/// A tenth more or less, so that many containers that were started together do not scan together.
fn jittered(interval: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    interval.mul_f64(0.9 + 0.2 * f64::from(random) / f64::from(u32::MAX))
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_of_large_trees_rest_longer_unless_they_are_needed_or_wanted() {
        let (seconds, millis) = (Duration::from_secs, Duration::from_millis);
        assert_eq!(interval(seconds(60), false, millis(5)), seconds(60));
        assert_eq!(interval(seconds(60), false, millis(80)), seconds(120));
        assert_eq!(interval(seconds(3600), false, millis(80)), seconds(3600));
        assert_eq!(interval(seconds(60), false, seconds(5)), LONGEST_REST);
        assert_eq!(interval(seconds(5), false, millis(80)), seconds(5));
        assert_eq!(interval(seconds(60), true, millis(80)), DEGRADED_INTERVAL);
    }
}
