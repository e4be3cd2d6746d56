//! Lists: which entries, in which order, and where the next page begins.
//!
//! A list never reads a payload, and pages are found by key: the next one begins behind the last row of the
//! one before, however many there are and whatever is stored meanwhile.

use crate::model::entry::{Entry, PayloadKind};
use crate::model::{Timestamp, UploadPath};

/// Which entries to list, in which order.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Part of the path, compared byte by byte.
    pub search: Option<String>,
    /// Exactly this path.
    pub path: Option<UploadPath>,
    /// Only these; ids that are gone are left out.
    pub ids: Option<Vec<i64>>,
    /// Start of the MIME type, such as `image/`.
    pub mime: Option<String>,
    /// Where the bytes are.
    pub payload: Option<PayloadKind>,
    /// Whether the bytes can be read back.
    pub has_data: Option<bool>,
    /// Not seen on disk, restored or read for this many days.
    pub not_accessed_days: Option<u32>,
    /// Only what comes after this, in the order of `sort` and `descending`.
    pub after: Option<After>,
    pub sort: Sort,
    pub descending: bool,
    /// Most rows; `None` for all.
    pub limit: Option<u32>,
    /// Rows to pass over first.
    pub offset: u64,
}

/// What a list is sorted by; the id breaks ties.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Sort {
    #[default]
    Path,
    Id,
    Size,
    Created,
    Updated,
    Accessed,
}

/// A row's place in an order. Good for the order that it was made in, and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// What the row is sorted by, as the database writes it: a moment keeps every digit, and a row that
    /// others have written keeps its place.
    pub key: String,
    pub id: i64,
}

impl After {
    /// Behind the entry of this id, in the order of [`Sort::Id`].
    #[must_use]
    pub fn id(id: i64) -> Self {
        Self { key: String::new(), id }
    }
}

/// A part of a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Rows that cannot be read (others may write the table) are left out.
    pub entries: Vec<Entry>,
    /// Where the next part begins; `None` at the end of the list.
    pub next: Option<After>,
}

impl ListQuery {
    /// Whether a row is looked at beyond what it is sorted by.
    pub(super) fn is_filtered(&self) -> bool {
        self.search.is_some() || self.reads_more_than_paths()
    }

    /// Whether more than the path decides which rows are listed.
    pub(super) fn reads_more_than_paths(&self) -> bool {
        self.mime.is_some()
            || self.payload.is_some()
            || self.has_data.is_some()
            || self.not_accessed_days.is_some()
    }

    /// Whether the rows are named, so that their keys find them.
    pub(super) fn is_named(&self) -> bool {
        self.path.is_some() || self.ids.is_some()
    }

    /// Rows to ask for: one more than wanted shows whether there is a next page.
    pub(super) fn rows(&self) -> i64 {
        self.limit.map_or(i64::MAX, |limit| i64::from(limit) + 1)
    }

    /// Rows to pass over.
    pub(super) fn passed_over(&self) -> i64 {
        i64::try_from(self.offset).unwrap_or(i64::MAX)
    }
}

/// What was stored for the first time on one day, of what is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Growth {
    /// The beginning of the day, UTC.
    pub day: Timestamp,
    pub entries: u64,
    /// Sum of the files' sizes.
    pub file_bytes: u64,
}
