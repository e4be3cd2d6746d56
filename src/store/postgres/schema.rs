//! The tables in PostgreSQL: which version is there, and how to get to ours.

use sqlx::{Executor, Result, Row};

use crate::store::ledger::fresh_identity;
use crate::store::postgres::{Postgres, query};

/// Every step ever made, in order; a step is never changed once it is released.
const STEPS: [&str; 6] = [
    include_str!("0001_image_cache.sql"),
    include_str!("0002_objects.sql"),
    include_str!("0003_lists.sql"),
    include_str!("0004_history.sql"),
    include_str!("0005_orders.sql"),
    include_str!("0006_list_indexes.sql"),
];

/// The version this program knows.
pub(super) const LATEST: i64 = STEPS.len() as i64;

/// The indexes of the lists. They are no step: a small table is better off without them, since each put has to write
/// them too. Measured: 20,000 new entries take a fifth longer with them.
const LIST_INDEXES: &str = include_str!("list_indexes.sql");

/// Whether the lists want for their indexes: from 24 MB of rows on (some 80,000), a list that goes through all of
/// them takes some tens of milliseconds. The last one that is made stands for all.
const WANTS_LIST_INDEXES: &str = "SELECT to_regclass('image_cache_lost') IS NULL
    AND pg_relation_size('image_cache') > 24 * 1024 * 1024 AND NOT pg_is_in_recovery()";

/// Puts wait while an index is made, and behind whoever waits to make one: it comes another time where somebody holds
/// the table for longer.
const INDEX_PATIENCE: &str = "SET LOCAL lock_timeout = '2s'";

/// One lock for all instances that migrate at the same time: the bytes of `imgcache`.
const LOCK: i64 = i64::from_be_bytes(*b"imgcache");

/// Whether somebody holds that lock and does not merely sit there: a program that died on the way may. Between two
/// statements of an upgrade everybody does, for a moment.
const IS_AT_WORK: &str = "SELECT EXISTS (SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
        AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = $1
        AND (state = 'active' OR clock_timestamp() - state_change < interval '2 seconds'))";

/// The version in the database; `None` when there are no tables of ours.
async fn version(connection: &mut sqlx::PgConnection) -> Result<Option<i64>> {
    let there = query("SELECT to_regclass('imagecached_schema') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there.try_get::<bool, _>(0)? {
        return Ok(None);
    }
    query("SELECT max(version)::bigint FROM imagecached_schema")
        .fetch_one(connection)
        .await?
        .try_get(0)
}

async fn wants_list_indexes(connection: &mut sqlx::PgConnection) -> Result<bool> {
    query(WANTS_LIST_INDEXES).fetch_one(connection).await?.try_get(0)
}

async fn has_identity(connection: &mut sqlx::PgConnection) -> Result<bool> {
    query("SELECT EXISTS (SELECT FROM image_cache_identity)")
        .fetch_one(connection)
        .await?
        .try_get(0)
}

impl Postgres {
    pub(super) async fn version_once(&self) -> Result<Option<i64>> {
        let mut unit = self.begin().await?;
        let version = version(&mut unit).await?;
        unit.commit().await?;
        Ok(version)
    }

    pub(super) async fn is_upgrading_once(&self) -> Result<bool> {
        let mut unit = self.begin().await?;
        let row = query(IS_AT_WORK).bind(LOCK).fetch_one(&mut *unit).await?;
        unit.commit().await?;
        row.try_get(0)
    }

    /// Makes the indexes of the lists once there are many entries; whether it has.
    async fn index_lists(&self) -> Result<bool> {
        let mut unit = self.begin().await?;
        let mut wanted = wants_list_indexes(&mut unit).await?;
        if wanted {
            unit.execute(INDEX_PATIENCE).await?;
            query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *unit).await?;
            // Another instance may have come first.
            wanted = wants_list_indexes(&mut unit).await?;
        }
        if wanted {
            unit.execute(sqlx::raw_sql(LIST_INDEXES)).await?;
        }
        unit.commit().await?;
        Ok(wanted)
    }

    /// Everything that is missing. Lists work without their indexes: whatever keeps those from being made (rights, a
    /// table that somebody holds) keeps nobody from starting.
    pub(super) async fn migrate_once(&self) -> Result<(i64, i64)> {
        let versions = self.migrate_steps().await?;
        if versions.0 == 0 {
            return Ok(versions);
        }
        match self.index_lists().await {
            Ok(false) => {}
            Ok(true) => tracing::info!(
                event = "lists_indexed",
                "indexes made for the lists of many entries"
            ),
            Err(error) => {
                tracing::debug!(event = "upkeep_failed", reason = %error, "indexes of lists, tried again later");
            }
        }
        Ok(versions)
    }

    /// All steps that are missing, in one transaction: DDL is undone with it, and its lock ends with it.
    async fn migrate_steps(&self) -> Result<(i64, i64)> {
        let mut unit = self.begin().await?;
        // Whoever holds a table may hold it for long, and an upgrade that is begun anew has waited for nothing.
        unit.execute("SET LOCAL lock_timeout = 0").await?;
        query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *unit).await?;
        let before = version(&mut unit).await?;
        if before.is_none() {
            let table = "CREATE TABLE IF NOT EXISTS imagecached_schema (
                version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";
            unit.execute(sqlx::raw_sql(table)).await?;
        }
        let before = before.unwrap_or(0);
        for (version, step) in (1..).zip(STEPS).filter(|(version, _)| *version > before) {
            unit.execute(sqlx::raw_sql(step)).await?;
            query("INSERT INTO imagecached_schema (version) VALUES ($1)")
                .bind(version)
                .execute(&mut *unit)
                .await?;
        }
        // A newer schema is left alone, and so is a database that is read-only and needs nothing.
        if before <= LATEST && !has_identity(&mut unit).await? {
            query(
                "INSERT INTO image_cache_identity (id, name) VALUES (1, $1)
                ON CONFLICT (id) DO NOTHING",
            )
            .bind(fresh_identity())
            .execute(&mut *unit)
            .await?;
        }
        unit.commit().await?;
        Ok((before, before.max(LATEST)))
    }
}
