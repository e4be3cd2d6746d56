//! Entries are stored, replaced and read back.

use super::*;

pub async fn an_empty_file_has_data(store: &dyn Store, _: &Database) {
    store.put(&[entry("empty", b"", 1)]).await.unwrap();
    assert_eq!(stored(store, "empty").await.payload, PayloadKind::Inline);
    assert!(index(store).await[0].has_data);
    let none = chunked("none", b"", NewPayload::OneChunk(ChunkSet(3), Vec::new()));
    store.put(&[none]).await.unwrap();
    assert!(contents(store).await.values().all(Vec::is_empty));
}

pub async fn five_mebibytes_fit_into_a_row(store: &dyn Store, _: &Database) {
    let bytes = noise(5, 5 << 20);
    store.put(&[entry("large.jpg", &bytes, 1), entry("small.jpg", b"s", 1)]).await.unwrap();
    assert!(contents(store).await["large.jpg"] == bytes);
}

pub async fn a_batch_of_300_is_stored_and_indexed_newest_first(store: &dyn Store, _: &Database) {
    let old: Vec<_> = (0..300).map(|n| entry(&format!("old/{n}"), &noise(n, 500), 1)).collect();
    store.put(&old).await.unwrap();
    store.put(&[entry("new", b"new", 1)]).await.unwrap();
    let rows = index(store).await;
    assert_eq!(rows.len(), 301);
    assert_eq!(rows[0].original_path, "new");
    let listed = store.list(&ListQuery::default()).await.unwrap();
    let moments: HashMap<i64, _> =
        listed.iter().map(|entry| (entry.id, entry.updated_at)).collect();
    assert!(rows.is_sorted_by(|a, b| moments[&a.id] >= moments[&b.id]));
    let read = contents(store).await;
    assert!((0..300).all(|n| read[&format!("old/{n}")] == noise(n, 500)));
    let paths: Vec<_> = old.iter().map(|entry| entry.path.clone()).collect();
    assert_eq!(store.stored(&paths).await.unwrap().len(), 300);
}

pub async fn a_batch_of_all_kinds_and_sizes_comes_back(store: &dyn Store, _: &Database) {
    let sizes = [0, 1, 98_303, 98_304, 131_071, 131_072, 400_000, 2, 1_000_000, 3];
    let owner = Some(("shop.product".to_owned(), "گربه".to_owned()));
    let batch = (0..).zip(sizes).flat_map(|(n, size)| {
        let bytes = noise(n, size);
        let inline = NewEntry { owner: owner.clone(), ..entry(&format!("inline/{n}"), &bytes, 7) };
        let set = ChunkSet(i64::try_from(n).unwrap() + 1);
        let chunk = NewPayload::OneChunk(set, bytes.clone());
        [inline, chunked(&format!("chunk/{n}"), &bytes, chunk)]
    });
    let batch: Vec<_> = batch.collect();
    assert_eq!(store.put(&batch).await.unwrap(), vec![true; 20]);
    let read = contents(store).await;
    for (n, size) in (0..).zip(sizes) {
        assert!(read[&format!("inline/{n}")] == noise(n, size), "{size} bytes inline");
        assert!(read[&format!("chunk/{n}")] == noise(n, size), "{size} bytes in a chunk");
    }
    let inline = ListQuery { search: Some("inline/".to_owned()), ..ListQuery::default() };
    let listed = store.list(&inline).await.unwrap();
    assert_eq!(listed.len(), sizes.len());
    assert!(listed.into_iter().all(|it| Some((it.content_type, it.object_id)) == owner));
    let first = stored(store, "inline/0").await;
    assert_eq!((first.mtime_ns, first.mode), (7, 0o640));
    assert_eq!(store.put(&batch).await.unwrap(), vec![false; 20]);
}

/// A table may be not quite ours: made by an app's own migration, or altered since.
pub async fn a_column_of_another_type_keeps_no_batch_out(store: &dyn Store, database: &Database) {
    match database.kind {
        Kind::Postgres | Kind::PgBouncer => {
            database.run("ALTER TABLE image_cache ALTER COLUMN mode TYPE bigint").await;
        }
        Kind::Sqlite | Kind::MariaDb => {}
    }
    let batch: Vec<_> = (0..8).map(|n| entry(&format!("{n}"), &noise(n, 500), 1)).collect();
    assert_eq!(store.put(&batch).await.unwrap(), [true; 8]);
    let read = contents(store).await;
    assert!((0..8).all(|n| read[&n.to_string()] == noise(n, 500)));
}

pub async fn odd_paths_are_told_apart(store: &dyn Store, _: &Database) {
    let deep = |length: usize| {
        let mut text = "d/".repeat(length / 2);
        text.truncate(length - 1);
        text.push('x');
        text.replace("//", "/d")
    };
    let texts = [
        "A.jpg".to_owned(),
        "a.jpg".to_owned(),
        "caf\u{e9}.jpg".to_owned(),
        "cafe\u{301}.jpg".to_owned(),
        "cafe.jpg".to_owned(),
        "a".to_owned(),
        "a ".to_owned(),
        "a\n".to_owned(),
        "-rf".to_owned(),
        "a\\b".to_owned(),
        "100%_'\"`$1?.jpg".to_owned(),
        "\u{1f408}\u{200d}\u{2b1b}.webp".to_owned(),
        "عکس/گربه.png".to_owned(),
        "straße".to_owned(),
        "strasse".to_owned(),
        "\u{1f408}/".repeat(409) + "cat",
        deep(1_000),
        deep(2_048),
    ];
    assert_eq!(texts.iter().map(String::len).max(), Some(2_048));
    let batch: Vec<_> = texts.iter().map(|text| entry(text, text.as_bytes(), 1)).collect();
    store.put(&batch).await.unwrap();
    store.put(&batch).await.unwrap();
    let read = contents(store).await;
    assert_eq!(read.len(), texts.len());
    for text in &texts {
        assert_eq!(read[text], text.as_bytes());
        let query = ListQuery { path: Some(path(text)), ..ListQuery::default() };
        let found = store.list(&query).await.unwrap();
        assert_eq!(found.len(), 1, "{text:?}");
        assert_eq!(found[0].original_path, *text);
    }
    let mut sorted = texts.to_vec();
    sorted.sort();
    let listed = store.list(&ListQuery::default()).await.unwrap();
    assert_eq!(listed.into_iter().map(|e| e.original_path).collect::<Vec<_>>(), sorted);
}

