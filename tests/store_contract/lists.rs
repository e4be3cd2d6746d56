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

pub async fn what_is_searched_for_stands_for_itself(store: &dyn Store, _: &Database) {
    let names = ["100%.jpg", "100 .jpg", r"a\b", "a_b", "a%b", "ab", "é[x]", "É[x]"];
    for name in names {
        store.put(&[NewEntry { mime: format!("x/{name}"), ..entry(name, b"1", 1) }]).await.unwrap();
    }
    let found = async |query: ListQuery| -> Vec<String> {
        let found = store.list(&query).await.unwrap();
        found.into_iter().map(|entry| entry.original_path).collect()
    };
    for (text, matching) in [
        ("0%", vec!["100%.jpg"]),
        ("_", vec!["a_b"]),
        ("%", vec!["100%.jpg", "a%b"]),
        (r"\", vec![r"a\b"]),
        (r"\b", vec![r"a\b"]),
        (r"\_", vec![]),
        ("é", vec!["é[x]"]),
        ("[x]", vec!["É[x]", "é[x]"]),
        ("A", vec![]),
    ] {
        let search = ListQuery { search: Some(text.into()), ..ListQuery::default() };
        assert_eq!(found(search).await, matching, "{text}");
    }
    for name in names {
        let query = ListQuery { mime: Some(format!("x/{name}")), ..ListQuery::default() };
        assert_eq!(found(query).await, [name], "type");
    }
}

pub async fn pages_by_id_meet_every_entry_once(store: &dyn Store, _: &Database) {
    for n in 0..23_u8 {
        store.put(&[entry(&format!("{:02}", 22 - n), &[n], 1)]).await.unwrap();
    }
    let mut met = Vec::new();
    let mut last = i64::MIN;
    loop {
        let query = ListQuery {
            after: Some(Spot::id(last)),
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
    let later = ListQuery { after: Some(Spot::id(last)), sort: Sort::Id, ..ListQuery::default() };
    assert!(store.list(&later).await.unwrap().is_empty());
}

pub async fn a_whole_list_is_gone_through(store: &dyn Store, _: &Database) {
    let all: Vec<_> = (0..1_100).map(|n| entry(&format!("{}/{n}", n % 7), b"x", n)).collect();
    for batch in all.chunks(300) {
        store.put(batch).await.unwrap();
    }
    let search = |text: &str| Some(text.to_owned());
    let none = ListQuery::default;
    for query in [
        ListQuery { sort: Sort::Path, ..none() },
        ListQuery { sort: Sort::Accessed, descending: true, search: search("1"), ..none() },
        ListQuery { sort: Sort::Path, search: search("/"), mime: search("image/"), ..none() },
        ListQuery { sort: Sort::Size, has_data: Some(true), limit: Some(1_050), ..none() },
        ListQuery { sort: Sort::Updated, descending: true, offset: 90, ..none() },
        ListQuery { limit: Some(0), ..none() },
        ListQuery { search: search("no such"), ..none() },
    ] {
        assert_eq!(
            gone_through(store, Through::list(query.clone())).await,
            list(store, &query).await
        );
    }
    let ids: Vec<i64> = list(store, &none()).await.iter().rev().map(|entry| entry.id).collect();
    let query = ListQuery { sort: Sort::Path, descending: true, ..none() };
    let named = gone_through(store, Through::named(ids.clone(), query)).await;
    assert_eq!(named.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids);
    assert!(gone_through(store, Through::named(Vec::new(), none())).await.is_empty());
}

async fn gone_through(store: &dyn Store, mut list: Through) -> Vec<Entry> {
    let mut all = Vec::new();
    while let Some(part) = list.next(store).await.unwrap() {
        assert!(part.len() <= 1_000);
        all.extend(part);
    }
    all
}

async fn list(store: &dyn Store, query: &ListQuery) -> Vec<Entry> {
    store.list(query).await.unwrap()
}

pub async fn pages_of_every_order_meet_every_entry_once(store: &dyn Store, database: &Database) {
    for n in 0..23_u8 {
        // Sizes and moments that several entries share: the id must break ties.
        let name = format!("{} {:02}", ["b", "é", "B"][usize::from(n) % 3], 22 - n);
        store.put(&[entry(&name, &noise(u64::from(n), usize::from(n) / 4), 1)]).await.unwrap();
    }
    // As others write moments: without a fraction.
    let shared = "UPDATE image_cache SET created_at = '2024-05-06 07:08:09' WHERE file_size < 2";
    database.run(shared).await;
    database.run("UPDATE image_cache SET last_accessed = '2024-05-06 07:08:09'").await;
    for sort in [Sort::Path, Sort::Id, Sort::Size, Sort::Created, Sort::Updated, Sort::Accessed] {
        for (descending, limit) in [(false, 5), (true, 4), (true, 23)] {
            for search in [None, Some("1".to_owned())] {
                let all = ListQuery { search, sort, descending, ..ListQuery::default() };
                let whole = store.page(&all).await.unwrap();
                assert_eq!((&whole.next, &whole.previous, whole.total), (&None, &None, None));
                let count = whole.entries.len() as u64;
                // All are counted, or fewer than there are.
                for most in [1000, 3] {
                    let first =
                        ListQuery { limit: Some(limit), count_up_to: Some(most), ..all.clone() };
                    let what = format!("{sort:?} {descending} {limit} of {most}");
                    let there = pages(store, &first).await;
                    let met: Vec<_> = there.iter().flat_map(|page| &page.entries).collect();
                    assert_eq!(met, whole.entries.iter().collect::<Vec<_>>(), "{what}");
                    // And all the way back, from the last page.
                    let (last, before) = there.split_last().unwrap();
                    if let Some(spot) = last.previous.clone() {
                        let back = ListQuery { before: Some(spot), ..first.clone() };
                        let mut back = pages(store, &back).await;
                        back.reverse();
                        let entries = |pages: &[Page]| -> Vec<Entry> {
                            pages.iter().flat_map(|page| page.entries.clone()).collect()
                        };
                        assert_eq!(entries(&back), entries(before), "{what}, backwards");
                    }
                    let page = store.page(&first).await.unwrap();
                    assert_eq!(page.total, Some(count.min(most)), "{what}");
                    assert_eq!(page.previous, None);
                    if let Some(next) = page.next {
                        let second = ListQuery { after: Some(next), ..first };
                        let second = store.page(&second).await.unwrap();
                        assert_eq!(second.total, Some(count.min(most)), "{what}, the second");
                    }
                }
            }
        }
    }
    let two = store.list(&ListQuery { limit: Some(2), ..ListQuery::default() }).await.unwrap();
    let ids: Vec<i64> = two.iter().map(|entry| entry.id).chain([-1]).collect();
    let named = ListQuery { ids: Some(ids), ..ListQuery::default() };
    assert_eq!(store.list(&named).await.unwrap(), two);
    let none = ListQuery { ids: Some(Vec::new()), ..ListQuery::default() };
    assert!(store.list(&none).await.unwrap().is_empty());
}

/// The pages of a list, one after another the way that the query goes.
async fn pages(store: &dyn Store, query: &ListQuery) -> Vec<Page> {
    let (mut query, mut met) = (query.clone(), Vec::new());
    loop {
        let page = store.page(&query).await.unwrap();
        assert!(page.entries.len() <= query.limit.unwrap() as usize);
        // There is a way back to where it was come from.
        let (back, began) = match query.before {
            Some(_) => (&page.next, true),
            None => (&page.previous, query.after.is_some()),
        };
        assert_eq!(back.is_some(), began && !page.entries.is_empty());
        let goes_on = query.go_on(&page);
        met.push(page);
        if !goes_on {
            return met;
        }
    }
}

pub async fn a_page_goes_on_behind_an_entry_that_is_gone(store: &dyn Store, _: &Database) {
    for n in 0..6_u8 {
        store.put(&[entry(&format!("{n}"), &[n], 1)]).await.unwrap();
    }
    let query =
        ListQuery { sort: Sort::Updated, descending: true, limit: Some(2), ..ListQuery::default() };
    let first = store.page(&query).await.unwrap();
    store.remove(&[first.entries[0].id, first.entries[1].id]).await.unwrap();
    let second = store.page(&ListQuery { after: first.next, ..query }).await.unwrap();
    let paths: Vec<&str> =
        second.entries.iter().map(|entry| entry.original_path.as_str()).collect();
    assert_eq!(paths, ["3", "2"]);
    // Nor does what is gone stand in the way back, whose first page is as long as what is left.
    let query = ListQuery { sort: Sort::Updated, descending: true, ..ListQuery::default() };
    let previous = ListQuery { before: second.next.clone(), limit: Some(3), ..query.clone() };
    store.remove(&[second.entries[1].id]).await.unwrap();
    let page = store.page(&previous).await.unwrap();
    let paths: Vec<&str> = page.entries.iter().map(|entry| entry.original_path.as_str()).collect();
    assert_eq!((paths, page.previous), (vec!["3"], None));
    let behind = ListQuery { after: page.next, ..query };
    assert_eq!(store.page(&behind).await.unwrap().entries.len(), 2);
}

pub async fn growth_is_counted_by_day(store: &dyn Store, database: &Database) {
    assert_eq!(store.growth(30).await.unwrap(), []);
    for n in 0..4_u8 {
        store.put(&[entry(&format!("{n}"), &noise(1, usize::from(n)), 1)]).await.unwrap();
    }
    let old = database.kind.hours_ago(10 * 24);
    database.run(&format!("UPDATE image_cache SET created_at = {old} WHERE file_size >= 2")).await;
    let days = store.growth(30).await.unwrap();
    let figures: Vec<_> = days.iter().map(|day| (day.entries, day.file_bytes)).collect();
    assert_eq!(figures, [(2, 5), (2, 1)]);
    let day = 86_400_000_000;
    assert!(days.iter().all(|growth| growth.day.0 % day == 0));
    assert_eq!((days[1].day.0 - days[0].day.0) / day, 10);
    assert_eq!(store.growth(5).await.unwrap(), days[1..]);
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

/// What is kept of former contents takes room as well.
pub async fn former_contents_count_as_room(store: &dyn Store, database: &Database) {
    const BYTES: u64 = 2 << 20;
    store.put(&[entry("a", &noise(1, BYTES as usize), 1)]).await.unwrap();
    let before = store.totals().await.unwrap().database_bytes.expect("a file of ours, or a server");
    // Past the store, which would leave the room of what it moves in the table where that was.
    let hash = if database.kind == Kind::MariaDb { "path_hash, " } else { "" };
    let columns = "content_type, object_id, original_path, image_url, file_size, content_type_header, \
        created_at, updated_at, sha256, mtime_ns, mode, chunk_set, image_data, last_accessed";
    let copy = format!(
        "INSERT INTO image_cache_history ({hash}{columns}, ended_at, why)
        SELECT {hash}{columns}, updated_at, 'replaced' FROM image_cache"
    );
    database.run(&copy).await;
    if database.kind == Kind::MariaDb {
        // It tells what it has counted, which it does at times of its own; and when a table is made anew.
        database.run("ALTER TABLE image_cache_history FORCE").await;
    }
    let after = store.totals().await.unwrap().database_bytes.expect("as before");
    assert!(after >= before + BYTES, "{before} bytes before, {after} after");
}
