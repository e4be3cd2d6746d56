//! Payloads that move from one place to another.

use super::*;

fn relocation(id: i64, bytes: &[u8], from: PayloadPlace, to: NewPayload) -> Relocation {
    Relocation { id, sha256: Digest::of(bytes), from, to }
}

pub async fn a_payload_moves_and_all_else_stays(store: &dyn Store, database: &Database) {
    let bytes = noise(7, 3_000);
    let owner = Some(("shop.product".to_owned(), "7".to_owned()));
    store.put(&[NewEntry { owner, ..entry("a", &bytes, 77) }]).await.unwrap();
    for column in ["created_at", "updated_at", "last_accessed"] {
        database.run(&format!("UPDATE image_cache SET {column} = '2020-01-02 03:04:05'")).await;
    }
    let id = id(store, "a").await;
    let listed = async || store.list(&ListQuery::default()).await.unwrap().remove(0);
    let first = listed().await;
    let there = url(&bytes);
    store.write_chunks(ChunkSet(2), 0, std::slice::from_ref(&bytes)).await.unwrap();
    let inline = || entry("a", &bytes, 77).payload;
    let one = || NewPayload::OneChunk(ChunkSet(1), bytes.clone());
    let route = [
        (PayloadPlace::Inline, one(), PayloadKind::Chunks),
        (PayloadPlace::Chunks(ChunkSet(1)), NewPayload::Chunks(ChunkSet(2)), PayloadKind::Chunks),
        (PayloadPlace::Chunks(ChunkSet(2)), NewPayload::Url(there.clone()), PayloadKind::Url),
        (PayloadPlace::Url(there.clone()), inline(), PayloadKind::Inline),
        (PayloadPlace::Inline, NewPayload::Url(there.clone()), PayloadKind::Url),
        (PayloadPlace::Url(there.clone()), one(), PayloadKind::Chunks),
        (PayloadPlace::Chunks(ChunkSet(1)), inline(), PayloadKind::Inline),
    ];
    for (from, to, kind) in route {
        let step = relocation(id, &bytes, from, to);
        assert!(store.relocate(&step).await.unwrap(), "{step:?}");
        assert!(store.relocate(&step).await.unwrap(), "a second time: {step:?}");
        let mut now = listed().await;
        assert_eq!(now.payload, kind, "{step:?}");
        assert_eq!(now.image_url.is_some(), kind == PayloadKind::Url, "{step:?}");
        (now.payload, now.chunk_set, now.image_url) = (first.payload, None, None);
        assert_eq!(now, first, "{step:?}");
        let loose = store.loose(10).await.unwrap();
        if kind == PayloadKind::Url {
            database.run("DELETE FROM image_cache_loose_object").await;
            assert_eq!(chunk_rows(database).await, 0);
        } else {
            assert!(contents(store).await["a"] == bytes, "{step:?}");
            let had_object = matches!(step.from, PayloadPlace::Url(_));
            assert!(!had_object || loose[0].url == there, "{step:?}: {loose:?}");
        }
    }
    assert_eq!(chunk_rows(database).await, 0);
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
