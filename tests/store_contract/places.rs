//! What holds for a payload wherever it is kept.

use std::sync::atomic::{AtomicI64, Ordering};

use super::*;

/// Where a case keeps its payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Inline,
    OneChunk,
    Chunks,
    Url,
}

const PLACES: [Place; 4] = [Place::Inline, Place::OneChunk, Place::Chunks, Place::Url];

impl Place {
    pub fn kind(self) -> PayloadKind {
        match self {
            Self::Inline => PayloadKind::Inline,
            Self::OneChunk | Self::Chunks => PayloadKind::Chunks,
            Self::Url => PayloadKind::Url,
        }
    }

    /// A content that is as long as one that is kept here.
    pub fn bytes(self, seed: u64) -> Vec<u8> {
        noise(seed, if self == Self::Chunks { (1 << 20) + 1_000 } else { 1_000 })
    }

    /// The bytes as a payload, with the chunks that it refers to written.
    pub async fn payload(self, store: &dyn Store, bytes: &[u8]) -> NewPayload {
        static SETS: AtomicI64 = AtomicI64::new(1);
        let set = ChunkSet(SETS.fetch_add(1, Ordering::Relaxed));
        match self {
            Self::Inline => NewPayload::Inline(base64::encode(bytes)),
            Self::OneChunk => NewPayload::OneChunk(set, bytes.to_vec()),
            Self::Chunks => {
                let chunks: Vec<_> = bytes.chunks(1 << 20).map(<[u8]>::to_vec).collect();
                store.write_chunks(set, 0, &chunks).await.unwrap();
                NewPayload::Chunks(set)
            }
            Self::Url => NewPayload::Url(url(bytes)),
        }
    }

    pub async fn entry(self, store: &dyn Store, at: &str, bytes: &[u8], mtime_ns: i64) -> NewEntry {
        NewEntry { payload: self.payload(store, bytes).await, ..entry(at, bytes, mtime_ns) }
    }

    /// What [`contents`] reads where these bytes are stored.
    pub fn read_back(self, bytes: &[u8]) -> Vec<u8> {
        if self == Self::Url { url(bytes).into_bytes() } else { bytes.to_vec() }
    }
}

/// The rows of chunks that some bytes take here.
pub fn rows_of(place: Place, bytes: &[u8]) -> i64 {
    match place {
        Place::Inline | Place::Url => 0,
        Place::OneChunk => 1,
        Place::Chunks => i64::try_from(bytes.len().div_ceil(1 << 20)).unwrap(),
    }
}

/// No entry has a payload in a place that it does not tell, and nothing is left over of what is gone.
async fn nothing_is_left_over(database: &Database, chunk_rows_in_use: i64) {
    assert_eq!(chunk_rows(database).await, chunk_rows_in_use);
    let places = "SELECT count(*) FROM image_cache WHERE
        (CASE WHEN image_data IS NULL THEN 0 ELSE 1 END) + (CASE WHEN chunk_set IS NULL THEN 0 ELSE 1 END)
            + (CASE WHEN image_url = '' THEN 0 ELSE 1 END) <> 1";
    assert_eq!(database.numbers(places).await, [0]);
}

pub async fn every_byte_comes_back(store: &dyn Store, database: &Database, place: Place) {
    let all: Vec<u8> = (0..=255).cycle().take(place.bytes(1).len()).collect();
    store.put(&[place.entry(store, "a/b.jpg", &all, -5).await]).await.unwrap();
    let expected = HashMap::from([("a/b.jpg".to_owned(), place.read_back(&all))]);
    assert!(contents(store).await == expected);
    let row = stored(store, "a/b.jpg").await;
    assert_eq!(row.sha256, Some(Digest::of(&all)));
    assert_eq!((row.mtime_ns, row.mode, row.payload), (-5, 0o640, place.kind()));
    let rows = index(store).await;
    assert_eq!((rows[0].file_size, rows[0].mtime_ns), (all.len() as u64, -5));
    assert!(rows[0].has_data && !rows[0].access_is_old);
    assert!(store.stored(&[path("nothing")]).await.unwrap().is_empty());
    store.fetch(&[rows[0].id + 1], &mut |_| panic!("nothing is there")).await.unwrap();
    nothing_is_left_over(database, rows_of(place, &all)).await;
}

