//! Deletes: a file that the app deletes while the daemon watches loses its place in the cache, after a
//! grace time, and may have it back from the trash.
//!
//! Only what the watch has told counts: no scan and no start ever takes a missing file for a deleted one.
//! A name that has vanished waits. After the grace time it must still be missing, and not stored anew by
//! somebody else; what has appeared at the same time (a file that was only renamed) must be safe; the
//! brake must let it pass. Only then does its entry go to the trash.

mod pending;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::capture;
use crate::capture::intake::{Gone, Listener};
use crate::capture::scan::Scanner;
use crate::deletes::pending::{Heard, Pending, Vanished};
use crate::model::UploadPath;
use crate::model::brake::{Brake, Braked};
use crate::model::health::Health;
use crate::model::scratch::is_scratch;
use crate::model::settle::Sign;
use crate::model::version::{Leaving, Trash};
use crate::store::{ListQuery, Store, StoreError};
use crate::uploads::{Marker, MarkerError, UploadDir};

/// Names are asked about together: as many vanish within a moment.
const GATHER: Duration = Duration::from_millis(200);

/// What could not be done is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// Names asked about with one statement.
const BATCH: usize = 500;

/// Most entries of a directory that was moved away. More than these are an accident, or nobody's hurry.
const MOST_IN_DIRECTORY: u32 = 50_000;

/// What was noticed so long before and after a name vanished may be the same file under a new name.
const SAME_MOMENT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// As many names are told.
const EXAMPLES: usize = 5;

/// How to go on when the brake holds.
const CURE: &str = "nothing was moved to the trash, and these files are restored at the next start; if they are to \
                    go: `imagecached trash --missing --yes`";

/// How deletes are followed.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a file must stay deleted.
    pub grace: Duration,
    pub brake: Brake,
    /// What the marker in the upload directory says: the same for the same cache, different for another.
    pub identity: String,
}

/// Follows what the app deletes.
pub struct Deletes {
    options: Options,
    upload_dir: UploadDir,
    store: Arc<dyn Store>,
    scanner: Scanner,
    health: Arc<Health>,
    shared: Arc<Shared>,
    /// The upload directory as it should be; or why nobody knows.
    marker: Result<Arc<Marker>, String>,
}

#[derive(Debug)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Notify,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Every change of it is one insert or one drop of everything: a panic elsewhere leaves it whole.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, gone: Gone, takes: impl Fn(&UploadPath) -> bool) {
        let at = Instant::now();
        let (name, with_all_in_it) = match gone {
            Gone::Deleted(name) => (name, false),
            Gone::MovedAway(name) => (name, true),
            Gone::Unheard(why) => {
                self.pending().brake(Braked::Unheard(why), at);
                return self.changed.notify_one();
            }
        };
        // Of a name that is no upload path, nothing was stored.
        let Ok(path) = UploadPath::parse(&name) else { return };
        if takes(&path) && !is_scratch(&name) {
            self.pending().hear(Heard { path, with_all_in_it, at });
            self.changed.notify_one();
        }
    }
}

impl Deletes {
    /// Takes the upload directory as it is now for the right one, and puts the marker into it.
    #[must_use]
    pub fn new(
        options: Options,
        upload_dir: UploadDir,
        store: Arc<dyn Store>,
        scanner: Scanner,
        health: Arc<Health>,
    ) -> Self {
        let pending = Mutex::new(Pending::new(options.grace));
        let shared = Arc::new(Shared { pending, changed: Notify::new() });
        let marker = Err(String::new());
        let mut deletes = Self { options, upload_dir, store, scanner, health, shared, marker };
        deletes.mark();
        deletes
    }

    /// What the intake tells what went.
    #[must_use]
    pub fn listener(&self) -> Listener {
        let (shared, scanner) = (self.shared.clone(), self.scanner.clone());
        Box::new(move |gone| shared.hear(gone, |path| scanner.takes(path)))
    }

