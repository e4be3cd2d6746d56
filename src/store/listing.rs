//! Lists: which entries, in which order, and where the next page begins.
//!
//! A list never reads a payload, and pages are found by key: the next one begins behind the last row of the
//! one before, however many there are and whatever is stored meanwhile.
//!
//! How many entries a list has is told with its page, and up to a bound only: where few match, one look at
//! every entry finds the page and the number; where many do, counting ends early.

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
    pub after: Option<Spot>,
    /// Only what comes before this: the last of it, in the same order. Not together with `after`.
    pub before: Option<Spot>,
    pub sort: Sort,
    pub descending: bool,
    /// Most rows; `None` for all.
    pub limit: Option<u32>,
    /// Rows to pass over first.
    pub offset: u64,
    /// Tell as well how many entries the whole list has, counted up to so many.
    pub count_up_to: Option<u64>,
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
pub struct Spot {
    /// What the row is sorted by, as the database writes it: a moment keeps every digit, and a row that
    /// others have written keeps its place.
    pub key: String,
    pub id: i64,
}

impl Spot {
    /// The place of the entry of this id, in the order of [`Sort::Id`].
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
    /// What the next part comes after; `None` at the end of the list.
    pub next: Option<Spot>,
    /// What the part before this one comes before; `None` at the beginning of the list.
    pub previous: Option<Spot>,
    /// Entries of the whole list, counted up to [`ListQuery::count_up_to`]. Nobody counts for a page without
    /// entries that is not the first.
    pub total: Option<u64>,
}

/// What a statement selects the rows of a page from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Basis {
    /// All that match. With a number, they are counted beside it, up to so many: for lists without a filter,
    /// where nothing has to be looked at to count.
    All(Option<i64>),
    /// The first that match, whichever they are, and no more than so many. With fewer than that, these are
    /// all: then one look at every entry has given the page and the number.
    First(i64),
    /// All that match, which are many: in the order of an index, a page of them is soon found.
    Many,
}

impl Page {
    /// This page and the one behind it, as one.
    #[must_use]
    pub fn join(mut self, behind: Self) -> Self {
        self.entries.extend(behind.entries);
        Self { next: behind.next, ..self }
    }
}

impl ListQuery {
    /// Asks for what comes behind a page, or before it where the list is gone through backwards; `false` when
    /// that was the end.
    pub fn go_on(&mut self, page: &Page) -> bool {
        let (way, spot) = match &mut self.before {
            Some(_) => (&mut self.before, &page.previous),
            None => (&mut self.after, &page.next),
        };
        way.clone_from(spot);
        spot.is_some()
    }

    /// Whether the page is found by going through the index of its order, and not by sorting what matches.
    pub(super) fn walks(&self, basis: Basis) -> bool {
        basis == Basis::Many || !self.is_filtered()
    }

    /// Whether nothing but the time of the last access decides which rows are listed: the index of that order
    /// begins with them. Good where they are wanted in that order, or a few of them in any.
    pub(super) fn are_oldest(&self, basis: Basis) -> bool {
        let others = Self { not_accessed_days: None, ..self.clone() };
        self.not_accessed_days.is_some()
            && !others.is_filtered()
            && (self.sort == Sort::Accessed || matches!(basis, Basis::First(_)))
    }

    /// Whether rows are left out that only a look at each of them tells.
    pub(super) fn is_filtered(&self) -> bool {
        self.search.is_some() || self.is_named() || self.reads_more_than_paths()
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

    /// What to select from at first.
    pub(super) fn basis(&self) -> Basis {
        match self.count_up_to.map(|most| i64::try_from(most).unwrap_or(i64::MAX)) {
            Some(most) if self.is_filtered() => Basis::First(most),
            most => Basis::All(most),
        }
    }

    /// Whether a page was selected from the first that match, and there may be more: then the right one has to
    /// be selected from all.
    pub(super) fn is_any(&self, basis: Basis, page: &Page) -> bool {
        let most = self.count_up_to.unwrap_or(u64::MAX);
        matches!(basis, Basis::First(_)) && page.total.is_none_or(|total| total >= most)
    }

    /// The page that was selected from all, with the number that is known from the first that match. Where none
    /// of those was on the page and others are, there are more than anybody counts.
    pub(super) fn settle(&self, first: &Page, all: Page) -> Page {
        let many = self.count_up_to.filter(|_| !all.entries.is_empty());
        Page { total: first.total.or(many), ..all }
    }

    /// How rows follow each other, as SQL says it: what is between the key of a row and that of the row beside
    /// which the page lies, and what follows the column that they are sorted by. Backwards from a row, the
    /// nearest come first.
    pub(super) fn order(&self) -> (&'static str, &'static str) {
        if self.descending == self.before.is_some() {
            (">", ", id")
        } else {
            ("<", " DESC, id DESC")
        }
    }

    /// The row that the page lies beside.
    pub(super) fn beside(&self) -> Option<&Spot> {
        self.before.as_ref().or(self.after.as_ref())
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
