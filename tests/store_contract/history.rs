//! Former entries: versions, the trash, and past states.

use super::places::rows_of;
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

pub async fn listed(store: &dyn Store) -> Vec<imagecached::model::Entry> {
    store.list(&ListQuery::default()).await.unwrap()
}

pub async fn versions(store: &dyn Store, at: &str) -> Vec<Version> {
    store.versions(&path(at)).await.unwrap()
}

/// The bytes of versions, in their order.
pub async fn bytes_of(store: &dyn Store, versions: &[Version]) -> Vec<Vec<u8>> {
    let ids: Vec<i64> = versions.iter().map(|version| version.entry.id).collect();
    let mut taken = Taken::default();
    store.fetch_history(&ids, &mut |fetched| taken.take(&fetched)).await.unwrap();
    let mut read = taken.whole(store).await;
    ids.iter().map(|id| read.remove(id).unwrap().1).collect()
}

pub async fn trash(store: &dyn Store, at: &str, by: Trash) {
    let leaving = Leaving::from(id(store, at).await);
    assert_eq!(store.trash(&[leaving], by).await.unwrap(), 1);
}

pub async fn history_rows(database: &Database) -> i64 {
    database.numbers("SELECT count(*) FROM image_cache_history").await[0]
}

pub async fn a_replaced_content_becomes_a_version(
    _: &dyn Store,
    database: &Database,
    place: Place,
) {
    let store = &*database.open_keeping(2);
    let contents: Vec<_> = (0..5).map(|seed| place.bytes(seed)).collect();
    let owner = Some(("shop.product".to_owned(), "7".to_owned()));
    let first = place.entry(store, "a", &contents[0], 77).await;
    store.put(&[NewEntry { owner, ..first }]).await.unwrap();
    let before = listed(store).await.remove(0);
    store.put(&[place.entry(store, "a", &contents[1], 78).await]).await.unwrap();
    let after = listed(store).await.remove(0);
    assert_eq!((before.id, before.created_at), (after.id, after.created_at));
    let kept = versions(store, "a").await.remove(0);
    assert_eq!((kept.why, kept.ended_at), (Why::Replaced, after.updated_at));
    assert_eq!(imagecached::model::Entry { id: before.id, ..kept.entry }, before);
    // At most two are kept, and nothing but they and the entry refers to anything.
    for bytes in &contents[2..] {
        store.put(&[place.entry(store, "a", bytes, 79).await]).await.unwrap();
    }
    let kept = versions(store, "a").await;
    let expected: Vec<_> = [3, 2].iter().map(|n: &usize| place.read_back(&contents[*n])).collect();
    assert!(bytes_of(store, &kept).await == expected);
    assert_eq!(chunk_rows(database).await, 3 * rows_of(place, &contents[0]));
    let loose: HashSet<_> = store.loose(10).await.unwrap().into_iter().map(|it| it.url).collect();
    let gone = if place == Place::Url { 0..2 } else { 0..0 };
    assert_eq!(loose, gone.map(|n| url(&contents[n])).collect());
    let ids: Vec<i64> = kept.iter().map(|version| version.entry.id).collect();
    assert_eq!(store.forget_history(&ids).await.unwrap(), 2);
    assert_eq!(store.forget_history(&ids).await.unwrap(), 0);
    assert_eq!(chunk_rows(database).await, rows_of(place, &contents[0]));
    assert_eq!(store.loose(10).await.unwrap().len(), if place == Place::Url { 4 } else { 0 });
    store.close().await;
}

