//! Verify: are the stored bytes still those of the files, and are the files on disk still the stored ones?
//!
//! Every chosen payload is read and compared with its sha256, and the file on disk with the same. What one
//! side has lost and the other certainly has is mended: a damaged payload from the file on disk, a missing
//! file from a sound payload, both in the ways of a capture and of a restore. Where both sides are there and
//! differ, and nothing shows which of them is meant, nothing is written: a person is told.
//!
//! Former contents come last: see `former.rs`.

mod choice;
mod disk;
mod former;
mod mend;
mod report;
mod verdict;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use choice::{Chosen, Sample, Selection, batches};
pub use former::Former;
pub use mend::Mender;
pub use report::{Report, Told};
pub use verdict::{Cure, Verdict};

use crate::model::places::{Place, Places};
use crate::model::version::Shelf;
use crate::model::{Patterns, UploadPath};
use crate::payload::check::{BATCH, Checked, Checker, Condition, Progress};
use crate::remote::Remote;
use crate::store::{Store, StoreError};
use crate::uploads::UploadDir;
use crate::verify::disk::{OnDisk, Wanted};

/// Entries that are to be verified.
pub struct Verifying {
    pub store: Arc<dyn Store>,
    /// The object store, where one is configured: no other address is ever asked.
    pub remote: Option<Arc<dyn Remote>>,
    pub selection: Selection,
    /// The files to compare with; `None`: only payloads are looked at.
    pub upload_dir: Option<UploadDir>,
    /// What mends; `None`: it is only told what could be mended.
    pub mender: Option<Mender>,
    /// Which files the settings take, and where they want their bytes.
    pub patterns: Patterns,
    pub places: Places,
    /// How long a database that is away is waited for.
    pub patience: Duration,
    pub progress: Arc<Progress>,
}

/// Called with everything that is not as it should be, mended or not.
pub type Tell<'t> = &'t mut (dyn FnMut(Told) + Send);

impl Verifying {
    /// Verifies all that is chosen. What was done before the database went away for too long is in the report.
    pub async fn run(&self, tell: Tell<'_>) -> (Report, Result<(), StoreError>) {
        let mut report = Report::default();
        let done = self.carry_out(&mut report, tell).await;
        (report, done)
    }

    async fn carry_out(&self, report: &mut Report, tell: Tell<'_>) -> Result<(), StoreError> {
        // First: a damaged payload that an entry loses to the file on disk becomes a former content, and is not to be told twice.
        self.carry_out_on_former(report, tell).await?;
        let chosen = choice::choose(self.store.as_ref(), &self.selection).await?;
        self.progress.add_total(chosen.len());
        for batch in choice::batches(&chosen, BATCH) {
            self.patiently(async || self.batch(batch, report, tell).await).await?;
        }
        Ok(())
    }

