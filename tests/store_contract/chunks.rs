//! Payloads in chunk rows, and what becomes of rows that nobody needs.

use super::*;

pub async fn chunks_are_written_read_and_discarded(store: &dyn Store, database: &Database) {
    let (set, bytes) = (ChunkSet(i64::MIN), noise(1, 1 << 20));
    store.write_chunks(set, 0, &[b"other".to_vec()]).await.unwrap();
    for seq in 0..20 {
        store.write_chunks(set, seq, &[bytes[..1000 * (1 + seq as usize)].to_vec()]).await.unwrap();
    }
    store.write_chunks(set, 1, std::slice::from_ref(&bytes)).await.unwrap();
    store.write_chunks(ChunkSet(5), 0, &[b"kept".to_vec()]).await.unwrap();
    assert_eq!(store.read_chunk(set, 0).await.unwrap().unwrap(), &bytes[..1000]);
    assert!(store.read_chunk(set, 1).await.unwrap().unwrap() == bytes);
    assert_eq!(store.read_chunk(set, 20).await.unwrap(), None);
    store.discard_chunks(set).await.unwrap();
    assert_eq!(chunk_rows(database).await, 1);
    assert_eq!(store.read_chunk(ChunkSet(5), 0).await.unwrap().unwrap(), b"kept");
}

pub async fn one_chunk_comes_with_its_entry(store: &dyn Store, database: &Database) {
    let bytes = noise(2, 1 << 20);
    let batch: Vec<_> = (0..5)
        .map(|n| {
            let payload = NewPayload::OneChunk(ChunkSet(n), bytes.clone());
            chunked(&format!("{n}.bin"), &bytes, payload)
        })
        .collect();
    store.put(&batch).await.unwrap();
    assert!(contents(store).await.values().all(|read| *read == bytes));
    let row = stored(store, "3.bin").await;
    assert_eq!((row.payload, row.chunk_set), (PayloadKind::Chunks, Some(ChunkSet(3))));
    store.discard_chunks(ChunkSet(3)).await.unwrap();
    assert_eq!(chunk_rows(database).await, 5, "chunks in use were removed");
    // The same call again, as after an answer that was lost on its way.
    store.put(&batch).await.unwrap();
    assert_eq!(chunk_rows(database).await, 5);
}

async fn write_set(store: &dyn Store, set: ChunkSet, chunks: u32) {
    let chunks: Vec<_> = (0..chunks).map(|seq| noise(u64::from(seq), 1000)).collect();
    store.write_chunks(set, 0, &chunks).await.unwrap();
}

pub async fn replaced_chunks_are_removed(store: &dyn Store, database: &Database) {
    write_set(store, ChunkSet(1), 40).await;
    let mut large = chunked("a", b"first", NewPayload::Chunks(ChunkSet(1)));
    large.stat.size = 40 << 20;
    store.put(&[large]).await.unwrap();
    assert_eq!(chunk_rows(database).await, 40);
    write_set(store, ChunkSet(2), 2).await;
    let mut large = chunked("a", b"second", NewPayload::Chunks(ChunkSet(2)));
    large.stat.size = 2 << 20;
    store.put(&[large]).await.unwrap();
    assert_eq!(chunk_rows(database).await, 2);
    assert_eq!(contents(store).await["a"].len(), 2_000);
    store.put(&[entry("a", b"third", 1)]).await.unwrap();
    assert_eq!(chunk_rows(database).await, 0);
    assert_eq!(contents(store).await["a"], b"third");
    let again = chunked("a", b"third", NewPayload::OneChunk(ChunkSet(3), b"third".to_vec()));
    store.put(&[again]).await.unwrap();
    assert_eq!(stored(store, "a").await.payload, PayloadKind::Chunks);
    assert_eq!(contents(store).await["a"], b"third");
}

pub async fn a_set_that_is_not_needed_is_removed(store: &dyn Store, database: &Database) {
    write_set(store, ChunkSet(1), 2).await;
    store.put(&[chunked("a", b"a", NewPayload::Chunks(ChunkSet(1)))]).await.unwrap();
    write_set(store, ChunkSet(2), 2).await;
    store.put(&[chunked("a", b"a", NewPayload::Chunks(ChunkSet(2)))]).await.unwrap();
    assert_eq!(stored(store, "a").await.chunk_set, Some(ChunkSet(1)));
    assert_eq!(chunk_rows(database).await, 2);
}

pub async fn old_sets_without_entry_are_swept(store: &dyn Store, database: &Database) {
    write_set(store, ChunkSet(1), 2).await;
    store.put(&[chunked("a", b"a", NewPayload::Chunks(ChunkSet(1)))]).await.unwrap();
    write_set(store, ChunkSet(2), 20).await;
    let old = database.kind.hours_ago(25);
    database.run(&format!("UPDATE image_cache_chunk SET created_at = {old}")).await;
    write_set(store, ChunkSet(3), 1).await;
    assert_eq!(store.sweep_chunks().await.unwrap(), 1);
    assert_eq!(chunk_rows(database).await, 3);
    assert_eq!(store.sweep_chunks().await.unwrap(), 0);
}

pub async fn removing_takes_the_chunks_too(store: &dyn Store, database: &Database) {
    write_set(store, ChunkSet(1), 40).await;
    let chunks = chunked("a", b"a", NewPayload::Chunks(ChunkSet(1)));
    store.put(&[chunks, entry("b", b"b", 1), entry("c", b"c", 1)]).await.unwrap();
    let (a, b) = (stored(store, "a").await.id, stored(store, "b").await.id);
    assert_eq!(store.remove(&[a, b, 999_999]).await.unwrap(), 2);
    assert_eq!(chunk_rows(database).await, 0);
    let left: Vec<_> = index(store).await.into_iter().map(|row| row.original_path).collect();
    assert_eq!(left, ["c"]);
    assert_eq!(store.remove(&[]).await.unwrap(), 0);
}
