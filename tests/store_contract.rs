//! The contract of the store: one suite, held against every database it runs on.

mod support;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use imagecached::model::entry::{ChunkSet, IndexRow, NewEntry, NewPayload, PayloadKind};
use imagecached::model::{Digest, FileStat, UploadPath, base64};
use imagecached::store::{
    self, FetchedPayload, ListQuery, Options, Sort, Store, StoreError, Stored, Target, Totals,
    Touch, Trouble,
};
use sqlx::{ConnectOptions, Executor};
use support::database::{Database, Kind};

/// Makes a test of every case for every database.
macro_rules! contract {
    (@on $module:ident, $kind:expr, $($case:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let database = Database::fresh($kind).await;
                    let store = database.open();
                    store.migrate().await.unwrap();
                    super::$case(&*store, &database).await;
                    store.close().await;
                    database.remove().await;
                }
            )*
        }
    };
    ($($case:ident)*) => {
        contract!(@on sqlite, Kind::Sqlite, $($case)*);
        contract!(@on postgres, Kind::Postgres, $($case)*);
        contract!(@on pgbouncer, Kind::PgBouncer, $($case)*);
        contract!(@on mariadb, Kind::MariaDb, $($case)*);
    };
}

contract! {
    migrating_again_changes_nothing
    eight_may_migrate_at_once
    missing_tables_are_told
    a_newer_schema_is_refused
    every_byte_comes_back
    an_empty_file_has_data
    five_mebibytes_fit_into_a_row
    a_batch_of_300_is_stored_and_indexed_newest_first
    the_same_content_is_not_written
    changed_content_replaces
    a_touch_changes_the_look_only
    chunks_are_written_read_and_discarded
    one_chunk_comes_with_its_entry
    replaced_chunks_are_removed
    a_set_that_is_not_needed_is_removed
    old_sets_without_entry_are_swept
    odd_paths_are_told_apart
    lists_are_filtered_and_sorted
    totals_count
    removing_takes_the_chunks_too
    two_instances_may_store_the_same_paths
    a_cut_connection_is_replaced
    the_database_tells_about_itself
    an_owner_is_kept_until_another_is_given
    access_is_noted
    a_refused_value_is_told_and_the_rest_can_be_stored
}

fn path(text: &str) -> UploadPath {
    UploadPath::parse(text).unwrap()
}

fn entry(at: &str, bytes: &[u8], mtime_ns: i64) -> NewEntry {
    NewEntry {
        path: path(at),
        owner: None,
        mime: "image/jpeg".into(),
        sha256: Digest::of(bytes),
        stat: FileStat { size: bytes.len() as u64, mtime_ns, ctime_ns: 0, inode: 1, mode: 0o640 },
        payload: NewPayload::Inline(base64::encode(bytes)),
    }
}

fn chunked(at: &str, bytes: &[u8], payload: NewPayload) -> NewEntry {
    NewEntry { payload, ..entry(at, bytes, 1) }
}

/// Bytes that no two seeds share.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

async fn index(store: &dyn Store) -> Vec<IndexRow> {
    let mut rows = Vec::new();
    store.index(&mut |row| rows.push(row)).await.unwrap();
    rows
}

async fn stored(store: &dyn Store, at: &str) -> Stored {
    let found = store.stored(&[path(at)]).await.unwrap();
    found.get(&path(at)).unwrap_or_else(|| panic!("{at} is not stored")).clone()
}

/// The bytes of every entry, read back the way a restore does it.
async fn contents(store: &dyn Store) -> HashMap<String, Vec<u8>> {
    let ids: Vec<i64> = index(store).await.iter().map(|row| row.id).collect();
    let mut read = HashMap::new();
    let mut sets = Vec::new();
    store
        .fetch(&ids, &mut |fetched| {
            let mut bytes = Vec::new();
            match fetched.payload {
                FetchedPayload::Inline(text) => base64::decode_into(text, &mut bytes).unwrap(),
                FetchedPayload::OneChunk(chunk) => bytes = chunk.to_vec(),
                FetchedPayload::Chunks(set) => sets.push((fetched.original_path.to_owned(), set)),
                FetchedPayload::Url(_) | FetchedPayload::None => panic!("no payload"),
            }
            read.insert(fetched.original_path.to_owned(), bytes);
        })
        .await
        .unwrap();
    for (at, set) in sets {
        let mut bytes = Vec::new();
        for seq in 0.. {
            match store.read_chunk(set, seq).await.unwrap() {
                Some(chunk) => bytes.extend(chunk),
                None => break,
            }
        }
        read.insert(at, bytes);
    }
    read
}

