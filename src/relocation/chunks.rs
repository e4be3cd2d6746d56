//! A payload on its way into chunk rows.

use bytes::BytesMut;

use crate::model::Hasher;
use crate::model::entry::{CHUNK_BYTES, ChunkSet};
use crate::payload::damage::check;
use crate::payload::{Expected, Reader};
use crate::relocation::payload::{Failed, NotWritten};
use crate::store::Store;

/// As many chunks are written with one commit.
const AT_ONCE: usize = 4;

/// Writes what comes into chunk rows, and reads them back.
pub(super) async fn write(
    store: &dyn Store,
    set: ChunkSet,
    mut reader: Reader<'_>,
) -> Result<(), NotWritten> {
    let mut first = 0;
    let mut ready = Vec::new();
    let mut rest = BytesMut::new();
    while let Some(piece) = reader.next().await? {
        rest.extend_from_slice(&piece);
        while rest.len() >= CHUNK_BYTES {
            ready.push(rest.split_to(CHUNK_BYTES).to_vec());
        }
        if ready.len() >= AT_ONCE {
            store.write_chunks(set, first, &ready).await?;
            first += ready.len() as u32;
            ready.clear();
        }
    }
    if !rest.is_empty() {
        ready.push(rest.to_vec());
    }
    if !ready.is_empty() {
        store.write_chunks(set, first, &ready).await?;
    }
    drop(ready);
    read_back(store, set, reader.expected()).await
}

/// Makes sure that the rows hold the content. No entry is asked: none refers to them yet.
async fn read_back(store: &dyn Store, set: ChunkSet, expected: Expected) -> Result<(), NotWritten> {
    let mut hasher = Hasher::default();
    let mut length = 0;
    for seq in 0.. {
        let Some(chunk) = store.read_chunk(set, seq).await? else { break };
        hasher.update(&chunk);
        length += chunk.len() as u64;
    }
    check((length, hasher.finish()), expected).map_err(|reason| {
        let place = store.product().to_owned();
        NotWritten::Failed(Failed::Differs { place, reason })
    })
}