pub async fn the_same_content_is_not_written(store: &dyn Store, database: &Database, place: Place) {
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
    let (one, two) = (place.bytes(1), place.bytes(2));
    store.put(&[place.entry(store, "a", &one, 1).await]).await.unwrap();
    let before = (database.numbers(mark).await, store.list(&ListQuery::default()).await.unwrap());
    let again = store.put(&[place.entry(store, "a", &one, 1).await]).await.unwrap();
    assert_eq!(again, [false]);
    let after = (database.numbers(mark).await, store.list(&ListQuery::default()).await.unwrap());
    assert_eq!(before, after);
    assert_eq!(store.loose(10).await.unwrap(), []);
    nothing_is_left_over(database, rows_of(place, &one)).await;
    store.put(&[place.entry(store, "a", &two, 1).await]).await.unwrap();
    assert_ne!(database.numbers(mark).await, before.0, "the mark marks nothing");
}

pub async fn changed_content_replaces(store: &dyn Store, database: &Database, place: Place) {
    let (one, two) = (place.bytes(1), place.bytes(2));
    store.put(&[place.entry(store, "a", &one, 1).await]).await.unwrap();
    for column in ["created_at", "updated_at", "last_accessed"] {
        database.run(&format!("UPDATE image_cache SET {column} = '2020-01-02 03:04:05'")).await;
    }
    let before = store.list(&ListQuery::default()).await.unwrap().remove(0);
    store.put(&[place.entry(store, "a", &two[1..], 2).await]).await.unwrap();
    let after = store.list(&ListQuery::default()).await.unwrap().remove(0);
    assert_eq!((after.id, after.created_at), (before.id, before.created_at));
    assert!(after.updated_at > before.updated_at && after.last_accessed > before.last_accessed);
    assert_eq!((after.file_size, after.mtime_ns), (two.len() as u64 - 1, 2));
    assert!(contents(store).await["a"] == place.read_back(&two[1..]));
    nothing_is_left_over(database, rows_of(place, &two[1..])).await;
}

pub async fn a_touch_changes_the_look_only(store: &dyn Store, _: &Database, place: Place) {
    let (one, two) = (place.bytes(1), place.bytes(2));
    let both = [place.entry(store, "a", &one, 1).await, place.entry(store, "b", &two, 1).await];
    store.put(&both).await.unwrap();
    let before = store.list(&ListQuery::default()).await.unwrap();
    let touches = [
        Touch { path: path("a"), mtime_ns: 7, mode: 0o600 },
        Touch { path: path("gone"), mtime_ns: 7, mode: 0o600 },
    ];
    store.touch(&touches).await.unwrap();
    store.put(&[place.entry(store, "b", &two, 9).await]).await.unwrap();
    let after = store.list(&ListQuery::default()).await.unwrap();
    assert_eq!(after.len(), 2);
    assert_eq!((after[0].mtime_ns, after[0].mode), (7, 0o600));
    assert_eq!((after[1].mtime_ns, after[1].mode), (9, 0o640));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.updated_at, after.updated_at);
        assert_eq!(before.sha256, after.sha256);
        assert_eq!(before.chunk_set, after.chunk_set);
    }
    store.touch(&[]).await.unwrap();
    store.put(&[]).await.unwrap();
    assert!(contents(store).await["b"] == place.read_back(&two));
}

pub async fn an_owner_is_kept_until_another_is_given(
    store: &dyn Store,
    _: &Database,
    place: Place,
) {
    let owner = |kind: &str, id: &str| Some((kind.to_owned(), id.to_owned()));
    let listed = async || {
        let entry = store.list(&ListQuery::default()).await.unwrap().remove(0);
        (entry.content_type, entry.object_id)
    };
    let (one, two) = (place.bytes(1), place.bytes(2));
    let first = place.entry(store, "a", &one, 1).await;
    store.put(&[NewEntry { owner: owner("shop.product", "7"), ..first }]).await.unwrap();
    store.put(&[place.entry(store, "a", &two, 1).await]).await.unwrap();
    assert_eq!(Some(listed().await), owner("shop.product", "7"));
    // The content is the same, the owner is not.
    let same = place.entry(store, "a", &two, 1).await;
    store.put(&[NewEntry { owner: owner("shop.offer", "8"), ..same }]).await.unwrap();
    assert_eq!(Some(listed().await), owner("shop.offer", "8"));
}

