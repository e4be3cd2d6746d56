//! The units of work that longer calls are made of.
//!
//! Each is one transaction and short, however large the files are. What is made of them ([`Store::put`] and its
//! neighbours) is written once for all databases, and a time limit judges each unit by itself: to
//! remove the chunks of a huge file takes many, and nobody waits in vain.
//!
//! [`Store::put`]: crate::store::Store::put

use std::time::Duration;

use async_trait::async_trait;

use crate::model::UploadPath;
use crate::model::entry::{ChunkSet, NewEntry};
use crate::model::version::{Leaving, Trash, Undeleted};
use crate::store::history::Which;
use crate::store::put::Done;
use crate::store::relocate::Moved;
use crate::store::{Relocation, StoreError};

/// The units of one database.
#[async_trait]
pub trait Units: Send + Sync {
    /// Whether the server is at work on an upgrade of the tables right now, of this program or of another.
    async fn is_upgrading(&self) -> Result<bool, StoreError>;

    /// Writes entries, and removes the first rows of the chunk sets that they let go of.
    async fn put_unit(&self, entries: &[NewEntry]) -> Result<Done, StoreError>;

    /// How many bytes of rows are enough for one put, where there are more to write. Larger ones are hardly faster, and
    /// hold memory for longer.
    fn enough_for_a_put(&self) -> usize {
        // A little more than 1 MiB: PostgreSQL has room for a message in powers of two, and glibc gives memory back that is
        // twice as much; a message that just fits is paid for anew each time.
        5 << 18
    }

    /// Moves a payload, and removes the first rows of the chunk set that was let go of.
    async fn relocate_unit(&self, relocation: &Relocation) -> Result<Moved, StoreError>;

    /// Most entries that one unit moves or removes.
    fn most_removed(&self) -> usize;

    /// Removes entries and the first rows of their chunk sets; returns how many entries, and the sets
    /// that may have more rows.
    async fn remove_unit(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>), StoreError>;

    /// Removes some rows of a set that no entry refers to; returns whether there may be more.
    async fn discard_unit(&self, set: ChunkSet) -> Result<bool, StoreError>;

    /// Chunk sets that no entry refers to and that are more than a day old. Removes the claims that
    /// nobody has given back.
    async fn forgotten_sets(&self) -> Result<Vec<ChunkSet>, StoreError>;

    /// Moves entries to the trash; returns how many.
    async fn trash_unit(&self, entries: &[Leaving], by: Trash) -> Result<u64, StoreError>;

    /// Gives paths their newest entry in the trash back.
    async fn undelete_unit(&self, paths: &[UploadPath]) -> Result<Vec<Undeleted>, StoreError>;

    /// Former entries that ceased longer ago than `age`, oldest first, at most `most`: their ids.
    async fn overdue(
        &self,
        which: Which,
        age: Duration,
        most: usize,
    ) -> Result<Vec<i64>, StoreError>;

    /// Removes former entries and the first rows of their chunk sets; returns how many, and the sets that
    /// may have more rows.
    async fn forget_unit(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>), StoreError>;
}
