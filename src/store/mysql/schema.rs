//! The tables in MySQL: which version is there, and how to get to ours.

use sqlx::{Connection, Executor, MySqlConnection, Result, Row};

use crate::store::ledger::fresh_identity;
use crate::store::mysql::MySql;
use crate::store::retry::begin;

/// Every step ever made, in order; a step is never changed once it is released, and does no harm when
/// it is done again.
const STEPS: [&str; 5] = [
    include_str!("0001_image_cache.sql"),
    include_str!("0002_objects.sql"),
    include_str!("0003_lists.sql"),
    include_str!("0004_history.sql"),
    include_str!("0005_orders.sql"),
];

/// The version this program knows.
pub(super) const LATEST: i64 = STEPS.len() as i64;

/// Locks are the whole server's: ours bears the database's name, as a hash because of its length.
const LOCK: &str = "SELECT CAST(GET_LOCK(CONCAT('imagecached ', SHA1(DATABASE())), 60) AS SIGNED)";
const UNLOCK: &str = "SELECT RELEASE_LOCK(CONCAT('imagecached ', SHA1(DATABASE())))";

/// Whether somebody holds that lock and does not merely sit there: a program that died on the way may. Between two
/// statements of an upgrade everybody does, for a moment.
const IS_AT_WORK: &str = "SELECT COUNT(*) FROM information_schema.processlist
    WHERE id = IS_USED_LOCK(CONCAT('imagecached ', SHA1(DATABASE()))) AND (command <> 'Sleep' OR time < 2)";

/// The version in the database; `None` when there are no tables of ours.
async fn version(connection: &mut MySqlConnection) -> Result<Option<i64>> {
    let there = "SELECT COUNT(*) FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name = 'imagecached_schema'";
    if sqlx::query(there).fetch_one(&mut *connection).await?.try_get::<i64, _>(0)? == 0 {
        return Ok(None);
    }
    sqlx::query("SELECT MAX(version) FROM imagecached_schema")
        .fetch_one(connection)
        .await?
        .try_get(0)
}

async fn has_identity(connection: &mut MySqlConnection) -> Result<bool> {
    let row =
        sqlx::query("SELECT COUNT(*) FROM image_cache_identity").fetch_one(connection).await?;
    Ok(row.try_get::<i64, _>(0)? > 0)
}

impl MySql {
    pub(super) async fn version_once(&self) -> Result<Option<i64>> {
        let mut unit = begin(&self.pool).await?;
        let version = version(&mut unit).await?;
        unit.commit().await?;
        Ok(version)
    }

    pub(super) async fn is_upgrading_once(&self) -> Result<bool> {
        let mut unit = begin(&self.pool).await?;
        let row = sqlx::query(IS_AT_WORK).fetch_one(&mut *unit).await?;
        unit.commit().await?;
        Ok(row.try_get::<i64, _>(0)? > 0)
    }

    /// All steps that are missing, under a lock that one connection holds. Whatever goes wrong, the
    /// connection ends, and its lock with it.
    pub(super) async fn migrate_once(&self) -> Result<(i64, i64)> {
        let mut connection = self.pool.acquire().await?.detach();
        let locked = sqlx::query(LOCK).fetch_one(&mut connection).await?;
        if locked.try_get::<Option<i64>, _>(0)? != Some(1) {
            let cause = "another instance has been creating the tables for a minute";
            return Err(sqlx::Error::Protocol(cause.to_owned()));
        }
        let before = version(&mut connection).await?;
        if before.is_none() {
            let table = "CREATE TABLE IF NOT EXISTS imagecached_schema (
                version BIGINT NOT NULL PRIMARY KEY, applied_at DATETIME(6) NOT NULL) ENGINE=InnoDB";
            connection.execute(sqlx::raw_sql(table)).await?;
        }
        let before = before.unwrap_or(0);
        for (version, step) in (1_i64..).zip(STEPS).filter(|(version, _)| *version > before) {
            connection.execute(sqlx::raw_sql(step)).await?;
            sqlx::query(
                "INSERT INTO imagecached_schema (version, applied_at) VALUES (?, UTC_TIMESTAMP(6))",
            )
            .bind(version)
            .execute(&mut connection)
            .await?;
        }
        // A newer schema is left alone, and so is a database that is read-only and needs nothing.
        if before <= LATEST && !has_identity(&mut connection).await? {
            sqlx::query(
                "INSERT INTO image_cache_identity (id, name, created_at)
                VALUES (1, ?, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE id = id",
            )
            .bind(fresh_identity())
            .execute(&mut connection)
            .await?;
        }
        sqlx::query(UNLOCK).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok((before, before.max(LATEST)))
    }
}