pub async fn every_other_payload_takes_its_place(
    store: &dyn Store,
    database: &Database,
    place: Place,
) {
    let bytes = place.bytes(1);
    for other in PLACES {
        store.put(&[place.entry(store, "a", &bytes, 1).await]).await.unwrap();
        database.run("DELETE FROM image_cache_loose_object").await;
        let written = store.put(&[other.entry(store, "a", &bytes, 1).await]).await.unwrap();
        assert_eq!(written, [other.kind() != place.kind()], "{other:?}");
        let kept = if written[0] { other } else { place };
        assert!(contents(store).await["a"] == kept.read_back(&bytes), "{other:?}");
        assert_eq!(stored(store, "a").await.payload, other.kind());
        nothing_is_left_over(database, rows_of(kept, &bytes)).await;
        let loose = store.loose(10).await.unwrap();
        assert_eq!(!loose.is_empty(), place == Place::Url && other != Place::Url, "{other:?}");
    }
}

pub async fn a_payload_moves_and_all_else_stays(
    store: &dyn Store,
    database: &Database,
    place: Place,
) {
    let bytes = place.bytes(7);
    let owner = Some(("shop.product".to_owned(), "7".to_owned()));
    let listed = async || store.list(&ListQuery::default()).await.unwrap().remove(0);
    for other in PLACES {
        let first = place.entry(store, "a", &bytes, 77).await;
        store.put(&[NewEntry { owner: owner.clone(), rewrite: true, ..first }]).await.unwrap();
        for column in ["created_at", "updated_at", "last_accessed"] {
            database.run(&format!("UPDATE image_cache SET {column} = '2020-01-02 03:04:05'")).await;
        }
        database.run("DELETE FROM image_cache_loose_object").await;
        let before = listed().await;
        let from = match before.payload {
            PayloadKind::Inline => PayloadPlace::Inline,
            PayloadKind::Chunks => PayloadPlace::Chunks(before.chunk_set.unwrap()),
            PayloadKind::Url => PayloadPlace::Url(before.image_url.clone().unwrap()),
            PayloadKind::None => panic!("{before:?}"),
        };
        let to = other.payload(store, &bytes).await;
        let step = Relocation { id: before.id, sha256: Digest::of(&bytes), from, to };
        assert!(store.relocate(&step).await.unwrap(), "{other:?}");
        assert!(store.relocate(&step).await.unwrap(), "a second time: {other:?}");
        let mut after = listed().await;
        assert_eq!(after.payload, other.kind(), "{other:?}");
        assert!(contents(store).await["a"] == other.read_back(&bytes), "{other:?}");
        (after.payload, after.chunk_set) = (before.payload, before.chunk_set);
        after.image_url.clone_from(&before.image_url);
        assert_eq!(after, before, "{other:?}");
        nothing_is_left_over(database, rows_of(other, &bytes)).await;
        let loose = store.loose(10).await.unwrap();
        assert_eq!(!loose.is_empty(), place == Place::Url && other != Place::Url, "{other:?}");
    }
}

pub async fn removing_leaves_nothing(store: &dyn Store, database: &Database, place: Place) {
    let bytes: Vec<_> = (0..3).map(|seed| place.bytes(seed)).collect();
    for (at, bytes) in ["a", "b", "c"].into_iter().zip(&bytes) {
        store.put(&[place.entry(store, at, bytes, 1).await]).await.unwrap();
    }
    let ids = [id(store, "a").await, id(store, "b").await, 999_999];
    assert_eq!(store.remove(&ids).await.unwrap(), 2);
    assert_eq!(store.remove(&ids).await.unwrap(), 0);
    nothing_is_left_over(database, rows_of(place, &bytes[2])).await;
    let loose = store.loose(10).await.unwrap();
    assert_eq!(loose.len(), if place == Place::Url { 2 } else { 0 }, "{loose:?}");
    let left = contents(store).await;
    assert!(left == HashMap::from([("c".to_owned(), place.read_back(&bytes[2]))]));
    assert_eq!(store.remove(&[]).await.unwrap(), 0);
}