async fn chunk_rows(database: &Database) -> i64 {
    database.numbers("SELECT count(*) FROM image_cache_chunk").await[0]
}

async fn migrating_again_changes_nothing(store: &dyn Store, _: &Database) {
    let (before, after) = store.migrate().await.unwrap();
    assert_eq!(before, after);
    assert!(after >= 1);
    store.check().await.unwrap();
}

async fn eight_may_migrate_at_once(_: &dyn Store, database: &Database) {
    for table in ["image_cache", "image_cache_chunk", "imagecached_schema"] {
        database.run(&format!("DROP TABLE {table}")).await;
    }
    let stores: Vec<Arc<dyn Store>> = (0..8).map(|_| database.open()).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for store in stores {
        tasks.spawn(async move {
            let versions = store.migrate().await;
            store.close().await;
            versions
        });
    }
    let all: Vec<_> = tasks.join_all().await.into_iter().map(Result::unwrap).collect();
    assert_eq!(all.iter().filter(|(before, _)| *before == 0).count(), 1, "{all:?}");
}

async fn missing_tables_are_told(store: &dyn Store, database: &Database) {
    for table in ["image_cache", "image_cache_chunk", "imagecached_schema"] {
        database.run(&format!("DROP TABLE {table}")).await;
    }
    let error = store.check().await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Schema, "{error}");
    assert!(error.to_string().contains("imagecached migrate"), "{error}");
    let error = store.put(&[entry("a", b"a", 1)]).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Schema, "{error}");
}

async fn a_newer_schema_is_refused(store: &dyn Store, database: &Database) {
    let when = match database.kind {
        Kind::MariaDb => "utc_timestamp(6)",
        _ => "CURRENT_TIMESTAMP",
    };
    database
        .run(&format!("INSERT INTO imagecached_schema (version, applied_at) VALUES (99, {when})"))
        .await;
    let refused: [StoreError; 2] =
        [store.check().await.unwrap_err(), store.migrate().await.unwrap_err()];
    for error in refused {
        assert_eq!(error.trouble, Trouble::Schema);
        assert!(error.to_string().contains("version 99"), "{error}");
    }
}

async fn every_byte_comes_back(store: &dyn Store, _: &Database) {
    let all: Vec<u8> = (0..=255).cycle().take(1_000).collect();
    store.put(&[entry("a/b.jpg", &all, -5)]).await.unwrap();
    assert_eq!(contents(store).await, HashMap::from([("a/b.jpg".to_owned(), all.clone())]));
    let row = stored(store, "a/b.jpg").await;
    assert_eq!(row.sha256, Some(Digest::of(&all)));
    assert_eq!((row.mtime_ns, row.mode, row.payload), (-5, 0o640, PayloadKind::Inline));
    let rows = index(store).await;
    assert_eq!((rows[0].file_size, rows[0].mtime_ns), (1_000, -5));
    assert!(rows[0].has_data && !rows[0].access_is_old);
    assert!(store.stored(&[path("nothing")]).await.unwrap().is_empty());
    store.fetch(&[rows[0].id + 1], &mut |_| panic!("nothing is there")).await.unwrap();
}

async fn an_empty_file_has_data(store: &dyn Store, _: &Database) {
    store.put(&[entry("empty", b"", 1)]).await.unwrap();
    assert_eq!(stored(store, "empty").await.payload, PayloadKind::Inline);
    assert!(index(store).await[0].has_data);
    let none = chunked("none", b"", NewPayload::OneChunk(ChunkSet(3), Vec::new()));
    store.put(&[none]).await.unwrap();
    assert!(contents(store).await.values().all(Vec::is_empty));
}

async fn five_mebibytes_fit_into_a_row(store: &dyn Store, _: &Database) {
    let bytes = noise(5, 5 << 20);
    store.put(&[entry("large.jpg", &bytes, 1), entry("small.jpg", b"s", 1)]).await.unwrap();
    assert!(contents(store).await["large.jpg"] == bytes);
}