    /// Runs until it is aborted; what is pending then stays in the cache.
    pub async fn run(mut self) {
        loop {
            self.round().await;
            let wakes_at = self.shared.pending().wakes_at();
            let rest = async {
                match wakes_at {
                    // What was due by now was put off.
                    Some(at) => {
                        tokio::time::sleep_until(at.max(Instant::now() + AGAIN).into()).await
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.shared.changed.notified() => tokio::time::sleep(GATHER).await,
                () = rest => {}
            }
        }
    }

    async fn round(&mut self) {
        if self.shared.pending().end_hold(Instant::now()) {
            // It begins anew with the directory as it is now.
            self.mark();
        }
        let done = match self.ask_what_is_stored().await {
            Ok(()) => self.judge().await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::debug!(event = "upkeep_failed", reason = %error, "deletes, tried again");
            self.shared.changed.notify_one();
            tokio::time::sleep(AGAIN).await;
        }
        let news = self.shared.pending().take_news();
        if let Some((why, vanished)) = news {
            self.tell_brake(&why, vanished);
        }
    }

    fn mark(&mut self) {
        let marked = Marker::set(&self.upload_dir, &self.options.identity);
        self.marker = marked.map(Arc::new).map_err(|error: MarkerError| {
            let reason = error.to_string();
            tracing::error!(
                event = "delete_brake",
                reason,
                "no delete counts, and every file is kept"
            );
            self.note(&reason);
            reason
        });
    }

    fn tell_brake(&self, why: &Braked, vanished: usize) {
        let reason = why.to_string();
        tracing::error!(event = "delete_brake", vanished, reason, "{CURE}");
        self.note(&format!("{reason}; {CURE}"));
    }

    fn note(&self, reason: &str) {
        let now = capture::now();
        self.health.set_delete_brake(format!("{now}  {reason}"));
        self.health.note_error(now, format!("deletes were not taken for meant: {reason}"));
    }

    /// Finds out which of the names that have vanished were files of the cache, and which files were in
    /// what was a directory.
    async fn ask_what_is_stored(&self) -> Result<(), StoreError> {
        let (heard, holds) = {
            let mut pending = self.shared.pending();
            (pending.take_heard(), pending.holds())
        };
        if heard.is_empty() {
            return Ok(());
        }
        let mut left = heard.as_slice();
        while !left.is_empty() {
            let (batch, rest) = left.split_at(left.len().min(BATCH));
            if let Err(error) = self.ask(batch, holds).await {
                self.shared.pending().put_back(left.to_vec(), holds);
                return Err(error);
            }
            left = rest;
        }
        let (names, pending) = (heard.len(), self.shared.pending().all().len());
        tracing::debug!(event = "deletes_heard", names, pending, "vanished from the disk");
        Ok(())
    }

    async fn ask(&self, batch: &[Heard], holds: u64) -> Result<(), StoreError> {
        // First this, then the store: who is neither waiting nor stored after it was never either.
        let waiting: Vec<bool> =
            batch.iter().map(|heard| self.scanner.is_waiting(&heard.path)).collect();
        let paths: Vec<UploadPath> = batch.iter().map(|heard| heard.path.clone()).collect();
        let stored = self.store.stored(&paths).await?;
        for (heard, is_waiting) in batch.iter().zip(waiting) {
            let Heard { path, with_all_in_it, at } = heard;
            let stored = stored.get(path).map(|it| Leaving { id: it.id, sha256: it.sha256 });
            if stored.is_some() || is_waiting {
                // A content that is only being stored is asked for once more.
                let leaving = stored.filter(|_| !is_waiting);
                self.shared.pending().wait(path.clone(), Vanished { at: *at, leaving }, holds);
            }
            if stored.is_none() && *with_all_in_it {
                self.ask_beneath(path, *at, holds).await?;
            }
        }
        Ok(())
    }

    async fn ask_beneath(
        &self,
        directory: &UploadPath,
        at: Instant,
        holds: u64,
    ) -> Result<(), StoreError> {
        let start = format!("{directory}/");
        let limit = Some(MOST_IN_DIRECTORY + 1);
        let query = ListQuery { search: Some(start.clone()), limit, ..ListQuery::default() };
        let entries = self.store.list(&query).await?;
        let mut pending = self.shared.pending();
        if entries.len() > MOST_IN_DIRECTORY as usize {
            pending.brake(Braked::TooManyNames, at);
            return Ok(());
        }
        for entry in entries {
            let beneath = entry.original_path.starts_with(&start);
            if let (true, Ok(path)) = (beneath, UploadPath::parse(&entry.original_path)) {
                let leaving = Some(Leaving { id: entry.id, sha256: entry.sha256.parse().ok() });
                pending.wait(path, Vanished { at, leaving }, holds);
            }
        }
        Ok(())
    }

    /// Decides about the files whose grace time has passed, with all the others in view.
    async fn judge(&self) -> Result<(), StoreError> {
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
            Err(why) => return Ok(self.brake(Braked::UploadDir(why))),
        };
        let brake = &self.options.brake;
        let (vanished, stored) = (missing.len() as u64, known.max(missing.len()) as u64);
        if !brake.passes(vanished, stored) {
            return Ok(self.brake(Braked::TooMany { vanished, all: stored }));
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
            true => std::collections::HashMap::new(),
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

    fn brake(&self, why: Braked) {
        self.shared.pending().brake(why, Instant::now());
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
