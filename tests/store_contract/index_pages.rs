//! The index of an SQLite file, which comes in pages.

use super::*;

/// Every row once, newest first, whatever others have written into it and wherever a page ends.
#[tokio::test]
async fn the_pages_of_an_index_join_whatever_is_in_the_rows() {
    let database = Database::fresh(Kind::Sqlite).await;
    let store = database.open();
    store.migrate().await.unwrap();
    assert!(index(&*store).await.is_empty());
    // Pages end among entries of one moment, among paths that are blobs, and at moments that are.
    database
        .run(
            "INSERT INTO image_cache (original_path, image_data, updated_at, file_size)
            WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 4000)
            SELECT
                CASE n % 9
                    WHEN 0 THEN CAST('blob ' || n AS BLOB)
                    WHEN 1 THEN CAST(x'FF' || n AS TEXT)
                    WHEN 2 THEN 'a \"quoted\\\" ' || char(10, 9, 1) || 'name ' || n
                    WHEN 3 THEN 'گلدان آبی ' || n
                    ELSE 'plain ' || n
                END,
                'YQ==',
                CASE
                    WHEN n < 1500 THEN '2026-11-20 10:00:00.000000'
                    WHEN n < 3000 THEN CAST('2026-11-20' AS BLOB)
                    ELSE strftime('%Y-%m-%d %H:%M:%f000', 1700000000 + n, 'unixepoch')
                END,
                CASE n % 7 WHEN 0 THEN 'much' WHEN 1 THEN x'00' WHEN 2 THEN 1.5 ELSE n END
            FROM n",
        )
        .await;
    let rows = index(&*store).await;
    let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    let wanted = database
        .numbers("SELECT id FROM image_cache ORDER BY updated_at DESC, original_path DESC")
        .await;
    assert_eq!(ids, wanted);
    for row in &rows {
        let n = row.id;
        let path = match n % 9 {
            0 | 1 => None,
            2 => Some(format!("a \"quoted\\\" \n\t\u{1}name {n}")),
            3 => Some(format!("گلدان آبی {n}")),
            _ => Some(format!("plain {n}")),
        };
        let unreadable = format!("/entry {n} cannot be read");
        let path = path.filter(|_| n % 7 > 2);
        let has_data = path.is_some();
        let file_size = if has_data { n.unsigned_abs() } else { 0 };
        assert_eq!(row.original_path, path.unwrap_or(unreadable));
        assert_eq!((row.has_data, row.file_size), (has_data, file_size), "{row:?}");
    }
    database.run("DROP INDEX image_cache_list").await;
    assert_eq!(index(&*store).await, rows, "a start does without the index");
    store.close().await;
}

/// What is put while the index is read moves to its front, and still is read once.
#[tokio::test]
async fn an_entry_that_is_put_again_meanwhile_is_not_missed() {
    let database = Database::fresh(Kind::Sqlite).await;
    let store = database.open();
    store.migrate().await.unwrap();
    let all: Vec<_> = (0..5_000).map(|n| entry(&format!("{n}"), b"a", 1)).collect();
    store.put(&all).await.unwrap();
    let (putting, done) = (Arc::clone(&store), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&done);
    let again = tokio::spawn(async move {
        for n in 0..u64::MAX {
            if ended.load(Ordering::Relaxed) {
                return n;
            }
            let at = format!("{}", n * 37 % 5_000);
            putting.put(&[entry(&at, &n.to_le_bytes(), 1)]).await.unwrap();
        }
        unreachable!("somebody says when it is enough")
    });
    for _ in 0..20 {
        let rows = index(&*store).await;
        let paths: HashSet<_> = rows.iter().map(|row| &row.original_path).collect();
        assert_eq!((rows.len(), paths.len()), (5_000, 5_000));
    }
    done.store(true, Ordering::Relaxed);
    assert!(again.await.unwrap() > 0, "nothing was put meanwhile");
    store.close().await;
}
