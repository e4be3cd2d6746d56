//! The indexes of lists in PostgreSQL, which come once there are many entries.

use super::*;

const INDEXES: [&str; 6] = [
    "image_cache_accessed",
    "image_cache_created",
    "image_cache_lost",
    "image_cache_size",
    "image_cache_type",
    "image_cache_updated",
];

async fn indexes(database: &Database) -> i64 {
    let names = INDEXES.map(|name| format!("'{name}'")).join(", ");
    let sql = format!(
        "SELECT count(*) FROM pg_index WHERE indisvalid
        AND indexrelid::regclass::text IN ({names})"
    );
    database.numbers(&sql).await[0]
}

/// So many entries that lists want their indexes; with more columns, and what goes into them by the entry's `number`.
async fn fill(database: &Database, columns: &str, values: &str) {
    let sql = format!(
        "INSERT INTO image_cache (original_path{columns})
        SELECT repeat('directory/', 20) || number{values} FROM generate_series(1, 90000) AS number"
    );
    database.run(&sql).await;
}

#[tokio::test]
async fn lists_get_their_indexes_once_there_are_many_entries() {
    for kind in [Kind::Postgres, Kind::PgBouncer] {
        let database = Database::fresh(kind).await;
        let store = database.open();
        store.migrate().await.unwrap();
        store.put(&[entry("a", b"a", 1)]).await.unwrap();
        store.migrate().await.unwrap();
        assert_eq!(indexes(&database).await, 0, "{kind:?}: few entries do without");
        fill(&database, ", file_size, mtime_ns", ", number, number").await;
        let other = database.open();
        let (done, beside) = tokio::join!(store.migrate(), other.migrate());
        assert_eq!((done.unwrap(), beside.unwrap()), ((6, 6), (6, 6)), "{kind:?}");
        assert_eq!(indexes(&database).await, INDEXES.len() as i64, "{kind:?}");
        for sort in [Sort::Size, Sort::Created, Sort::Updated, Sort::Accessed] {
            let query = ListQuery { sort, limit: Some(3), ..ListQuery::default() };
            assert_eq!(store.list(&query).await.unwrap().len(), 3, "{kind:?}, {sort:?}");
        }
        other.close().await;
        store.close().await;
        database.remove().await;
    }
}

#[tokio::test]
async fn nobody_waits_long_for_the_indexes_of_lists() {
    let database = Database::fresh(Kind::Postgres).await;
    let store = database.open();
    store.migrate().await.unwrap();
    fill(&database, "", "").await;
    let transaction = database.open_transaction().await;
    let transaction = transaction.run("LOCK TABLE image_cache IN ROW EXCLUSIVE MODE").await;
    assert_eq!(store.migrate().await.unwrap(), (6, 6), "who starts is not kept from it");
    assert_eq!(indexes(&database).await, 0);
    transaction.commit().await;
    store.migrate().await.unwrap();
    assert_eq!(indexes(&database).await, INDEXES.len() as i64);
    store.close().await;
    database.remove().await;
}

#[tokio::test]
async fn a_search_reads_an_index_of_trigrams_where_there_is_one() {
    let database = Database::fresh(Kind::Postgres).await;
    let store = database.open();
    store.migrate().await.unwrap();
    fill(&database, "", "").await;
    // As the README says, but for CONCURRENTLY: nobody else is there.
    database.run("CREATE EXTENSION pg_trgm").await;
    database
        .run(
            "CREATE INDEX image_cache_search ON image_cache USING gin (original_path gin_trgm_ops)",
        )
        .await;
    database.run("ANALYZE image_cache").await;
    let query = ListQuery {
        search: Some("/77777".to_owned()),
        sort: Sort::Updated,
        limit: Some(50),
        count_up_to: Some(1_001),
        ..ListQuery::default()
    };
    let page = store.page(&query).await.unwrap();
    assert_eq!((page.entries.len(), page.total), (1, Some(1)));
    store.close().await;
    let used = "SELECT idx_scan::bigint FROM pg_stat_user_indexes
        WHERE indexrelname = 'image_cache_search'";
    assert_eq!(grown(&database, used, 1).await, 1);
    database.remove().await;
}

#[tokio::test]
async fn what_few_entries_have_is_found_without_a_look_at_all() {
    let database = Database::fresh(Kind::Postgres).await;
    let store = database.open();
    store.migrate().await.unwrap();
    let values = ", CASE number WHEN 70000 THEN 'video/mp4' ELSE 'image/jpeg' END,
        CASE number WHEN 80000 THEN NULL ELSE 'AAAA' END";
    fill(&database, ", content_type_header, image_data", values).await;
    store.migrate().await.unwrap();
    assert_eq!(indexes(&database).await, INDEXES.len() as i64);
    // What others write is no index's business.
    database
        .run(
            "INSERT INTO image_cache (original_path, image_data, content_type_header)
            SELECT 'long', 'AAAA', string_agg(md5(number::text), '') FROM generate_series(1, 1000) AS number",
        )
        .await;
    database.run("ANALYZE image_cache").await;
    let page = || ListQuery {
        sort: Sort::Updated,
        limit: Some(50),
        count_up_to: Some(1_001),
        ..ListQuery::default()
    };
    store.close().await;
    let whole = "SELECT seq_scan::bigint FROM pg_stat_user_tables WHERE relname = 'image_cache'";
    let keyed = "SELECT sum(idx_scan)::bigint FROM pg_stat_user_indexes WHERE indexrelname IN
        ('image_cache_type', 'image_cache_lost', 'image_cache_chunk_set', 'image_cache_object')";
    // Six indexes were made by going through the table.
    let before = (grown(&database, whole, 6).await, grown(&database, keyed, 0).await);
    let store = database.open();
    for (query, entries) in [
        (ListQuery { mime: Some("video/".to_owned()), ..page() }, 1),
        (ListQuery { has_data: Some(false), ..page() }, 1),
        (ListQuery { payload: Some(PayloadKind::None), ..page() }, 1),
        (ListQuery { payload: Some(PayloadKind::Chunks), ..page() }, 0),
        (ListQuery { payload: Some(PayloadKind::Url), ..page() }, 0),
    ] {
        let page = store.page(&query).await.unwrap();
        assert_eq!((page.entries.len(), page.total), (entries, Some(entries as u64)), "{query:?}");
    }
    store.close().await;
    grown(&database, keyed, before.1 + 5).await;
    assert_eq!(database.numbers(whole).await[0], before.0, "no look at all entries");
    database.remove().await;
}

/// A figure of the server's own, once it is at least so large: sessions tell theirs when they end, or a little later.
async fn grown(database: &Database, sql: &str, least: i64) -> i64 {
    for _ in 0..300 {
        let figure = database.numbers(sql).await[0];
        if figure >= least {
            return figure;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("not {least} after half a minute: {sql}");
}
