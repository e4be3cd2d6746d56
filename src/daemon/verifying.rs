//! The daemon verifies by itself, if it is asked to: gently, and the whole cache once in an interval.
//!
//! The cache is cut into parts by the entries' ids, and one part after another is verified, evenly over the
//! interval. A start begins with any of them, at any moment of its turn: so nothing need be remembered on a
//! disk that may be thrown away, and a container that is started anew each day comes around all the same.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::daemon::Parts;
use crate::model::Timestamp;
use crate::model::health::Verified;
use crate::model::version::{PastRow, Shelf};
use crate::store::StoreError;
use crate::verify::{Chosen, Mender, Report, Sample, Selection, Told, Verifying, batches};

/// Parts of the cache, where the interval is long enough: a part's ids are all that is in memory.
const PARTS: u64 = 64;

/// As much time for each part at least.
const TURN: Duration = Duration::from_secs(60);

/// Uploads that wait are waited for, but not for ever: one may be held open all day.
const CALM: Duration = Duration::from_secs(60);

/// A part that the database has broken off is tried again after so long.
const RETRY: Duration = Duration::from_secs(60);

/// Most entries that are fetched with one statement, and most bytes: an upload may wait for the connection.
const BATCH: (u64, usize) = (1 << 20, 16);

/// As many entries are named in a round; the others are counted.
const NAMED: usize = 50;

/// Runs until it is aborted; at once done where nobody has asked for it.
pub async fn keep(parts: Arc<Parts>) {
    let interval = parts.context.settings.verify_interval;
    if interval.is_zero() {
        return;
    }
    let mut progress = parts.progress.subscribe();
    // The sender is part of `parts`.
    let _ = progress.wait_for(|progress| progress.finished).await;
    let count = (interval.as_secs() / TURN.as_secs()).clamp(1, PARTS);
    let turn = interval.div_f64(count as f64);
    let chance = getrandom::u32().unwrap_or(u32::MAX / 2);
    let mut part = u64::from(chance) % count;
    parts.context.health.set_verified(Verified::default());
    let mut rounds = Rounds { parts, known: HashSet::new(), round: Round::default() };
    tokio::time::sleep(turn.mul_f64(f64::from(chance) / f64::from(u32::MAX))).await;
    loop {
        let began = Instant::now();
        while let Err(error) = rounds.part(Sample::part(part, count)).await {
            tracing::debug!(event = "upkeep_failed", reason = %error, "verifying, tried again later");
            tokio::time::sleep(RETRY.min(turn)).await;
        }
        rounds.round.parts += 1;
        if rounds.round.parts == count {
            rounds.end();
        }
        part = (part + 1) % count;
        tokio::time::sleep_until((began + turn).into()).await;
    }
}

/// What the parts have come to so far.
struct Rounds {
    parts: Arc<Parts>,
    /// Entries, and former ones, that are not as they should be, as far as is known.
    known: HashSet<PastRow>,
    round: Round,
}

/// Once around all parts.
#[derive(Default)]
struct Round {
    parts: u64,
    report: Report,
    /// Entries that this round has found not to be as they should.
    bad: HashSet<PastRow>,
    named: usize,
}

impl Rounds {
    /// Verifies one part.
    async fn part(&mut self, sample: Sample) -> Result<(), StoreError> {
        let parts = self.parts.clone();
        let settings = &parts.context.settings;
        let verifying = Verifying {
            store: parts.context.store.clone(),
            remote: parts.context.remote.clone(),
            selection: Selection { names: None, sample: Some(sample) },
            upload_dir: Some(parts.upload_dir.clone()),
            // What is not on disk stays so: the app may have deleted it.
            mender: Some(Mender { scanner: parts.scanner.clone(), restoring: None }),
            patterns: settings.patterns.clone(),
            places: parts.context.capture_options().places,
            patience: Duration::ZERO,
            progress: Arc::default(),
        };
        let chosen = verifying.choose().await?;
        self.batches(&verifying, Shelf::Entries, &chosen).await?;
        drop(chosen);
        let mut after = None;
        loop {
            let (chosen, next) = verifying.choose_former(after).await?;
            self.batches(&verifying, Shelf::History, &chosen).await?;
            match next {
                Some(_) => after = next,
                None => return Ok(()),
            }
        }
    }