async fn a_batch_of_300_is_stored_and_indexed_newest_first(store: &dyn Store, _: &Database) {
    let old: Vec<_> = (0..300).map(|n| entry(&format!("old/{n}"), &noise(n, 500), 1)).collect();
    store.put(&old).await.unwrap();
    store.put(&[entry("new", b"new", 1)]).await.unwrap();
    let rows = index(store).await;
    assert_eq!(rows.len(), 301);
    assert_eq!(rows[0].original_path, "new");
    let order: Vec<_> = rows.iter().map(|row| (row.updated_at, row.id)).collect();
    assert!(order.is_sorted_by(|a, b| a > b));
    let read = contents(store).await;
    assert!((0..300).all(|n| read[&format!("old/{n}")] == noise(n, 500)));
    let paths: Vec<_> = old.iter().map(|entry| entry.path.clone()).collect();
    assert_eq!(store.stored(&paths).await.unwrap().len(), 300);
}

async fn the_same_content_is_not_written(store: &dyn Store, database: &Database) {
    // What changes with every write: the transaction that wrote the row, or a counting trigger.
    let mark = match database.kind {
        Kind::Postgres | Kind::PgBouncer => "SELECT xmin::text::bigint FROM image_cache",
        Kind::Sqlite | Kind::MariaDb => "SELECT count(*) FROM writes",
    };
    match database.kind {
        Kind::Postgres | Kind::PgBouncer => {}
        Kind::Sqlite => {
            database.run("CREATE TABLE writes (n INTEGER)").await;
            database
                .run(
                    "CREATE TRIGGER counting AFTER UPDATE ON image_cache
                    BEGIN INSERT INTO writes VALUES (1); END",
                )
                .await;
        }
        Kind::MariaDb => {
            database.run("CREATE TABLE writes (n INTEGER)").await;
            database
                .run(
                    "CREATE TRIGGER counting AFTER UPDATE ON image_cache
                    FOR EACH ROW INSERT INTO writes VALUES (1)",
                )
                .await;
        }
    }
    store.put(&[entry("a", b"one", 1)]).await.unwrap();
    let before = (database.numbers(mark).await, store.list(&ListQuery::default()).await.unwrap());
    store.put(&[entry("a", b"one", 1)]).await.unwrap();
    let after = (database.numbers(mark).await, store.list(&ListQuery::default()).await.unwrap());
    assert_eq!(before, after);
    store.put(&[entry("a", b"two", 1)]).await.unwrap();
    assert_ne!(database.numbers(mark).await, before.0, "the mark marks nothing");
}

async fn changed_content_replaces(store: &dyn Store, database: &Database) {
    store.put(&[entry("a", b"one", 1)]).await.unwrap();
    for column in ["created_at", "updated_at", "last_accessed"] {
        database.run(&format!("UPDATE image_cache SET {column} = '2020-01-02 03:04:05'")).await;
    }
    let before = store.list(&ListQuery::default()).await.unwrap().remove(0);
    store.put(&[entry("a", b"longer", 2)]).await.unwrap();
    let after = store.list(&ListQuery::default()).await.unwrap().remove(0);
    assert_eq!((after.id, after.created_at), (before.id, before.created_at));
    assert!(after.updated_at > before.updated_at && after.last_accessed > before.last_accessed);
    assert_eq!((after.file_size, after.mtime_ns), (6, 2));
    assert_eq!(contents(store).await["a"], b"longer");
}

async fn a_touch_changes_the_look_only(store: &dyn Store, _: &Database) {
    store.put(&[entry("a", b"one", 1), entry("b", b"two", 1)]).await.unwrap();
    let before = store.list(&ListQuery::default()).await.unwrap();
    let touches = [
        Touch { path: path("a"), mtime_ns: 7, mode: 0o600 },
        Touch { path: path("gone"), mtime_ns: 7, mode: 0o600 },
    ];
    store.touch(&touches).await.unwrap();
    store.put(&[entry("b", b"two", 9)]).await.unwrap();
    let after = store.list(&ListQuery::default()).await.unwrap();
    assert_eq!(after.len(), 2);
    assert_eq!((after[0].mtime_ns, after[0].mode), (7, 0o600));
    assert_eq!((after[1].mtime_ns, after[1].mode), (9, 0o640));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.updated_at, after.updated_at);
        assert_eq!(before.sha256, after.sha256);
    }
    store.touch(&[]).await.unwrap();
    store.put(&[]).await.unwrap();
    assert_eq!(contents(store).await["b"], b"two");
}

