//! Relocation: payloads move between the row, chunks and the object store while everything goes on.
//!
//! A payload is read from where it is (never from the disk), written where it is wanted, read back and
//! checked; then the entry refers to the new place in one transaction that lets go of the old one, unless
//! the entry has changed meanwhile. So it may be stopped or killed at any moment, and run again: what is
//! where it is wanted stays, and what was written for nothing is swept up later.

mod choice;
mod chunks;
mod object;
mod payload;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};

pub use choice::{Choice, Selection, Why, Wish};
pub use payload::{Failed, Outcome};

use crate::model::entry::{Entry, PayloadKind};
use crate::model::places::Place;
use crate::objects::{NoClaim, Objects};
use crate::relocation::payload::Carrier;
use crate::remote::{RemoteError, Trouble};
use crate::store::{ListQuery, Sort, Spot, Store, StoreError};

/// Entries that are listed with one statement: a fraction of a megabyte.
const PAGE: u32 = 500;

/// Payloads up to this size are moved several at a time: what takes time is the way there and back. Larger
/// ones are moved one by one, which bounds the memory.
const SMALL: u64 = 1 << 20;

/// As many of them at a time.
const AT_ONCE: usize = 4;

/// After so many payloads in a row for which the object store did not answer, no other is tried.
const PATIENCE: u32 = 3;

/// Payloads that are to be moved.
pub struct Relocating {
    pub store: Arc<dyn Store>,
    /// The object store, where one is configured: no other address is ever asked.
    pub objects: Option<Arc<Objects>>,
    pub wish: Wish,
    pub selection: Selection,
    /// How long a database that is away is waited for.
    pub patience: Duration,
    pub progress: Arc<Progress>,
}

/// How far it has come, and whether it is to go on.
#[derive(Debug, Default)]
pub struct Progress {
    looked_at: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// Entries that are done with.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.looked_at.load(Relaxed)
    }

    /// Asks it to stop after the payloads that are under way.
    pub fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    fn is_to_stop(&self) -> bool {
        self.stop.load(Relaxed)
    }
}

/// What has been done, in entries.
#[derive(Debug, Default)]
pub struct Report {
    pub moved: u64,
    pub moved_bytes: u64,
    pub already_there: u64,
    /// Removed or replaced meanwhile.
    pub changed: u64,
    pub skipped: BTreeMap<Why, u64>,
    /// Each was told in the log.
    pub failed: u64,
    pub stopped: Option<Stop>,
}

/// Why it ended before all entries were looked at.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    #[error("stopped, as it was asked to")]
    Asked,
    #[error(transparent)]
    Store(StoreError),
    #[error(transparent)]
    Remote(RemoteError),
    #[error("{0}")]
    NotNow(NoClaim),
}

/// What would be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Entries and bytes, from one place to another.
    pub moves: BTreeMap<(&'static str, &'static str), (u64, u64)>,
    pub already_there: u64,
    pub skipped: BTreeMap<Why, u64>,
}

impl Plan {
    /// Entries that were looked at: those that the selection takes.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        let moves: u64 = self.moves.values().map(|(entries, _)| entries).sum();
        moves + self.already_there + self.skipped.values().sum::<u64>()
    }
}

impl Report {
    /// Entries that were looked at: those that the selection takes.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        let skipped: u64 = self.skipped.values().sum();
        self.moved + self.already_there + self.changed + self.failed + skipped
    }

    /// Whether every payload is where it is wanted, or stays for a reason of its own.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failed == 0 && self.stopped.is_none()
    }
}

