//! Former contents: what is kept to take a change or a delete back has to be sound as well.
//!
//! Their payloads are read as those of entries are. The disk has the present content and not the former one, so
//! that nobody here can mend one: what is damaged is told and counted as a damaged entry is, whoever asks for it gets
//! no wrong bytes (they are checked then as well), and it is forgotten when its time has come.

use crate::model::places::Place;
use crate::model::scratch::is_scratch;
use crate::model::version::{Shelf, Version};
use crate::payload::check::{Checked, Condition};
use crate::payload::damage::Reason;
use crate::store::{HistoryQuery, StoreError};
use crate::verify::{Chosen, Selection, Tell, Told, Verifying};

/// As many former contents are listed at a time: there may be ten for each entry.
const PAGE: u32 = 1_000;

/// What a person can do about a damaged one.
const CURE: &str = "the disk cannot mend it, since it has the present content: restore a backup of the database if \
                    anybody needs the former one; else do nothing, it is forgotten when its time has come";

/// What was found among former contents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Former {
    /// Those that were looked at, whatever was found.
    pub verified: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Those whose bytes are not what they were.
    pub damaged: u64,
    /// Could not be read from here.
    pub out_of_reach: u64,
    /// Given back or forgotten meanwhile.
    pub changed: u64,
}

impl Former {
    /// Adds what was found among others.
    pub fn add(&mut self, other: &Self) {
        let Self { verified, bytes, damaged, out_of_reach, changed } = other;
        self.verified += verified;
        self.bytes += bytes;
        self.damaged += damaged;
        self.out_of_reach += out_of_reach;
        self.changed += changed;
    }

    /// Notes what was found of one, and tells what is to be told. `is_kept`: the settings keep the bytes of files
    /// of this size.
    fn note(&mut self, version: Checked, is_kept: bool, tell: Tell<'_>) {
        let told = match version.condition {
            Condition::Changed => {
                self.changed += 1;
                return;
            }
            Condition::Sound => None,
            Condition::Damaged(Reason::NoData) if !is_kept => None,
            Condition::Damaged(reason) => {
                self.damaged += 1;
                Some(("damaged", format!("{reason}; it cannot be given back any more"), Some(CURE)))
            }
            Condition::OutOfReach(why) => {
                self.out_of_reach += 1;
                Some(("out_of_reach", why, None))
            }
        };
        self.verified += 1;
        self.bytes += version.file_size;
        if let Some((what, text, cure)) = told {
            let Checked { row, path, .. } = version;
            let cure = cure.map(str::to_owned);
            tell(Told { row, path, what, text, cure, mended: false });
        }
    }
}

impl Selection {
    fn takes_version(&self, version: &Version) -> bool {
        let path = &version.entry.original_path;
        !is_scratch(path)
            && self.names.as_ref().is_none_or(|names| names.takes(path))
            && self.sample.is_none_or(|sample| sample.takes_id(version.entry.id))
    }
}

impl Verifying {
    /// The former contents of this selection, a page of them: those behind `after`, newest first. With where the
    /// next page begins.
    ///
    /// # Errors
    /// The store's.
    pub async fn choose_former(
        &self,
        after: Option<i64>,
    ) -> Result<(Vec<Chosen>, Option<i64>), StoreError> {
        let query = HistoryQuery { after, limit: Some(PAGE), ..HistoryQuery::default() };
        let page = self.store.history(&query).await?;
        let taken = page.versions.iter().filter(|version| self.selection.takes_version(version));
        let chosen = taken.map(|version| {
            let entry = &version.entry;
            Chosen { id: entry.id, bytes: entry.file_size }
        });
        Ok((chosen.collect(), page.next))
    }

    /// Verifies these former contents, which are few enough to be in memory together.
    ///
    /// # Errors
    /// The store's, before anything was noted: it may be called again.
    pub async fn batch_of_former(
        &self,
        batch: &[Chosen],
        former: &mut Former,
        tell: Tell<'_>,
    ) -> Result<(), StoreError> {
        let checked = self.check_batch(Shelf::History, batch, &mut former.changed).await?;
        for version in checked {
            let is_kept = self.places.of(version.file_size) != Place::Nowhere;
            former.note(version, is_kept, tell);
        }
        self.progress.add_done(batch.len());
        Ok(())
    }
}