async fn chunks_are_written_read_and_discarded(store: &dyn Store, database: &Database) {
    let (set, bytes) = (ChunkSet(i64::MIN), noise(1, 1 << 20));
    store.write_chunk(set, 0, b"other").await.unwrap();
    for seq in 0..20 {
        store.write_chunk(set, seq, &bytes[..1000 * (1 + seq as usize)]).await.unwrap();
    }
    store.write_chunk(set, 1, &bytes).await.unwrap();
    store.write_chunk(ChunkSet(5), 0, b"kept").await.unwrap();
    assert_eq!(store.read_chunk(set, 0).await.unwrap().unwrap(), &bytes[..1000]);
    assert!(store.read_chunk(set, 1).await.unwrap().unwrap() == bytes);
    assert_eq!(store.read_chunk(set, 20).await.unwrap(), None);
    store.discard_chunks(set).await.unwrap();
    assert_eq!(chunk_rows(database).await, 1);
    assert_eq!(store.read_chunk(ChunkSet(5), 0).await.unwrap().unwrap(), b"kept");
}

async fn one_chunk_comes_with_its_entry(store: &dyn Store, database: &Database) {
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
    for seq in 0..chunks {
        store.write_chunk(set, seq, &noise(u64::from(seq), 1000)).await.unwrap();
    }
}

