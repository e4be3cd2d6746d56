//! Payloads that move from one place to another.

use super::*;

fn relocation(id: i64, bytes: &[u8], from: PayloadPlace, to: NewPayload) -> Relocation {
    Relocation { id, sha256: Digest::of(bytes), from, to }
}

pub async fn only_what_was_read_is_moved(store: &dyn Store, database: &Database) {
    store.put(&[remote("url", b"a"), entry("inline", b"a", 1)]).await.unwrap();
    store
        .put(&[chunked("chunks", b"a", NewPayload::OneChunk(ChunkSet(1), b"a".into()))])
        .await
        .unwrap();
    let before = store.list(&ListQuery::default()).await.unwrap();
    let all = [
        ("url", PayloadPlace::Url(url(b"a"))),
        ("inline", PayloadPlace::Inline),
        ("chunks", PayloadPlace::Chunks(ChunkSet(1))),
    ];
    let to = || NewPayload::OneChunk(ChunkSet(9), b"a".to_vec());
    for (name, place) in &all {
        let id = id(store, name).await;
        let mut wrong: Vec<_> = all
            .iter()
            .filter(|(other, _)| other != name)
            .map(|(_, place)| relocation(id, b"a", place.clone(), to()))
            .collect();
        wrong.push(relocation(id, b"a", PayloadPlace::Chunks(ChunkSet(2)), to()));
        wrong.push(relocation(id, b"a", PayloadPlace::Url("s3://other".into()), to()));
        wrong.push(relocation(id, b"changed", place.clone(), to()));
        wrong.push(relocation(id + 100, b"a", place.clone(), to()));
        wrong.push(relocation(id, b"a", place.clone(), NewPayload::Nothing));
        for wrong in wrong {
            assert!(!store.relocate(&wrong).await.unwrap(), "{name}: {wrong:?}");
        }
    }
    assert_eq!(store.list(&ListQuery::default()).await.unwrap(), before);
    assert_eq!(chunk_rows(database).await, 1);
    assert_eq!(store.loose(10).await.unwrap(), []);
}

pub async fn a_large_chunk_set_is_moved_away_whole(store: &dyn Store, database: &Database) {
    let chunks: Vec<_> = (0..40).map(|seq| noise(seq, 1_000)).collect();
    store.write_chunks(ChunkSet(1), 0, &chunks).await.unwrap();
    let mut large = chunked("a", b"large", NewPayload::Chunks(ChunkSet(1)));
    large.stat.size = 40 << 20;
    store.put(&[large]).await.unwrap();
    let from = PayloadPlace::Chunks(ChunkSet(1));
    let to = NewPayload::Url(url(b"large"));
    let moved = relocation(id(store, "a").await, b"large", from, to);
    assert!(store.relocate(&moved).await.unwrap());
    assert_eq!(chunk_rows(database).await, 0);
}