pub async fn a_delete_can_be_taken_back(store: &dyn Store, database: &Database, place: Place) {
    let (one, two) = (place.bytes(1), place.bytes(2));
    store.put(&[place.entry(store, "a", &one, 77).await]).await.unwrap();
    store.put(&[place.entry(store, "b", &two, 77).await]).await.unwrap();
    let before = listed(store).await;
    trash(store, "a", Trash::Deleted).await;
    trash(store, "b", Trash::Removed).await;
    assert_eq!(index(store).await, []);
    let kept = versions(store, "a").await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].why, Why::Trash(Trash::Deleted));
    assert!(bytes_of(store, &kept).await == [place.read_back(&one)]);
    assert_eq!(versions(store, "b").await[0].why, Why::Trash(Trash::Removed));
    assert_eq!(store.loose(10).await.unwrap(), []);
    let back = store.undelete(&[path("a"), path("b"), path("c")]).await.unwrap();
    let mut after = listed(store).await;
    assert_eq!(
        back,
        [Undeleted::Restored(after[0].id), Undeleted::Restored(after[1].id), Undeleted::NotThere]
    );
    for (before, after) in before.iter().zip(&mut after) {
        assert!(after.last_accessed >= before.last_accessed);
        (after.id, after.last_accessed) = (before.id, before.last_accessed);
    }
    assert_eq!(after, before);
    assert_eq!(history_rows(database).await, 0);
    assert!(contents(store).await["b"] == place.read_back(&two));
    assert_eq!(chunk_rows(database).await, 2 * rows_of(place, &one));
}

pub async fn what_is_no_other_content_makes_no_version(_: &dyn Store, database: &Database) {
    let store = &*database.open_keeping(5);
    let nothing = NewEntry { payload: NewPayload::Nothing, ..entry("a", b"?", 1) };
    store.put(std::slice::from_ref(&nothing)).await.unwrap();
    // Where nothing was, its look, its place, its bytes once more.
    store.put(&[entry("a", b"a", 1)]).await.unwrap();
    store.put(&[entry("a", b"a", 2)]).await.unwrap();
    store.put(&[remote("a", b"a")]).await.unwrap();
    store.put(&[entry("a", b"a", 2)]).await.unwrap();
    store.put(&[NewEntry { rewrite: true, ..entry("a", b"a", 2) }]).await.unwrap();
    assert_eq!(history_rows(database).await, 0);
    // What takes the place of bytes makes one, even if it has none itself.
    store.put(&[nothing]).await.unwrap();
    assert_eq!(bytes_of(store, &versions(store, "a").await).await, [b"a"]);
    // An instance that keeps no versions leaves those alone that others have kept.
    let other = database.open();
    other.put(&[entry("a", b"b", 1)]).await.unwrap();
    other.put(&[entry("a", b"c", 1)]).await.unwrap();
    assert_eq!(history_rows(database).await, 1);
    other.close().await;
    store.close().await;
}

pub async fn the_oldest_of_too_many_versions_goes_whole(_: &dyn Store, database: &Database) {
    let store = &*database.open_keeping(1);
    for (set, bytes) in [(1, b"first"), (2, b"secnd"), (3, b"third")] {
        let chunks: Vec<_> = (0..40).map(|seq| noise(seq, 1_000)).collect();
        store.write_chunks(ChunkSet(set), 0, &chunks).await.unwrap();
        let mut large = chunked("a", bytes, NewPayload::Chunks(ChunkSet(set)));
        large.stat.size = 40 << 20;
        store.put(&[large, entry("b", bytes, 1)]).await.unwrap();
    }
    assert_eq!(chunk_rows(database).await, 80);
    assert_eq!(bytes_of(store, &versions(store, "b").await).await, [b"secnd"]);
    assert_eq!(versions(store, "a").await[0].entry.chunk_set, Some(ChunkSet(2)));
    store.purge(Duration::ZERO, HOUR).await.unwrap();
    assert_eq!(chunk_rows(database).await, 40);
    store.close().await;
}

