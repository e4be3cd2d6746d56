//! Lists and figures.

use super::*;

pub async fn lists_are_filtered_and_sorted(store: &dyn Store, database: &Database) {
    let png = NewEntry { mime: "image/png".into(), ..entry("b/Two.png", b"22", 1) };
    let text = NewEntry { mime: "text/plain".into(), ..entry("c/three.txt", b"", 1) };
    let chunks = chunked("d%", b"4444", NewPayload::OneChunk(ChunkSet(4), b"4444".to_vec()));
    for entry in [entry("a/one.jpg", b"333", 1), png, text, chunks] {
        store.put(&[entry]).await.unwrap();
    }
    let (columns, values) = match database.kind {
        Kind::MariaDb => (", path_hash", ", unhex(sha2('e/five.gif', 256))"),
        _ => ("", ""),
    };
    database
        .run(&format!(
            "INSERT INTO image_cache (original_path, image_url, file_size, content_type_header,
                created_at, updated_at, last_accessed{columns})
            VALUES ('e/five.gif', 'https://example.org/5', 1, 'image/gif', '2020-01-02 03:04:05',
                '2020-01-02 03:04:05', '2020-01-02 03:04:05.25'{values})"
        ))
        .await;

    let names = async |query: ListQuery| -> String {
        let found = store.list(&query).await.unwrap();
        found.iter().map(|entry| &entry.original_path[..1]).collect()
    };
    let all = ListQuery::default;
    assert_eq!(names(all()).await, "abcde");
    assert_eq!(names(ListQuery { search: Some("two".into()), ..all() }).await, "");
    assert_eq!(names(ListQuery { search: Some("Two".into()), ..all() }).await, "b");
    assert_eq!(names(ListQuery { search: Some("%".into()), ..all() }).await, "d");
    assert_eq!(names(ListQuery { search: Some("/".into()), ..all() }).await, "abce");
    assert_eq!(names(ListQuery { path: Some(path("d%")), ..all() }).await, "d");
    assert_eq!(names(ListQuery { mime: Some("image/".into()), ..all() }).await, "abde");
    for (place, found) in [
        (PayloadKind::Inline, "abc"),
        (PayloadKind::Chunks, "d"),
        (PayloadKind::Url, "e"),
        (PayloadKind::None, ""),
    ] {
        assert_eq!(names(ListQuery { payload: Some(place), ..all() }).await, found);
    }
    assert_eq!(names(ListQuery { not_accessed_days: Some(30), ..all() }).await, "e");
    assert_eq!(names(ListQuery { not_accessed_days: Some(0), ..all() }).await, "abcde");
    for (sort, found) in [
        (Sort::Path, "abcde"),
        (Sort::Size, "cebad"),
        (Sort::Created, "eabcd"),
        (Sort::Updated, "eabcd"),
        (Sort::Accessed, "eabcd"),
    ] {
        assert_eq!(names(ListQuery { sort, ..all() }).await, found, "{sort:?}");
        let back: String = found.chars().rev().collect();
        assert_eq!(names(ListQuery { sort, descending: true, ..all() }).await, back, "{sort:?}");
    }
    assert_eq!(names(ListQuery { limit: Some(2), offset: 1, ..all() }).await, "bc");
    assert_eq!(names(ListQuery { offset: 3, ..all() }).await, "de");

    let query = ListQuery { path: Some(path("e/five.gif")), ..all() };
    let five = store.list(&query).await.unwrap().remove(0);
    assert_eq!(five.image_url.as_deref(), Some("https://example.org/5"));
    assert_eq!(five.created_at.0, 1_577_934_245_000_000);
    assert_eq!(five.last_accessed.0, 1_577_934_245_250_000);
    let rows = index(store).await;
    assert_eq!(rows.iter().filter(|row| row.access_is_old).count(), 1);
    assert!(rows.iter().all(|row| row.has_data));
}

pub async fn pages_by_id_meet_every_entry_once(store: &dyn Store, _: &Database) {
    for n in 0..23_u8 {
        store.put(&[entry(&format!("{:02}", 22 - n), &[n], 1)]).await.unwrap();
    }
    let mut met = Vec::new();
    let mut last = i64::MIN;
    loop {
        let query = ListQuery {
            after_id: Some(last),
            sort: Sort::Id,
            limit: Some(5),
            ..ListQuery::default()
        };
        let page = store.list(&query).await.unwrap();
        let Some(entry) = page.last() else { break };
        assert!(page.len() <= 5);
        last = entry.id;
        met.extend(page.into_iter().map(|entry| (entry.id, entry.original_path)));
        if met.len() == 10 {
            // What goes, or is replaced, shifts no page.
            store.remove(&[met[0].0, met[7].0]).await.unwrap();
            store.put(&[super::entry("14", b"other", 2)]).await.unwrap();
        }
    }
    assert!(met.is_sorted());
    let paths: Vec<_> = met.into_iter().map(|(_, path)| path).collect();
    assert_eq!(paths, (0..23).rev().map(|n| format!("{n:02}")).collect::<Vec<_>>());
    let later = ListQuery { after_id: Some(last), ..ListQuery::default() };
    assert!(store.list(&later).await.unwrap().is_empty());
}

pub async fn totals_count(store: &dyn Store, _: &Database) {
    assert_eq!(store.totals().await.unwrap().entries, 0);
    let chunks = chunked("b", b"22", NewPayload::OneChunk(ChunkSet(4), b"22".to_vec()));
    store.put(&[entry("a", b"1", 1), chunks]).await.unwrap();
    let totals = store.totals().await.unwrap();
    assert!(totals.database_bytes.is_none_or(|bytes| bytes > 0));
    let expected = Totals {
        entries: 2,
        with_data: 2,
        inline: 1,
        chunked: 1,
        by_url: 0,
        file_bytes: 3,
        database_bytes: totals.database_bytes,
    };
    assert_eq!(totals, expected);
}
