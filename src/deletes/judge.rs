//! Whether a file that has vanished was deleted, and what becomes of its entry then.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::deletes::Deletes;
use crate::deletes::pending::Vanished;
use crate::model::UploadPath;
use crate::model::brake::Braked;
use crate::model::settle::Sign;
use crate::model::version::{Leaving, Trash};
use crate::store::StoreError;

/// What was noticed so long before and after a name vanished may be the same file under a new name.
const SAME_MOMENT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// As many names are told.
const EXAMPLES: usize = 5;

impl Deletes {
    /// Decides about the files whose grace time has passed, with all the others in view.
    pub(super) async fn judge(&self) -> Result<(), StoreError> {
        let now = Instant::now();
        let (all, holds) = {
            let pending = self.shared.pending();
            if !pending.any_due(now) {
                return Ok(());
            }
            (pending.all(), pending.holds())
        };
        let known = self.scanner.known();
        // What the cache holds is yet to be learned.
        if known == 0 {
            return Ok(());
        }
        let missing = match self.look_for(&all).await {
            Ok(missing) => missing,
            Err(why) => {
                self.shared.pending().brake(Braked::UploadDir(why), now);
                return Ok(());
            }
        };
        let brake = &self.options.brake;
        let (vanished, stored) = (missing.len() as u64, known.max(missing.len()) as u64);
        if !brake.passes(vanished, stored) {
            self.shared.pending().brake(Braked::TooMany { vanished, all: stored }, now);
            return Ok(());
        }
        let mut due = Vec::new();
        {
            let mut pending = self.shared.pending();
            for (path, vanished) in all {
                if !missing.contains(&path) {
                    pending.settle(&path, vanished.at);
                } else if pending.is_due(&vanished, now) {
                    due.push((path, vanished));
                }
            }
            if pending.holds() != holds {
                return Ok(());
            }
        }
        let Some(unsafe_since) = self.scanner.waiting_since() else { return Ok(()) };
        due.retain(|(_, vanished)| !has_company(vanished.at, &unsafe_since));
        self.trash(due).await
    }

    /// Moves the entries of these files to the trash.
    async fn trash(&self, due: Vec<(UploadPath, Vanished)>) -> Result<(), StoreError> {
        let without: Vec<UploadPath> = due
            .iter()
            .filter(|(_, vanished)| vanished.leaving.is_none())
            .map(|(path, _)| path.clone())
            .collect();
        let stored = match without.is_empty() {
            true => HashMap::new(),
            false => self.store.stored(&without).await?,
        };
        let late = |path| stored.get(path).map(|it| Leaving { id: it.id, sha256: it.sha256 });
        let leaving: Vec<Leaving> =
            due.iter().filter_map(|(path, gone)| gone.leaving.or_else(|| late(path))).collect();
        let count = self.store.trash(&leaving, Trash::Deleted).await?;
        if count > 0 {
            let examples: Vec<&str> =
                due.iter().take(EXAMPLES).map(|(path, _)| path.as_str()).collect();
            let examples = examples.join(", ");
            tracing::info!(
                event = "trashed",
                count,
                examples,
                "deleted by the app; `imagecached undelete` gives them back"
            );
        }
        for (path, vanished) in &due {
            self.shared.pending().settle(path, vanished.at);
            self.scanner.note_gone(path);
            // Made anew in the last moment: whoever has found it stored was too early.
            if self.scanner.look(path).is_some() {
                self.scanner.note(path.clone(), Sign::Found);
            }
        }
        Ok(())
    }

    /// Which of the files are missing; or why the upload directory cannot tell.
    async fn look_for(
        &self,
        all: &[(UploadPath, Vanished)],
    ) -> Result<HashSet<UploadPath>, String> {
        let marker = self.marker.clone()?;
        let paths: Vec<UploadPath> = all.iter().map(|(path, _)| path.clone()).collect();
        let look = move || {
            marker.check().map_err(|error| error.to_string())?;
            // What cannot be looked at may be there.
            let missing = paths.into_iter().filter(|path| marker.is_missing(path).unwrap_or(false));
            let missing = missing.collect();
            // Once more: it may have gone in between.
            marker.check().map_err(|error| error.to_string())?;
            Ok(missing)
        };
        tokio::task::spawn_blocking(look).await.expect("looking does not panic")
    }
}

/// Whether something is not yet safe that was noticed at about this moment: `unsafe_since` is in order.
fn has_company(at: Instant, unsafe_since: &[Instant]) -> bool {
    let from = at.checked_sub(SAME_MOMENT.0).unwrap_or(at);
    let first = unsafe_since.partition_point(|since| *since < from);
    unsafe_since.get(first).is_some_and(|since| *since <= at + SAME_MOMENT.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_appeared_at_the_same_moment_is_company() {
        let at = Instant::now();
        let secs = Duration::from_secs;
        assert!(!has_company(at, &[]));
        assert!(!has_company(at, &[at - secs(10), at + secs(10)]));
        assert!(has_company(at, &[at - secs(10), at + secs(1), at + secs(10)]));
    }
}