pub async fn access_is_noted(store: &dyn Store, database: &Database) {
    store.put(&[entry("a", b"a", 1), entry("b", b"b", 1)]).await.unwrap();
    let old = database.kind.hours_ago(25);
    database.run(&format!("UPDATE image_cache SET last_accessed = {old}")).await;
    assert!(index(store).await.iter().all(|row| row.access_is_old));
    store.accessed(&[path("a"), path("gone")]).await.unwrap();
    for row in index(store).await {
        assert_eq!(row.access_is_old, row.original_path == "b");
    }
}

pub async fn a_refused_value_is_told_and_the_rest_can_be_stored(
    store: &dyn Store,
    database: &Database,
) {
    let bad = match database.kind {
        // SQLite takes everything that fits into a gigabyte.
        Kind::Sqlite => return,
        Kind::Postgres | Kind::PgBouncer => NewEntry { mime: "a\0b".into(), ..entry("b", b"b", 1) },
        Kind::MariaDb => NewEntry { mime: "m".repeat(300), ..entry("b", b"b", 1) },
    };
    let batch = [entry("a", b"a", 1), bad, entry("c", b"c", 1)];
    let error = store.put(&batch).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Value, "{error}");
    assert!(!error.is_temporary());
    assert!(index(store).await.is_empty(), "half a batch was stored");
    for entry in batch {
        let alone = store.put(std::slice::from_ref(&entry)).await;
        assert_eq!(alone.is_err(), entry.path.as_str() == "b");
    }
    assert_eq!(index(store).await.len(), 2);
}

pub async fn a_url_or_nothing_takes_the_place_of_bytes(store: &dyn Store, _: &Database) {
    let with = |payload| NewEntry { payload, ..entry("a", b"a", 1) };
    let url = "s3://bucket/ca/978112";
    let payloads = [
        (NewPayload::Url(url.into()), PayloadKind::Url, true),
        (NewPayload::Url(url.into()), PayloadKind::Url, false),
        (NewPayload::OneChunk(ChunkSet(9), b"a".to_vec()), PayloadKind::Chunks, true),
        (NewPayload::Nothing, PayloadKind::None, true),
        (NewPayload::Nothing, PayloadKind::None, false),
        (entry("a", b"a", 1).payload, PayloadKind::Inline, true),
        (NewPayload::Url(url.into()), PayloadKind::Url, true),
    ];
    for (payload, kind, written) in payloads {
        assert_eq!(store.put(&[with(payload)]).await.unwrap(), [written], "{kind:?}");
        let listed = store.list(&ListQuery::default()).await.unwrap();
        assert_eq!(listed[0].payload, kind);
        assert_eq!(listed[0].has_data(), kind != PayloadKind::None);
        assert_eq!(listed[0].image_url.as_deref(), (kind == PayloadKind::Url).then_some(url));
    }
    let mut fetched = String::new();
    let id = store.list(&ListQuery::default()).await.unwrap()[0].id;
    let mut each = |row: Fetched<'_>| match row.payload {
        FetchedPayload::Url(url) => fetched = url.to_owned(),
        other => panic!("{other:?}"),
    };
    store.fetch(&[id], &mut each).await.unwrap();
    assert_eq!(fetched, url);
}

pub async fn a_row_that_cannot_be_read_hides_no_other(store: &dyn Store, database: &Database) {
    store.put(&[entry("sound", b"s", 1), entry("odd", b"o", 1)]).await.unwrap();
    let odd = match database.kind {
        Kind::Sqlite => "UPDATE image_cache SET file_size = 'much' WHERE original_path = 'odd'",
        Kind::Postgres | Kind::PgBouncer => {
            "UPDATE image_cache SET updated_at = 'infinity' WHERE original_path = 'odd'"
        }
        Kind::MariaDb => {
            "SET sql_mode = '';
            UPDATE image_cache SET updated_at = '0000-00-00' WHERE original_path = 'odd'"
        }
    };
    database.run(odd).await;
    let listed = store.list(&ListQuery::default()).await.unwrap();
    assert!(listed.iter().any(|entry| entry.original_path == "sound"), "{listed:?}");
    let rows = index(store).await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().any(|row| row.original_path == "sound" && row.has_data));
    let other = rows.iter().find(|row| row.original_path != "sound").unwrap();
    match database.kind {
        Kind::Sqlite => {
            assert!(other.original_path.ends_with("cannot be read"), "{other:?}");
            assert!(UploadPath::parse(&other.original_path).is_err() && !other.has_data);
        }
        // Only its time was no time.
        _ => assert!(other.original_path == "odd" && other.has_data, "{other:?}"),
    }
    assert_eq!(store.remove(&[other.id]).await.unwrap(), 1);
}
