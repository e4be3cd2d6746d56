//! The version: an entry as it was, kept for a time after it ceased.

use std::fmt;

use crate::model::entry::{Entry, PayloadKind};
use crate::model::{Digest, Timestamp};

/// A former entry, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The entry as it was last. Its `id` is the version's own; `updated_at` is when this content became
    /// the path's.
    pub entry: Entry,
    /// When it ceased, by the database's clock.
    pub ended_at: Timestamp,
    /// What became of it.
    pub why: Why,
}

/// Why an entry is a former one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// Its path has got another content.
    Replaced,
    /// It is in the trash.
    Trash(Trash),
}

/// How an entry came into the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trash {
    /// The app deleted the file.
    Deleted,
    /// A person, a cleanup or a program removed the entry.
    Removed,
}

impl Why {
    /// All there are.
    pub const ALL: [Self; 3] =
        [Self::Replaced, Self::Trash(Trash::Deleted), Self::Trash(Trash::Removed)];

    /// The word used in the database, in lists and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Trash(Trash::Deleted) => "deleted",
            Self::Trash(Trash::Removed) => "removed",
        }
    }

    /// What [`Why::as_str`] gives, read again.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.as_str() == word)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a path had at a past moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// The upload path, as the database has it.
    pub original_path: String,
    /// Its content at that moment; `None` when it had one that nobody has kept.
    pub content: Option<PastContent>,
}

/// A content that a path had, and where it is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastContent {
    pub row: PastRow,
    /// When it became the path's.
    pub since: Timestamp,
    /// Bytes of the file.
    pub file_size: u64,
    /// Hexadecimal sha256 of the file's bytes, as the database has it.
    pub sha256: String,
    /// The file's mtime with this content, nanoseconds since 1970; the last one that was noted.
    pub mtime_ns: i64,
    /// The file's permission bits, likewise.
    pub mode: u32,
    pub payload: PayloadKind,
}

/// The row that has a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PastRow {
    /// The entry of this id has it still.
    Entry(i64),
    /// The version of this id.
    Version(i64),
}

/// The two tables that have contents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Shelf {
    /// The entries, each with the present content of its path.
    #[default]
    Entries,
    /// The history.
    History,
}

impl Shelf {
    /// Its row of this id.
    #[must_use]
    pub fn row(self, id: i64) -> PastRow {
        match self {
            Self::Entries => PastRow::Entry(id),
            Self::History => PastRow::Version(id),
        }
    }
}

impl PastRow {
    /// Where it stands.
    #[must_use]
    pub fn shelf(self) -> Shelf {
        match self {
            Self::Entry(_) => Shelf::Entries,
            Self::Version(_) => Shelf::History,
        }
    }

    /// Its id there.
    #[must_use]
    pub fn id(self) -> i64 {
        match self {
            Self::Entry(id) | Self::Version(id) => id,
        }
    }
}

impl fmt::Display for PastRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(id) => write!(f, "the entry {id}"),
            Self::Version(id) => write!(f, "the version {id}"),
        }
    }
}

/// An entry that is to go to the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    pub id: i64,
    /// Only while it has this content: another instance may have stored a new one since whoever wants
    /// this has looked. `None` for whatever it has.
    pub sha256: Option<Digest>,
}

impl From<i64> for Leaving {
    /// Whatever content it has.
    fn from(id: i64) -> Self {
        Self { id, sha256: None }
    }
}

/// What came of the wish to have a path's entry back from the trash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undeleted {
    /// The newest of the path in the trash is its entry again, under this id.
    Restored(i64),
    /// The path has an entry: that one stays, and so does what is in the trash.
    Occupied,
    /// Nothing of this path is in the trash.
    NotThere,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_again() {
        for why in Why::ALL {
            assert_eq!(Why::parse(&why.to_string()), Some(why));
        }
        assert_eq!(Why::parse("Deleted"), None);
    }
}