pub async fn an_undelete_takes_nothing_s_place(store: &dyn Store, _: &Database) {
    for bytes in [b"1", b"2"] {
        store.put(&[entry("a", bytes, 1)]).await.unwrap();
        trash(store, "a", Trash::Deleted).await;
    }
    store.put(&[entry("a", b"3", 1)]).await.unwrap();
    assert_eq!(store.undelete(&[path("a")]).await.unwrap(), [Undeleted::Occupied]);
    assert_eq!(contents(store).await["a"], b"3");
    assert_eq!(bytes_of(store, &versions(store, "a").await).await, [b"2", b"1"]);
    // The newest comes back, then the one before.
    for bytes in [b"2", b"1"] {
        store.remove(&[id(store, "a").await]).await.unwrap();
        let back = store.undelete(&[path("a")]).await.unwrap();
        assert_eq!(back, [Undeleted::Restored(id(store, "a").await)]);
        assert_eq!(contents(store).await["a"], bytes);
        assert_eq!(store.undelete(&[path("a")]).await.unwrap(), [Undeleted::Occupied]);
    }
    store.remove(&[id(store, "a").await]).await.unwrap();
    assert_eq!(store.undelete(&[path("a")]).await.unwrap(), [Undeleted::NotThere]);
    assert_eq!(store.undelete(&[]).await.unwrap(), []);
}

pub async fn an_entry_with_a_new_content_does_not_leave(store: &dyn Store, _: &Database) {
    store.put(&[entry("a", b"1", 1), entry("b", b"1", 1), entry("c", b"1", 1)]).await.unwrap();
    let seen =
        async |at| Leaving { id: id(store, at).await, sha256: stored(store, at).await.sha256 };
    let mut leaving = vec![seen("a").await, seen("b").await, seen("c").await];
    leaving.push(Leaving::from(999_999));
    store.put(&[entry("b", b"2", 1)]).await.unwrap();
    assert_eq!(store.trash(&leaving, Trash::Deleted).await.unwrap(), 2);
    assert_eq!(store.trash(&leaving, Trash::Deleted).await.unwrap(), 0);
    let left: Vec<_> = index(store).await.into_iter().map(|row| row.original_path).collect();
    assert_eq!(left, ["b"]);
    assert_eq!(store.trash(&[], Trash::Deleted).await.unwrap(), 0);
}

pub async fn what_the_history_refers_to_stays(_: &dyn Store, database: &Database) {
    let store = &*database.open_keeping(5);
    store.write_chunks(ChunkSet(1), 0, &[vec![1; 1_000], vec![2; 1_000]]).await.unwrap();
    store.put(&[chunked("a", b"a", NewPayload::Chunks(ChunkSet(1)))]).await.unwrap();
    store.put(&[entry("a", b"b", 1), remote("c", b"c"), remote("d", b"c")]).await.unwrap();
    trash(store, "c", Trash::Removed).await;
    // Nobody takes them, however he has come to think that he may.
    store.discard_chunks(ChunkSet(1)).await.unwrap();
    let old = database.kind.hours_ago(50);
    database.run(&format!("UPDATE image_cache_chunk SET created_at = {old}")).await;
    assert_eq!(store.sweep_chunks().await.unwrap(), 0);
    assert_eq!(chunk_rows(database).await, 2);
    store.remove(&[id(store, "d").await]).await.unwrap();
    for capitals in [false, true] {
        if capitals {
            database.run("UPDATE image_cache_history SET sha256 = upper(sha256)").await;
            store.loosen(&[(Digest::of(b"c"), url(b"c"))]).await.unwrap();
        }
        let loose = store.loose(10).await.unwrap().remove(0);
        assert_eq!(store.begin_removal(&loose).await.unwrap(), Removal::Referred);
    }
    assert_eq!(store.loose(10).await.unwrap(), []);
    // A content that goes on under another path does not need the trash.
    store.put(&[remote("d", b"c")]).await.unwrap();
    assert_eq!(
        store.purge(Duration::ZERO, Duration::ZERO).await.unwrap(),
        Purged { versions: 1, trashed: 1 }
    );
    assert_eq!(chunk_rows(database).await, 0);
    let loose = store.loose(10).await.unwrap().remove(0);
    assert_eq!(store.begin_removal(&loose).await.unwrap(), Removal::Referred);
    store.close().await;
}

