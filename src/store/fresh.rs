//! Numbers for new chunk sets.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::entry::ChunkSet;

/// A number for a set of chunks that nobody else uses: each process counts on from a random start,
/// so that sets lie in the database in the order in which they were written, and so that two
/// processes meet once in 2^62 sets.
pub fn fresh_chunk_set() -> ChunkSet {
    static NEXT: OnceLock<AtomicI64> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        let random = getrandom::u64().expect("the system's random numbers cannot be read");
        AtomicI64::new((random >> 2) as i64)
    });
    ChunkSet(next.fetch_add(1, Ordering::Relaxed))
}