    async fn carry_out_on_former(
        &self,
        report: &mut Report,
        tell: Tell<'_>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let (chosen, next) = self.patiently(async || self.choose_former(after).await).await?;
            self.progress.add_total(chosen.len());
            for batch in choice::batches(&chosen, BATCH) {
                let former = &mut report.former;
                self.patiently(async || self.batch_of_former(batch, former, tell).await).await?;
            }
            match next {
                Some(_) => after = next,
                None => return Ok(()),
            }
        }
    }

    /// Does this again for as long as the database is waited for.
    async fn patiently<T>(
        &self,
        mut work: impl AsyncFnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        loop {
            match work().await {
                Err(error) if error.is_temporary() && began.elapsed() < self.patience => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                done => return done,
            }
        }
    }

    /// The entries of this selection; in memory they are 16 bytes each.
    ///
    /// # Errors
    /// The store's.
    pub async fn choose(&self) -> Result<Vec<Chosen>, StoreError> {
        choice::choose(self.store.as_ref(), &self.selection).await
    }

    /// Verifies these entries, which are few enough to be in memory together.
    ///
    /// # Errors
    /// The store's, before anything was noted: it may be called again.
    pub async fn batch(
        &self,
        batch: &[Chosen],
        report: &mut Report,
        tell: Tell<'_>,
    ) -> Result<(), StoreError> {
        let checked = self.check_batch(Shelf::Entries, batch, &mut report.changed).await?;
        let verdicts = self.judge(&checked).await;
        let mut missing = Vec::new();
        for (entry, mut seen) in checked.into_iter().zip(verdicts) {
            if !seen.is_fine() {
                // Somebody may have stored or replaced the one or the other since: both are looked at again.
                seen = match self.check(Shelf::Entries, &[entry.row.id()]).await {
                    Ok(again) => self.judge(&again).await.pop().unwrap_or(Verdict::Changed),
                    Err(error) => Verdict::OutOfReach(error.to_string()),
                };
            }
            match (seen.cure(), &self.mender) {
                (Some(Cure::Restore), Some(mender)) if mender.restores() => missing.push(entry),
                (Some(Cure::Restore), Some(_)) => {
                    report.note(&entry, Verdict::Sound, None, tell);
                    report.not_on_disk += 1;
                }
                (Some(cure @ (Cure::StoreAgain | Cure::Capture)), Some(mender)) => {
                    let mended = self.store_again(mender, &entry).await;
                    report.note(&entry, seen, Some((cure, mended)), tell);
                }
                _ => report.note(&entry, seen, None, tell),
            }
        }
        if let (Some(mender), false) = (&self.mender, missing.is_empty()) {
            self.restore(mender, missing, report, tell).await;
        }
        self.progress.add_done(batch.len());
        Ok(())
    }

    /// Checks the payloads of these rows, and counts the rows that are gone.
    async fn check_batch(
        &self,
        shelf: Shelf,
        batch: &[Chosen],
        gone: &mut u64,
    ) -> Result<Vec<Checked>, StoreError> {
        let ids: Vec<i64> = batch.iter().map(|chosen| chosen.id).collect();
        let checked = self.check(shelf, &ids).await?;
        *gone += (ids.len() - checked.len()) as u64;
        Ok(checked)
    }

    async fn check(&self, shelf: Shelf, ids: &[i64]) -> Result<Vec<Checked>, StoreError> {
        let (store, remote) = (self.store.as_ref(), self.remote.as_ref());
        let checker = Checker { store, remote, shelf, objects: true };
        let mut checked = Vec::with_capacity(ids.len());
        checker.check(ids, &mut |entry| checked.push(entry)).await?;
        Ok(checked)
    }

    /// What is to be said of each of these entries, in their order.
    async fn judge(&self, entries: &[Checked]) -> Vec<Verdict> {
        let paths: Vec<_> =
            entries.iter().map(|entry| UploadPath::parse(&entry.path).ok()).collect();
        let on_disk = match &self.upload_dir {
            Some(upload_dir) => {
                let wanted = entries.iter().zip(&paths).map(|(entry, path)| match path {
                    Some(path) if entry.condition != Condition::Changed => {
                        Some(Wanted::of(entry, path.clone()))
                    }
                    _ => None,
                });
                disk::compare(upload_dir, wanted.collect()).await
            }
            None => vec![OnDisk::NotAsked; entries.len()],
        };
        let found = entries.iter().zip(paths).zip(on_disk);
        let judge = |((entry, path), on_disk): ((&Checked, Option<UploadPath>), _)| {
            let is_kept = self.places.of(entry.file_size) != Place::Nowhere;
            let is_taken = path.is_some_and(|path| self.patterns.takes(&path));
            verdict::judge(&entry.condition, on_disk, is_taken, is_kept)
        };
        found.map(judge).collect()
    }

    /// Stores the file on disk, and reads back what was stored. Why it is not sound after it, if it is not.
    async fn store_again(&self, mender: &Mender, entry: &Checked) -> Result<(), String> {
        let path = UploadPath::parse(&entry.path).map_err(|why| why.to_string())?;
        mender.store_again(&path).await?;
        let mut again = self
            .check(Shelf::Entries, &[entry.row.id()])
            .await
            .map_err(|error| error.to_string())?;
        match again.pop().map(|entry| entry.condition) {
            Some(Condition::Sound) => Ok(()),
            Some(Condition::Damaged(reason)) => Err(format!("stored again, and still {reason}")),
            Some(Condition::OutOfReach(why)) => Err(why),
            Some(Condition::Changed) | None => Err("it was replaced just now".into()),
        }
    }

    /// Restores missing files, a batch at once, and looks at each of them.
    async fn restore(
        &self,
        mender: &Mender,
        missing: Vec<Checked>,
        report: &mut Report,
        tell: Tell<'_>,
    ) {
        let chosen =
            missing.iter().map(|entry| Chosen { id: entry.row.id(), bytes: entry.file_size });
        let restored = mender.restore(chosen).await;
        let verdicts = self.judge(&missing).await;
        for (entry, now) in missing.into_iter().zip(verdicts) {
            let mended = match now {
                // It is there, or has come to be something else meanwhile, which is not ours to touch.
                Verdict::Missing => Err(restored.why(&entry.path)),
                _ => Ok(()),
            };
            report.note(&entry, Verdict::Missing, Some((Cure::Restore, mended)), tell);
        }
    }
}