pub async fn a_purge_goes_by_age(_: &dyn Store, database: &Database) {
    let store = &*database.open_keeping(5);
    let batch = |bytes: &'static [u8], name: char| -> Vec<NewEntry> {
        (0..30).map(|n| entry(&format!("{name}{n}"), bytes, 1)).collect()
    };
    for name in ['v', 't'] {
        store.put(&batch(b"1", name)).await.unwrap();
        store.put(&batch(b"2", name)).await.unwrap();
    }
    let ids: Vec<Leaving> = listed(store)
        .await
        .iter()
        .filter(|entry| entry.original_path.starts_with('t'))
        .map(|entry| entry.id.into())
        .collect();
    assert_eq!(store.trash(&ids, Trash::Deleted).await.unwrap(), 30);
    let nothing = Purged::default();
    assert_eq!(store.purge(HOUR, HOUR).await.unwrap(), nothing);
    assert_eq!(store.purge(Duration::MAX, Duration::MAX).await.unwrap(), nothing);
    let old = database.kind.hours_ago(3);
    let sql = "UPDATE image_cache_history SET ended_at =";
    database.run(&format!("{sql} {old} WHERE original_path NOT IN ('v7', 't7')")).await;
    assert_eq!(store.purge(4 * HOUR, 4 * HOUR).await.unwrap(), nothing);
    let both = Purged { versions: 58, trashed: 29 };
    assert_eq!(store.purge(2 * HOUR, 4 * HOUR).await.unwrap(), Purged { trashed: 0, ..both });
    assert_eq!(store.purge(4 * HOUR, 2 * HOUR).await.unwrap(), Purged { versions: 0, ..both });
    assert_eq!(versions(store, "v7").await.len(), 1);
    assert_eq!(versions(store, "t7").await.len(), 2);
    assert_eq!(index(store).await.len(), 30);
    store.close().await;
}

pub async fn the_history_is_listed_newest_first(_: &dyn Store, database: &Database) {
    let store = &*database.open_keeping(5);
    assert_eq!(store.history_totals().await.unwrap(), HistoryTotals::default());
    let batch: Vec<_> = (0..5).map(|n| entry(&format!("{n}.jpg"), b"one", 1)).collect();
    store.put(&batch).await.unwrap();
    store.put(&[remote("3.jpg", b"four")]).await.unwrap();
    for n in 0..4 {
        trash(store, &format!("{n}.jpg"), Trash::Removed).await;
    }
    let paths = async |query: &HistoryQuery| -> (Vec<String>, Option<i64>) {
        let page = store.history(query).await.unwrap();
        (page.versions.into_iter().map(|it| it.entry.original_path).collect(), page.next)
    };
    let all = HistoryQuery::default();
    let trash = HistoryQuery { which: Which::Trash, ..all.clone() };
    assert_eq!(paths(&all).await.0, ["3.jpg", "2.jpg", "1.jpg", "0.jpg", "3.jpg"]);
    assert_eq!(paths(&trash).await.0, ["3.jpg", "2.jpg", "1.jpg", "0.jpg"]);
    let versions = HistoryQuery { which: Which::Versions, ..all.clone() };
    assert_eq!(paths(&versions).await.0, ["3.jpg"]);
    let first = HistoryQuery { limit: Some(3), ..trash.clone() };
    let (page, next) = paths(&first).await;
    assert_eq!(page, ["3.jpg", "2.jpg", "1.jpg"]);
    let (page, next) = paths(&HistoryQuery { after: next, ..first }).await;
    assert_eq!((page, next), (vec!["0.jpg".to_owned()], None));
    let search = HistoryQuery { search: Some("2.j".into()), ..trash.clone() };
    assert_eq!(paths(&search).await.0, ["2.jpg"]);
    let of_path = HistoryQuery { path: Some(path("1.jpg")), ..trash };
    assert_eq!(paths(&of_path).await.0, ["1.jpg"]);
    let by_url = HistoryQuery { payload: Some(PayloadKind::Url), ..all.clone() };
    assert_eq!(paths(&by_url).await.0, ["3.jpg"]);
    let totals = store.history_totals().await.unwrap();
    let expected = HistoryTotals { versions: 1, version_bytes: 3, trashed: 4, trashed_bytes: 13 };
    assert_eq!(totals, expected);
    // What others have written hides no neighbour.
    database.run("UPDATE image_cache_history SET why = 'whim' WHERE original_path = '2.jpg'").await;
    assert_eq!(paths(&all).await.0, ["3.jpg", "1.jpg", "0.jpg", "3.jpg"]);
    store.close().await;
}

