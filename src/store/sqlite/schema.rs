//! The tables in an SQLite file: which version is there, and how to get to ours.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, Executor, Result, Row, SqliteConnection};

use crate::store::ledger::fresh_identity;
use crate::store::sqlite::Sqlite;

/// Every step ever made, in order; a step is never changed once it is released.
const STEPS: [&str; 5] = [
    include_str!("0001_image_cache.sql"),
    include_str!("0002_objects.sql"),
    include_str!("0003_lists.sql"),
    include_str!("0004_history.sql"),
    include_str!("0005_orders.sql"),
];

/// The version this program knows.
pub(super) const LATEST: i64 = STEPS.len() as i64;

/// Marks a file that this program made (`PRAGMA application_id`): the bytes of `imgc`.
const OURS: i64 = i32::from_be_bytes(*b"imgc") as i64;

/// Whether this program made the file.
pub(super) async fn is_ours(connection: &mut SqliteConnection) -> Result<bool> {
    let row = sqlx::query("PRAGMA application_id").fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(0)? == OURS)
}

/// Whether somebody else has tables in the file: then its owner may want to write at any time, even
/// if we came first.
pub(super) async fn is_shared(connection: &mut SqliteConnection) -> Result<bool> {
    let others = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'
        AND name NOT IN ('image_cache', 'image_cache_chunk', 'image_cache_identity',
            'image_cache_claim', 'image_cache_loose_object', 'image_cache_history',
            'imagecached_schema')
        AND substr(name, 1, 7) <> 'sqlite_'";
    Ok(count(connection, others).await? > 0)
}

/// Lets the write-ahead log grow to 64 MB (4,096 pages of 16 KiB) before it is copied back: that halves
/// the bytes written while a large upload directory is stored for the first time.
pub(super) async fn keep_a_long_log(connection: &mut SqliteConnection) -> Result<()> {
    connection.execute("PRAGMA wal_autocheckpoint = 4096").await?;
    Ok(())
}

async fn count(connection: &mut SqliteConnection, sql: &'static str) -> Result<i64> {
    sqlx::query(sql).fetch_one(connection).await?.try_get(0)
}

/// The version in the file; `None` when there are no tables of ours.
async fn version(connection: &mut SqliteConnection) -> Result<Option<i64>> {
    let there = "SELECT count(*) FROM sqlite_schema WHERE name = 'imagecached_schema'";
    if count(connection, there).await? == 0 {
        return Ok(None);
    }
    sqlx::query("SELECT max(version) FROM imagecached_schema")
        .fetch_one(connection)
        .await?
        .try_get(0)
}

impl Sqlite {
    pub(super) async fn version_once(&self) -> Result<Option<i64>> {
        let mut connection = self.pool.acquire().await?;
        version(&mut connection).await
    }

    /// Makes the file when it is not there. A file without any table becomes ours: pages of 16 KiB, and a
    /// write-ahead log, with which readers and the writer do not wait for each other.
    async fn found(&self) -> Result<()> {
        let connect = self.connect.clone().create_if_missing(true).page_size(16_384);
        let mut connection = connect.connect().await?;
        if !is_ours(&mut connection).await? {
            let mut unit = connection.begin_with("BEGIN IMMEDIATE").await?;
            if count(&mut unit, "SELECT count(*) FROM sqlite_schema").await? > 0 {
                return unit.rollback().await;
            }
            unit.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
                "PRAGMA application_id = {OURS}"
            ))))
            .await?;
            unit.commit().await?;
        }
        self.ours.store(true, Ordering::Relaxed);
        // Switching takes the whole file for a moment and does not wait for others: try for a while.
        for _ in 0..50 {
            match connection.execute("PRAGMA journal_mode = WAL").await {
                Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("5") => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                done => {
                    done?;
                    break;
                }
            }
        }
        connection.close().await
    }

    /// All steps that are missing, in one transaction.
    pub(super) async fn migrate_once(&self) -> Result<(i64, i64)> {
        self.found().await?;
        let mut writing = self.write().await?;
        let unit = &mut writing.unit;
        let before = version(unit).await?;
        if before.is_none() {
            let table = "CREATE TABLE imagecached_schema (version INTEGER PRIMARY KEY,
                applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')))";
            unit.execute(table).await?;
        }
        let before = before.unwrap_or(0);
        for (version, step) in (1_i64..).zip(STEPS).filter(|(version, _)| *version > before) {
            unit.execute(sqlx::raw_sql(step)).await?;
            sqlx::query("INSERT INTO imagecached_schema (version) VALUES (?)")
                .bind(version)
                .execute(&mut **unit)
                .await?;
        }
        // A newer schema is left alone.
        if before <= LATEST && count(unit, "SELECT count(*) FROM image_cache_identity").await? == 0
        {
            sqlx::query("INSERT INTO image_cache_identity (id, name) VALUES (1, ?)")
                .bind(fresh_identity())
                .execute(&mut **unit)
                .await?;
        }
        writing.commit().await?;
        Ok((before, before.max(LATEST)))
    }
}
