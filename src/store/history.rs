//! The history: former entries, kept for a time, so that a change or a delete can be taken back.
//!
//! There is one mechanism for versions and trash. A row of `image_cache_history` is an entry as it was, from
//! `updated_at`, when this content became the path's, until `ended_at`. It was moved there from
//! `image_cache` in one transaction: who reads entries (a restore, a list, the app's own model) does not
//! see it and need not know of it. Its chunks and its object are referred to as an entry's are, until the
//! row is forgotten. It stays where it is when payloads are moved ([`Store::relocate`]).
//!
//! [`Store::relocate`]: crate::store::Store::relocate

use std::time::Duration;

use async_trait::async_trait;

use crate::model::entry::PayloadKind;
use crate::model::version::{Leaving, Past, Trash, Undeleted, Version, Why};
use crate::model::{Timestamp, UploadPath};
use crate::store::units::Units;
use crate::store::{Fetched, StoreError};

/// Which former entries to list: newest first, by the order in which they ceased.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    pub which: Which,
    /// Exactly this path.
    pub path: Option<UploadPath>,
    /// Part of the path, compared byte by byte.
    pub search: Option<String>,
    /// Where the bytes are.
    pub payload: Option<PayloadKind>,
    /// Only what comes after the version of this id: [`HistoryPage::next`].
    pub after: Option<i64>,
    /// Most rows; `None` for all.
    pub limit: Option<u32>,
}

/// A kind of former entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Which {
    #[default]
    All,
    /// Contents that were replaced.
    Versions,
    /// What was deleted or removed.
    Trash,
}

impl Which {
    /// The words that the column `why` has for it.
    pub(super) fn words(self) -> Vec<&'static str> {
        let is_one = |why: &Why| match self {
            Self::All => true,
            Self::Versions => *why == Why::Replaced,
            Self::Trash => matches!(why, Why::Trash(_)),
        };
        Why::ALL.into_iter().filter(is_one).map(Why::as_str).collect()
    }
}

impl HistoryQuery {
    /// Rows to ask for: one more than wanted shows whether there is a next page.
    pub(super) fn rows(&self) -> i64 {
        self.limit.map_or(i64::MAX, |limit| i64::from(limit) + 1)
    }

    /// The id that rows must be below.
    pub(super) fn below(&self) -> i64 {
        self.after.unwrap_or(i64::MAX)
    }
}

/// A part of a list of former entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// Rows that cannot be read (others may write the table) are left out.
    pub versions: Vec<Version>,
    /// Where the next part begins; `None` at the end of the list.
    pub next: Option<i64>,
}

/// The history in figures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryTotals {
    /// Contents that were replaced.
    pub versions: u64,
    /// Sum of their files' sizes.
    pub version_bytes: u64,
    /// What was deleted or removed.
    pub trashed: u64,
    /// Sum of their files' sizes.
    pub trashed_bytes: u64,
}

/// What a purge has forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    pub versions: u64,
    pub trashed: u64,
}

/// Nobody keeps anything for longer; further back than this, databases cannot count.
const LONGEST: Duration = Duration::from_secs(1_000 * 365 * 24 * 3600);

/// An age in microseconds, as far as every database can count it back.
pub(super) fn age_micros(age: Duration) -> i64 {
    i64::try_from(age.min(LONGEST).as_micros()).expect("a thousand years fit")
}

/// The history. A part of every store.
#[async_trait]
pub trait History: Units {
    /// Lists former entries, newest first.
    async fn history(&self, query: &HistoryQuery) -> Result<HistoryPage, StoreError>;

    /// The history in figures.
    async fn history_totals(&self) -> Result<HistoryTotals, StoreError>;

    /// Calls `each` for every path that had a content at `time`, by the database's clock.
    ///
    /// A content was the path's from its `updated_at`, that moment included, until it ceased. What cannot
    /// be known is told and not guessed: a path that was there by then (its `created_at` says so) and whose
    /// content of the time is not kept comes with `content: None`. These it cannot tell:
    ///
    /// - a path of which nothing is left is not named. So before the oldest thing that is kept, this
    ///   is no full picture.
    /// - a delete that was taken back is as though it had never been.
    /// - mtime and mode are the last that were noted with the content.
    ///
    /// A content may move on before it is fetched: compare the sha256, and look again.
    async fn state_at(
        &self,
        time: Timestamp,
        each: &mut (dyn FnMut(Past) + Send),
    ) -> Result<(), StoreError>;

    /// As [`Store::fetch`](crate::store::Store::fetch), for former entries: their ids are those of
    /// [`Version`].
    async fn fetch_history(
        &self,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<(), StoreError>;

    /// All former entries of a path, newest first: versions, and what is in the trash.
    async fn versions(&self, path: &UploadPath) -> Result<Vec<Version>, StoreError> {
        let query = HistoryQuery { path: Some(path.clone()), ..HistoryQuery::default() };
        Ok(self.history(&query).await?.versions)
    }

    /// Moves entries to the trash; returns how many. Those that are gone, or have got another content,
    /// are passed over.
    async fn trash(&self, entries: &[Leaving], by: Trash) -> Result<u64, StoreError> {
        let mut moved = 0;
        for some in entries.chunks(self.most_removed()) {
            moved += self.trash_unit(some, by).await?;
        }
        Ok(moved)
    }

    /// Gives paths their newest entry in the trash back, with everything that it had; it counts as accessed
    /// now. Answers for each path, in the order given.
    async fn undelete(&self, paths: &[UploadPath]) -> Result<Vec<Undeleted>, StoreError> {
        let mut all = Vec::with_capacity(paths.len());
        for some in paths.chunks(self.most_removed()) {
            all.extend(self.undelete_unit(some).await?);
        }
        Ok(all)
    }

    /// Forgets former entries for good, with their chunks; their objects become loose. Returns how many
    /// there were.
    async fn forget_history(&self, ids: &[i64]) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        for some in ids.chunks(self.most_removed()) {
            let (count, sets) = self.forget_unit(some).await?;
            forgotten += count;
            for set in sets {
                while self.discard_unit(set).await? {}
            }
        }
        Ok(forgotten)
    }

    /// Forgets what ceased longer ago than this, by the database's clock.
    async fn purge(
        &self,
        versions_older_than: Duration,
        trash_older_than: Duration,
    ) -> Result<Purged, StoreError> {
        let mut purged = Purged::default();
        for (which, age, count) in [
            (Which::Versions, versions_older_than, &mut purged.versions),
            (Which::Trash, trash_older_than, &mut purged.trashed),
        ] {
            loop {
                let ids = self.overdue(which, age, self.most_removed()).await?;
                if ids.is_empty() {
                    break;
                }
                *count += self.forget_history(&ids).await?;
            }
        }
        Ok(purged)
    }
}
