//! An SQLite file that is the app's own, or ours.

use super::*;

/// The app, which makes a table of its own in the file.
async fn app_in(database: &Database) -> sqlx::sqlite::SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(database.file())
        .create_if_missing(true)
        .busy_timeout(Duration::from_secs(5));
    let mut app = options.connect().await.unwrap();
    app.execute("CREATE TABLE product (id INTEGER PRIMARY KEY, name TEXT)").await.unwrap();
    app
}

async fn app_file() -> (Database, sqlx::sqlite::SqliteConnection) {
    let database = Database::fresh(Kind::Sqlite).await;
    let app = app_in(&database).await;
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
async fn writes_are_shorter_once_the_app_has_tables_in_a_file_of_ours() {
    let database = Database::fresh(Kind::Sqlite).await;
    let store = database.open();
    store.migrate().await.unwrap();
    store.put(&[entry("a", b"a", 1)]).await.unwrap();
    let alone = store.enough_for_a_put();
    let _app = app_in(&database).await;
    store.put(&[entry("b", b"b", 1)]).await.unwrap();
    let shared = store.enough_for_a_put();
    assert!(shared < alone, "{shared} bytes beside the app's tables, {alone} without");
    store.close().await;
}

#[tokio::test]
async fn a_missing_directory_is_named() {
    let target = Target::Sqlite("/nonexistent/deep/cache.sqlite3".into());
    let options = Options {
        connections: 2,
        acquire_timeout: Duration::from_secs(5),
        call_timeout: Duration::from_secs(30),
        versions: 0,
    };
    let error = store::open(&target, &options).unwrap().migrate().await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent/deep does not exist"), "{error}");
}

#[tokio::test]
async fn a_transaction_that_sqlite_has_ended_by_itself_spoils_no_connection() {
    let (database, mut app) = app_file().await;
    let store = database.open();
    store.migrate().await.unwrap();
    // As a full disk does, or a file that cannot be written: the whole transaction is gone at once.
    app.execute(
        "CREATE TRIGGER full BEFORE INSERT ON image_cache
        BEGIN SELECT raise(ROLLBACK, 'the disk is full'); END",
    )
    .await
    .unwrap();
    for _ in 0..10 {
        let error = store.put(&[entry("a", b"a", 1)]).await.unwrap_err();
        assert!(error.to_string().contains("the disk is full"), "{error}");
    }
    app.execute("DROP TRIGGER full").await.unwrap();
    store.put(&[entry("a", b"a", 1)]).await.unwrap();
    assert_eq!(contents(&*store).await.len(), 1);
    store.close().await;
}
