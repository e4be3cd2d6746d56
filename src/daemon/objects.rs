//! The daemon's hourly upkeep: the history's purge, then the object store: our mark in it, and the removal of
//! what is loose.

use std::sync::Arc;
use std::time::Duration;

use crate::cleanup::purge;
use crate::daemon::Parts;
use crate::objects::{Neighbours, Objects, Pace, Stop, Trouble};

/// How often.
const HOUR: Duration = Duration::from_secs(3600);

/// Runs until it is aborted. Begins when the restore is done, which needs the store more.
pub async fn keep(parts: Arc<Parts>) {
    let mut progress = parts.progress.subscribe();
    let _ = tokio::time::timeout(HOUR, progress.wait_for(|progress| progress.finished)).await;
    let mut upkeep = parts.context.objects.clone().map(|objects| Upkeep { objects, told: None });
    loop {
        // First the history: what it lets go of becomes loose.
        if let Err(error) = purge(parts.context.store.as_ref(), parts.context.keeping()).await {
            tracing::debug!(event = "upkeep_failed", reason = %error, "the history, tried again in an hour");
        }
        if let Some(upkeep) = &mut upkeep
            && let Err(error) = upkeep.once().await
        {
            tracing::debug!(event = "upkeep_failed", reason = %error, "objects, tried again in an hour");
        }
        tokio::time::sleep(HOUR).await;
    }
}

struct Upkeep {
    objects: Arc<Objects>,
    /// Told before: not again until they are others.
    told: Option<Neighbours>,
}

impl Upkeep {
    async fn once(&mut self) -> Result<(), Trouble> {
        // The mark is made where nothing is removed as well: for the sake of what we refer to.
        let neighbours = self.objects.marked_neighbours().await?;
        if !self.objects.may_remove() {
            return Ok(());
        }
        if !neighbours.all.is_empty() {
            self.tell_shared(neighbours);
            return Ok(());
        }
        self.told = None;
        let removed = self.objects.remove_loose(Pace::GENTLE).await;
        let place = self.objects.remote().describe();
        if removed.objects > 0 {
            let count = removed.objects;
            tracing::info!(event = "objects_removed", count, place, "no entry refers to them");
        }
        if removed.elsewhere > 0 {
            let count = removed.elsewhere;
            tracing::warn!(
                event = "objects_elsewhere",
                count,
                place,
                "no entry refers to them, and they stay: they are in a store that is not configured"
            );
        }
        if let Some(error) = removed.failure {
            let failed = removed.failed;
            tracing::warn!(event = "objects_kept", failed, place, reason = %error, "tried again in an hour");
        }
        match removed.stopped {
            Some(Stop::Shared(neighbours)) => self.tell_shared(neighbours),
            Some(Stop::Trouble(trouble)) => return Err(trouble),
            Some(Stop::SwitchedOff) | None => {}
        }
        Ok(())
    }

    fn tell_shared(&mut self, neighbours: Neighbours) {
        if self.told.as_ref() != Some(&neighbours) {
            let cure = neighbours.cure();
            tracing::warn!(
                event = "objects_shared",
                reason = %neighbours,
                "nothing is removed from the object store; {cure}"
            );
        }
        self.told = Some(neighbours);
    }
}
