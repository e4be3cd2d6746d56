//! What was stored under the names that have vanished: asked at once, so that a content that another
//! instance stores later is told from the one that was deleted.

use std::time::Instant;

use crate::deletes::Deletes;
use crate::deletes::pending::{Heard, Vanished};
use crate::model::UploadPath;
use crate::model::brake::Braked;
use crate::model::version::Leaving;
use crate::store::{ListQuery, StoreError};

/// Names asked about with one statement.
const BATCH: usize = 500;

/// Most entries of a directory that was moved away. More than these are an accident, or nobody's hurry.
const MOST_IN_DIRECTORY: u32 = 50_000;

impl Deletes {
    /// Finds out which of the names that have vanished were files of the cache, and which files were in
    /// what was a directory.
    pub(super) async fn ask_what_is_stored(&self) -> Result<(), StoreError> {
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
}
