//! What is said about a file: from outside, that something happened to it; and by whoever had it in hand, what
//! became of it.

use crate::model::FileStat;

/// What was noticed about a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It was closed after writing, or moved in under its name.
    Closed,
    /// A walk over its directory, which is new, found it.
    Found,
    /// A scan of everything found it new or changed; nobody knows since when.
    Scanned,
    /// Something happened to it: created, linked, mode changed.
    Touched,
}

/// What became of a file that was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its content is safe, or there is nothing to save.
    Done,
    /// It is not settled; this is how it looks.
    Unsettled(FileStat),
    /// It changed while it was read.
    Changed,
    /// It is large, and has no place among those that are streamed now.
    Large,
    /// It cannot be read, or the database refuses it.
    Failed,
    /// The database is away: the file is as due as before.
    Returned,
}