    async fn batches(
        &mut self,
        verifying: &Verifying,
        shelf: Shelf,
        chosen: &[Chosen],
    ) -> Result<(), StoreError> {
        let rate = self.parts.context.settings.verify_rate.0 as f64;
        for batch in batches(chosen, BATCH) {
            self.calm().await;
            let began = Instant::now();
            let mut report = Report::default();
            let mut told = Vec::new();
            let mut tell = |it| told.push(it);
            match shelf {
                Shelf::Entries => verifying.batch(batch, &mut report, &mut tell).await?,
                Shelf::History => {
                    verifying.batch_of_former(batch, &mut report.former, &mut tell).await?;
                }
            }
            self.note(shelf, batch, &report, &told);
            let bytes: u64 = batch.iter().map(|entry| entry.bytes).sum();
            let due = Duration::from_secs_f64(bytes as f64 / rate);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
        Ok(())
    }

    /// Takes in what was found of a batch.
    fn note(&mut self, shelf: Shelf, batch: &[Chosen], report: &Report, told: &[Told]) {
        for it in told {
            self.tell(it);
        }
        let bad = |row: PastRow| told.iter().any(|it| it.row == row && needs_a_person(it));
        for row in batch.iter().map(|entry| shelf.row(entry.id)) {
            if bad(row) {
                self.known.insert(row);
                self.round.bad.insert(row);
            } else {
                self.known.remove(&row);
            }
        }
        self.round.report.add(report);
        self.publish(|verified| {
            verified.entries += report.verified + report.former.verified;
            verified.mended += report.mended();
        });
    }

    /// Waits until nothing else is under way that the database and the disk are needed for.
    async fn calm(&self) {
        let began = Instant::now();
        loop {
            let waiting = self.parts.scanner.unsaved().0 > 0 && began.elapsed() < CALM;
            let restoring = !self.parts.progress.borrow().finished;
            if !waiting && !restoring && self.parts.context.health.database_away().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    fn tell(&mut self, told: &Told) {
        let Told { row, path, text, what, .. } = told;
        let (id, is_former) = (row.id(), row.shelf() == Shelf::History);
        if told.mended {
            tracing::warn!(event = "verify_mended", path, id, what, reason = text, "mended");
            return;
        }
        // What was told before is known, and what is out of reach may be back the next time.
        if !needs_a_person(told) || self.known.contains(row) || self.round.named == NAMED {
            tracing::debug!(event = "verify_found", path, id, what, reason = text, "NOT MENDED");
            return;
        }
        self.round.named += 1;
        let cure = told.cure.as_deref().unwrap_or_default();
        let whose = if is_former {
            tracing::error!(event = "version_damaged", path, id, reason = text, cure, "NOT MENDED");
            format!("a former content of {path}")
        } else {
            tracing::error!(
                event = "verify_found",
                path,
                id,
                what,
                reason = text,
                cure,
                "NOT MENDED"
            );
            path.clone()
        };
        self.parts.context.health.note_error(now(), format!("{whose}: {text}"));
    }

    /// Ends a round: what was found before it and not in it is gone.
    fn end(&mut self) {
        let Round { report, bad, .. } = std::mem::take(&mut self.round);
        self.known = bad;
        let Report { verified, bytes, out_of_reach, .. } = report;
        let (mended, not_mended) = (report.mended(), report.not_mended());
        let (versions, damaged_versions) = (report.former.verified, report.former.damaged);
        tracing::info!(
            event = "verify_finished",
            verified,
            bytes,
            mended,
            not_mended,
            out_of_reach,
            versions,
            damaged_versions,
            "all entries were verified"
        );
        self.publish(|verified| verified.last_round = Some(now()));
    }

    fn publish(&self, change: impl FnOnce(&mut Verified)) {
        let health = &self.parts.context.health;
        let mut verified = health.verified().unwrap_or_default();
        change(&mut verified);
        let known_of = |shelf| self.known.iter().filter(|row| row.shelf() == shelf).count() as u64;
        verified.not_mended = known_of(Shelf::Entries);
        verified.damaged_versions = known_of(Shelf::History);
        health.set_verified(verified);
    }
}

/// The moment by this machine's clock.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

fn needs_a_person(told: &Told) -> bool {
    !told.mended && told.what != "out_of_reach"
}
