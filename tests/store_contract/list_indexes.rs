//! The indexes of lists in PostgreSQL, which come once there are many entries.

use super::*;

const INDEXES: [&str; 4] =
    ["image_cache_accessed", "image_cache_created", "image_cache_size", "image_cache_updated"];

async fn indexes(database: &Database) -> i64 {
    let names = INDEXES.map(|name| format!("'{name}'")).join(", ");
    let sql = format!(
        "SELECT count(*) FROM pg_index WHERE indisvalid
        AND indexrelid::regclass::text IN ({names})"
    );
    database.numbers(&sql).await[0]
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
        database
            .run(
                "INSERT INTO image_cache (original_path, file_size, mtime_ns)
                SELECT repeat('directory/', 20) || number, number, number
                FROM generate_series(1, 90000) AS number",
            )
            .await;
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
    database
        .run(
            "INSERT INTO image_cache (original_path)
            SELECT repeat('directory/', 20) || number FROM generate_series(1, 90000) AS number",
        )
        .await;
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