/// The first seconds of 2020, as the database writes them.
fn second(database: &Database, n: i64) -> String {
    let zone = match database.kind {
        Kind::Postgres | Kind::PgBouncer => "+00",
        Kind::Sqlite | Kind::MariaDb => "",
    };
    format!("'2020-01-01 00:00:{n:02}.000000{zone}'")
}

pub async fn a_past_state_is_told_as_far_as_it_is_known(_: &dyn Store, database: &Database) {
    let store = &*database.open_keeping(5);
    let end = async |table: &str, which: &[u8], columns: &[(&str, i64)]| {
        let set: Vec<_> = columns
            .iter()
            .map(|(column, at)| format!("{column} = {}", second(database, *at)))
            .collect();
        let digest = Digest::of(which);
        let sql = format!("UPDATE {table} SET {} WHERE sha256 = '{digest}'", set.join(", "));
        database.run(&sql).await;
    };
    // Seconds 10 to 20 "a1", then "a2". From 15 to 30 "b". From 12 on "c", of which only the content since
    // 25 is kept.
    store.put(&[entry("a", b"a1", 1), entry("b", b"b", 1), entry("c", b"c", 1)]).await.unwrap();
    store.put(&[entry("a", b"a2", 1)]).await.unwrap();
    trash(store, "b", Trash::Deleted).await;
    let history = "image_cache_history";
    end(history, b"a1", &[("created_at", 10), ("updated_at", 10), ("ended_at", 20)]).await;
    end("image_cache", b"a2", &[("created_at", 10), ("updated_at", 20)]).await;
    end(history, b"b", &[("created_at", 15), ("updated_at", 15), ("ended_at", 30)]).await;
    end("image_cache", b"c", &[("created_at", 12), ("updated_at", 25)]).await;
    let then = async |second: i64| -> HashMap<String, Option<Digest>> {
        let mut state = HashMap::new();
        let time = Timestamp((1_577_836_800 + second) * 1_000_000);
        let mut each = |past: Past| {
            let content = past.content.map(|content| content.sha256.parse().unwrap());
            assert!(state.insert(past.original_path, content).is_none());
        };
        store.state_at(time, &mut each).await.unwrap();
        state
    };
    let state = |rows: &[(&str, Option<&[u8]>)]| -> HashMap<String, Option<Digest>> {
        rows.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.map(Digest::of))).collect()
    };
    assert_eq!(then(9).await, state(&[]));
    assert_eq!(then(10).await, state(&[("a", Some(b"a1"))]));
    assert_eq!(then(14).await, state(&[("a", Some(b"a1")), ("c", None)]));
    assert_eq!(then(19).await, state(&[("a", Some(b"a1")), ("b", Some(b"b")), ("c", None)]));
    assert_eq!(then(20).await, state(&[("a", Some(b"a2")), ("b", Some(b"b")), ("c", None)]));
    assert_eq!(then(29).await, state(&[("a", Some(b"a2")), ("b", Some(b"b")), ("c", Some(b"c"))]));
    assert_eq!(then(30).await, state(&[("a", Some(b"a2")), ("c", Some(b"c"))]));
    // It says where each content is to be read.
    let mut rows = Vec::new();
    let time = Timestamp((1_577_836_800 + 29) * 1_000_000);
    store.state_at(time, &mut |past| rows.push((past.original_path, past.content))).await.unwrap();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    let rows: Vec<_> = rows.into_iter().map(|(_, content)| content.unwrap().row).collect();
    assert_eq!(rows[0], PastRow::Entry(id(store, "a").await));
    assert_eq!(rows[1], PastRow::Version(versions(store, "b").await[0].entry.id));
    // A delete that is taken back has never been.
    store.undelete(&[path("b")]).await.unwrap();
    assert_eq!(then(31).await["b"], Some(Digest::of(b"b")));
    store.close().await;
}