async fn replaced_chunks_are_removed(store: &dyn Store, database: &Database) {
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

async fn a_set_that_is_not_needed_is_removed(store: &dyn Store, database: &Database) {
    write_set(store, ChunkSet(1), 2).await;
    store.put(&[chunked("a", b"a", NewPayload::Chunks(ChunkSet(1)))]).await.unwrap();
    write_set(store, ChunkSet(2), 2).await;
    store.put(&[chunked("a", b"a", NewPayload::Chunks(ChunkSet(2)))]).await.unwrap();
    assert_eq!(stored(store, "a").await.chunk_set, Some(ChunkSet(1)));
    assert_eq!(chunk_rows(database).await, 2);
}

async fn old_sets_without_entry_are_swept(store: &dyn Store, database: &Database) {
    write_set(store, ChunkSet(1), 2).await;
    store.put(&[chunked("a", b"a", NewPayload::Chunks(ChunkSet(1)))]).await.unwrap();
    write_set(store, ChunkSet(2), 20).await;
    let old = match database.kind {
        Kind::Sqlite => "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-25 hours')",
        Kind::Postgres | Kind::PgBouncer => "now() - interval '25 hours'",
        Kind::MariaDb => "utc_timestamp(6) - interval 25 hour",
    };
    database.run(&format!("UPDATE image_cache_chunk SET created_at = {old}")).await;
    write_set(store, ChunkSet(3), 1).await;
    assert_eq!(store.sweep_chunks().await.unwrap(), 1);
    assert_eq!(chunk_rows(database).await, 3);
    assert_eq!(store.sweep_chunks().await.unwrap(), 0);
}

async fn odd_paths_are_told_apart(store: &dyn Store, _: &Database) {
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

async fn lists_are_filtered_and_sorted(store: &dyn Store, database: &Database) {
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

async fn totals_count(store: &dyn Store, _: &Database) {
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

async fn removing_takes_the_chunks_too(store: &dyn Store, database: &Database) {
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

async fn two_instances_may_store_the_same_paths(store: &dyn Store, database: &Database) {
    let other = database.open();
    for round in 0..50_u64 {
        let batch = |seed: u64, backwards: bool| {
            let mut batch: Vec<_> = (0..12)
                .map(|n| entry(&format!("{}/{n}", round % 7), &noise(seed + n, 200), 1))
                .collect();
            if backwards {
                batch.reverse();
            }
            batch
        };
        let (ours, theirs) = (batch(round * 100, false), batch(round * 100 + 50, true));
        let (one, two) = tokio::join!(store.put(&ours), other.put(&theirs));
        one.unwrap();
        two.unwrap();
    }
    other.close().await;
    let rows = index(store).await;
    assert_eq!(rows.len(), 7 * 12);
    assert_eq!(rows.iter().map(|row| &row.original_path).collect::<HashSet<_>>().len(), 84);
    for (at, bytes) in contents(store).await {
        assert_eq!(stored(store, &at).await.sha256, Some(Digest::of(&bytes)), "{at}");
    }
}

async fn a_cut_connection_is_replaced(store: &dyn Store, database: &Database) {
    if database.kind == Kind::Sqlite {
        // A file has no connection that anybody could cut.
        return;
    }
    let (one, two) = (entry("one", b"1", 1), entry("two", b"2", 1));
    let (first, second) =
        tokio::join!(store.put(std::slice::from_ref(&one)), store.put(std::slice::from_ref(&two)));
    first.and(second).unwrap();
    for round in 0..3 {
        database.cut_connections().await;
        let text = format!("after {round}");
        store.put(&[entry(&text, text.as_bytes(), 1)]).await.unwrap();
        database.cut_connections().await;
        assert_eq!(index(store).await.len(), 3 + round);
        database.cut_connections().await;
        assert_eq!(contents(store).await[&text], text.as_bytes());
    }
}

async fn the_database_tells_about_itself(store: &dyn Store, database: &Database) {
    let facts = store.facts().await.unwrap();
    assert_eq!(facts.schema.0, Some(facts.schema.1));
    let version = facts.version.split_once(' ').expect("product and version");
    assert!(store.product().contains(version.0), "{version:?}");
    assert!(facts.missing_rights.is_empty(), "{:?}", facts.missing_rights);
    assert_eq!(facts.pooled, database.kind == Kind::PgBouncer);
    assert!(facts.utf8 && !facts.read_only);
    assert_eq!(facts.max_packet.is_some(), database.kind == Kind::MariaDb);
    assert_eq!(facts.journal, if database.kind == Kind::Sqlite { "wal" } else { "" });
    if let Some((used, allowed)) = facts.connections {
        assert!(used >= 1 && used <= allowed, "{used} of {allowed}");
    }
}

async fn an_owner_is_kept_until_another_is_given(store: &dyn Store, _: &Database) {
    let owner = |kind: &str, id: &str| Some((kind.to_owned(), id.to_owned()));
    let listed = async || {
        let entry = store.list(&ListQuery::default()).await.unwrap().remove(0);
        (entry.content_type, entry.object_id)
    };
    store
        .put(&[NewEntry { owner: owner("shop.product", "7"), ..entry("a", b"a", 1) }])
        .await
        .unwrap();
    store.put(&[entry("a", b"b", 1)]).await.unwrap();
    assert_eq!(Some(listed().await), owner("shop.product", "7"));
    // The content is the same, the owner is not.
    store
        .put(&[NewEntry { owner: owner("shop.offer", "8"), ..entry("a", b"b", 1) }])
        .await
        .unwrap();
    assert_eq!(Some(listed().await), owner("shop.offer", "8"));
}

async fn access_is_noted(store: &dyn Store, database: &Database) {
    store.put(&[entry("a", b"a", 1), entry("b", b"b", 1)]).await.unwrap();
    let old = match database.kind {
        Kind::Sqlite => "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-25 hours')",
        Kind::Postgres | Kind::PgBouncer => "now() - interval '25 hours'",
        Kind::MariaDb => "utc_timestamp(6) - interval 25 hour",
    };
    database.run(&format!("UPDATE image_cache SET last_accessed = {old}")).await;
    assert!(index(store).await.iter().all(|row| row.access_is_old));
    store.accessed(&[path("a"), path("gone")]).await.unwrap();
    for row in index(store).await {
        assert_eq!(row.access_is_old, row.original_path == "b");
    }
}

/// PgBouncer gives a restarted client server connections on which its predecessor has worked, and
/// gives one client now this, now that one.
#[tokio::test]
async fn a_client_restarts_behind_pgbouncer() {
    let database = Database::fresh(Kind::PgBouncer).await;
    let stores: Vec<_> = (0..3).map(|_| database.open()).collect();
    stores[0].migrate().await.unwrap();
    for (round, store) in stores.iter().enumerate() {
        for step in 0..5 {
            let text = format!("{round}/{step}");
            let here = [entry(&text, text.as_bytes(), 1), entry("same", text.as_bytes(), 1)];
            let there = [entry(&format!("{text}/more"), text.as_bytes(), 1)];
            let (here, there) = tokio::join!(store.put(&here), store.put(&there));
            here.and(there).unwrap();
            assert_eq!(contents(&**store).await["same"], text.as_bytes());
        }
        store.check().await.unwrap();
        store.close().await;
    }
    database.remove().await;
}

#[tokio::test]
async fn errors_name_the_place_and_no_password() {
    for (target, place) in [
        ("postgres://someone:geheim@127.0.0.1:1/none", "127.0.0.1:1"),
        ("postgres://someone:geheim@name.invalid:5432/none", "name.invalid:5432"),
        ("postgres://someone:geheim@[::1/none", "check DATABASE_URL"),
    ] {
        errors_name(Target::Postgres(target.to_owned()), place).await;
        errors_name(Target::MySql(target.replace("postgres", "mysql")), place).await;
    }
}

async fn errors_name(target: Target, place: &str) {
    let options = Options { connections: 1, acquire_timeout: Duration::from_secs(1) };
    let error = match store::open(&target, &options) {
        Ok(store) => store.check().await.unwrap_err(),
        Err(error) => error,
    };
    let text = format!("{error} {error:?}");
    assert!(text.contains(place), "{text}");
    assert!(!text.contains("geheim"), "{text}");
    assert!(!format!("{target:?}").contains("geheim"));
}

async fn app_file() -> (Database, sqlx::sqlite::SqliteConnection) {
    let database = Database::fresh(Kind::Sqlite).await;
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(database.file())
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(5));
    let mut app = options.connect().await.unwrap();
    app.execute("CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT)").await.unwrap();
    (database, app)
}

#[tokio::test]
async fn the_apps_own_sqlite_file_keeps_its_journal_and_its_turns() {
    let (database, mut app) = app_file().await;
    let store = database.open();
    store.migrate().await.unwrap();
    assert_eq!(store.facts().await.unwrap().journal, "delete");
    assert_eq!(database.numbers("PRAGMA page_size").await, [4_096]);
    assert_eq!(store.totals().await.unwrap().database_bytes, None);

    let ours = Arc::clone(&store);
    let putting = tokio::spawn(async move {
        for batch in 0..20_u64 {
            let batch: Vec<_> = (0..10)
                .map(|n| entry(&format!("{batch}/{n}"), &noise(batch * 10 + n, 100_000), 1))
                .collect();
            ours.put(&batch).await.unwrap();
        }
    });
    let mut written = 0;
    while !putting.is_finished() {
        // Fails when it is kept waiting for longer than Django would wait.
        app.execute("INSERT INTO product (name) VALUES ('shoe')").await.unwrap();
        written += 1;
        tokio::task::yield_now().await;
    }
    putting.await.unwrap();
    assert!(written >= 2, "the app wrote {written} times while 200 files were stored");
    assert_eq!(contents(&*store).await.len(), 200);
    store.close().await;
}

#[tokio::test]
async fn a_write_waits_for_the_apps_and_then_says_busy() {
    let (database, mut app) = app_file().await;
    let store = database.open();
    store.migrate().await.unwrap();
    app.execute("BEGIN IMMEDIATE").await.unwrap();
    let error = store.put(&[entry("a", b"a", 1)]).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Busy, "{error}");
    app.execute("COMMIT").await.unwrap();
    store.put(&[entry("a", b"a", 1)]).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn an_sqlite_file_of_ours_has_a_log_and_large_pages() {
    let database = Database::fresh(Kind::Sqlite).await;
    let store = database.open();
    let missing = store.check().await.unwrap_err();
    assert_eq!(missing.trouble, Trouble::Schema, "{missing}");
    assert!(!database.file().exists(), "a check has made the file");
    store.migrate().await.unwrap();
    assert_eq!(database.numbers("PRAGMA page_size").await, [16_384]);
    assert_eq!(store.facts().await.unwrap().journal, "wal");
    store.close().await;
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let target = Target::Sqlite("/nonexistent/deep/cache.sqlite3".into());
    let options = Options { connections: 2, acquire_timeout: Duration::from_secs(5) };
    let error = store::open(&target, &options).unwrap().migrate().await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/deep does not exist"), "{error}");
}

async fn a_refused_value_is_told_and_the_rest_can_be_stored(
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

#[tokio::test]
async fn a_value_beyond_the_packet_is_refused_with_its_cure() {
    let database = Database::fresh(Kind::MariaDb).await;
    let store = database.open();
    store.migrate().await.unwrap();
    let most = database.numbers("SELECT CAST(@@max_allowed_packet AS SIGNED)").await[0];
    let text = "A".repeat(usize::try_from(most).unwrap());
    let large = NewEntry { payload: NewPayload::Inline(text), ..entry("large", b"", 1) };
    let error = store.put(&[entry("a", b"a", 1), large]).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Value, "{error}");
    assert!(error.to_string().contains("raise max_allowed_packet to at least"), "{error}");
    store.put(&[entry("a", b"a", 1)]).await.unwrap();
    store.close().await;
    database.remove().await;
}