pub async fn two_instances_may_store_the_same_paths(
    store: &dyn Store,
    database: &Database,
    place: Place,
) {
    let other = database.open();
    // Chunks of a mebibyte are written by themselves: the rows of entries are what is fought about.
    let (rounds, entries) = if place == Place::Chunks { (3, 3) } else { (20, 12) };
    for round in 0..rounds {
        let batch = async |seed: u64, backwards: bool| {
            let mut batch = Vec::new();
            for n in 0..entries {
                let bytes = place.bytes(seed + n);
                batch.push(place.entry(store, &format!("{}/{n}", round % 3), &bytes, 1).await);
            }
            if backwards {
                batch.reverse();
            }
            batch
        };
        let (ours, theirs) = (batch(round * 100, false).await, batch(round * 100 + 50, true).await);
        let (one, two) = tokio::join!(store.put(&ours), other.put(&theirs));
        one.unwrap();
        two.unwrap();
    }
    other.close().await;
    let rows = index(store).await;
    assert_eq!(rows.len(), 3 * entries as usize);
    let paths: HashSet<_> = rows.iter().map(|row| &row.original_path).collect();
    assert_eq!(paths.len(), rows.len());
    for (at, bytes) in contents(store).await {
        let digest = stored(store, &at).await.sha256.unwrap();
        if place == Place::Url {
            assert!(bytes.ends_with(digest.to_string().as_bytes()), "{at}");
        } else {
            assert_eq!(digest, Digest::of(&bytes), "{at}");
        }
    }
}

pub async fn a_cut_connection_is_replaced(store: &dyn Store, database: &Database, place: Place) {
    if database.kind == Kind::Sqlite {
        // A file has no connection that anybody could cut.
        return;
    }
    let one = [place.entry(store, "one", &place.bytes(1), 1).await];
    let two = [place.entry(store, "two", &place.bytes(2), 1).await];
    let (first, second) = tokio::join!(store.put(&one), store.put(&two));
    first.and(second).unwrap();
    for round in 0..3 {
        let (at, bytes) = (format!("after {round}"), place.bytes(10 + round as u64));
        let new = [place.entry(store, &at, &bytes, 1).await];
        database.cut_connections().await;
        store.put(&new).await.unwrap();
        database.cut_connections().await;
        assert_eq!(index(store).await.len(), 3 + round);
        database.cut_connections().await;
        assert!(contents(store).await[&at] == place.read_back(&bytes));
    }
}

pub async fn paths_that_are_not_new_are_noticed_among_new_ones(
    _: &dyn Store,
    database: &Database,
    place: Place,
) {
    let keeping = database.open_keeping(2);
    let store = &*keeping;
    let bytes: Vec<_> = (900..904).map(|seed| place.bytes(seed)).collect();
    let batch = async |files: &[(&str, usize)]| {
        let mut batch = Vec::new();
        for &(at, content) in files {
            batch.push(place.entry(store, at, &bytes[content], 1).await);
        }
        store.put(&batch).await.unwrap()
    };
    // Where new paths only have come for a while, who stores need not expect others.
    for n in 0..3 {
        let (one, two) = (format!("{n}/one"), format!("{n}/two"));
        assert_eq!(batch(&[(&one, 0), (&two, 0)]).await, [true, true]);
    }
    let mixed = [("0/one", 1), ("0/two", 0), ("3/one", 2), ("4/one", 3), ("5/one", 3)];
    assert_eq!(batch(&mixed).await, [true, false, true, true, true]);
    assert_eq!(batch(&[("6/one", 0)]).await, [true]);
    assert_eq!(batch(&[("6/one", 0)]).await, [false]);
    assert_eq!(batch(&[("6/one", 1)]).await, [true]);
    let all = contents(store).await;
    assert_eq!(all.len(), 10);
    for (at, content) in mixed.into_iter().chain([("6/one", 1), ("2/two", 0)]) {
        assert!(all[at] == place.read_back(&bytes[content]), "{at}");
    }
    let former = store.versions(&path("0/one")).await.unwrap();
    assert_eq!(
        (former.len(), former[0].entry.sha256.clone()),
        (1, Digest::of(&bytes[0]).to_string())
    );
    store.close().await;
}