impl Relocating {
    /// What there is to do. Reads no payload and writes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn plan(&self) -> Result<Plan, StoreError> {
        let mut plan = Plan::default();
        let mut last = i64::MIN;
        loop {
            let page = self.page(last).await?;
            let Some(end) = page.last() else { return Ok(plan) };
            last = end.id;
            for entry in page.iter().filter(|entry| self.selection.takes(entry)) {
                match self.choose(entry) {
                    Choice::Stays => plan.already_there += 1,
                    Choice::Skipped(why) => *plan.skipped.entry(why).or_default() += 1,
                    Choice::Moves(to) => {
                        let moves = plan.moves.entry((entry.payload.as_str(), word(to)));
                        let (entries, bytes) = moves.or_default();
                        *entries += 1;
                        *bytes += entry.file_size;
                    }
                }
            }
            self.progress.looked_at.fetch_add(page.len() as u64, Relaxed);
        }
    }

    /// Moves what is not where it is wanted, until all is done or nothing more can be.
    pub async fn run(&self) -> Report {
        let carrier = Carrier {
            store: self.store.clone(),
            objects: self.objects.clone(),
            patience: self.patience,
            mending: tokio::sync::Mutex::default(),
        };
        let mut report = Report::default();
        let mut last = i64::MIN;
        while report.stopped.is_none() {
            let page = match self.page(last).await {
                Ok(page) => page,
                Err(error) => {
                    report.stopped = Some(Stop::Store(error));
                    break;
                }
            };
            let Some(end) = page.last() else { break };
            last = end.id;
            self.moves(&carrier, page, &mut report).await;
        }
        report
    }

    /// The next entries by their ids, so that a million of them are never in memory.
    async fn page(&self, last: i64) -> Result<Vec<Entry>, StoreError> {
        let query = ListQuery {
            payload: self.selection.from,
            after: Some(Spot::id(last)),
            sort: Sort::Id,
            limit: Some(PAGE),
            ..ListQuery::default()
        };
        let began = Instant::now();
        loop {
            match self.store.list(&query).await {
                Err(error)
                    if error.is_temporary()
                        && began.elapsed() < self.patience
                        && !self.progress.is_to_stop() =>
                {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                listed => return listed,
            }
        }
    }

    fn choose(&self, entry: &Entry) -> Choice {
        let url = entry.image_url.as_deref().unwrap_or_default();
        let is_ours = self.objects.as_ref().is_some_and(|objects| objects.remote().owns(url));
        self.wish.choose(entry.payload, entry.file_size, is_ours)
    }

    /// Moves what a page has to be moved.
    async fn moves(&self, carrier: &Carrier, page: Vec<Entry>, report: &mut Report) {
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for entry in page {
            match self.selection.takes(&entry).then(|| self.choose(&entry)) {
                Some(Choice::Moves(to)) if entry.file_size <= SMALL => small.push((entry, to)),
                Some(Choice::Moves(to)) => large.push((entry, to)),
                Some(Choice::Stays) => self.done(|| report.already_there += 1),
                Some(Choice::Skipped(why)) => {
                    self.done(|| *report.skipped.entry(why).or_default() += 1);
                }
                None => self.done(|| {}),
            }
        }
        let halted = AtomicBool::new(false);
        let goes_on = || !halted.load(Relaxed) && !self.progress.is_to_stop();
        let mut unanswered = 0;
        for (entries, at_once) in [(small, AT_ONCE), (large, 1)] {
            // What is under way when it is to stop is brought to its end.
            let carried = stream::iter(entries)
                .take_while(|_| std::future::ready(goes_on()))
                .map(|(entry, to)| async move {
                    let carried = carrier.carry(&entry, to, || self.progress.is_to_stop()).await;
                    (entry, to, carried)
                })
                .buffer_unordered(at_once);
            tokio::pin!(carried);
            while let Some((entry, to, carried)) = carried.next().await {
                unanswered = match &carried {
                    Err(Failed::Remote(error)) if error.is_temporary() => unanswered + 1,
                    Ok(Outcome::Moved) if to == Place::Remote => 0,
                    _ => unanswered,
                };
                let stop = self.note(&entry, to, carried, unanswered, report);
                if stop.is_some() {
                    halted.store(true, Relaxed);
                    report.stopped = stop.or(report.stopped.take());
                }
            }
        }
        if report.stopped.is_none() && self.progress.is_to_stop() {
            report.stopped = Some(Stop::Asked);
        }
    }

    fn done(&self, count: impl FnOnce()) {
        count();
        self.progress.looked_at.fetch_add(1, Relaxed);
    }

    /// Notes and tells what came of one payload; says when no other would fare better.
    fn note(
        &self,
        entry: &Entry,
        to: Place,
        carried: Result<Outcome, Failed>,
        unanswered: u32,
        report: &mut Report,
    ) -> Option<Stop> {
        let (path, id, bytes) = (entry.original_path.as_str(), entry.id, entry.file_size);
        let (from, to) = (entry.payload.as_str(), word(to));
        let failed = match carried {
            Ok(Outcome::Moved) => {
                self.done(|| report.moved += 1);
                report.moved_bytes += bytes;
                tracing::debug!(event = "moved", path, from, to, bytes, "moved");
                return None;
            }
            Ok(Outcome::Changed) => {
                self.done(|| report.changed += 1);
                return None;
            }
            // Nothing is wrong with this entry: it is its turn again when the database is back.
            Err(Failed::Store(error)) if error.is_temporary() => return Some(Stop::Store(error)),
            Err(failed) => failed,
        };
        self.done(|| report.failed += 1);
        tracing::error!(event = "move_failed", path, id, from, to, reason = %failed, "NOT MOVED");
        match failed {
            Failed::Remote(error) if error.trouble == Trouble::Denied => Some(Stop::Remote(error)),
            Failed::Remote(error) if error.is_temporary() && unanswered >= PATIENCE => {
                Some(Stop::Remote(error))
            }
            Failed::NotNow(why @ NoClaim::Young) => Some(Stop::NotNow(why)),
            _ => None,
        }
    }
}

/// A place in the words that lists have for it.
fn word(place: Place) -> &'static str {
    match place {
        Place::Inline => PayloadKind::Inline,
        Place::Chunks => PayloadKind::Chunks,
        Place::Remote => PayloadKind::Url,
        Place::Nowhere => PayloadKind::None,
    }
    .as_str()
}
