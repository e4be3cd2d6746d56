//! What is read from MySQL.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::{MySqlConnection, QueryBuilder, Result, Row};

use crate::model::UploadPath;
use crate::model::entry::{CHUNK_BYTES, ChunkSet, IndexRow};
use crate::store::mysql::{MySql, path_hash, push_list};
use crate::store::put::Known;
use crate::store::retry::begin;
use crate::store::rows;
use crate::store::{Fetched, Stored};

/// Where an entry's bytes are, as [`rows`] reads it.
macro_rules! place {
    () => {
        "(CASE WHEN has_image_data THEN 1 WHEN chunk_set IS NOT NULL THEN 2 \
         WHEN image_url <> '' THEN 3 ELSE 0 END)"
    };
}

/// A moment in microseconds since 1970.
macro_rules! micros {
    ($column:literal) => {
        concat!("coalesce(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', ", $column, "), 0)")
    };
}

pub(super) use {micros, place};
macro_rules! known {
    () => {
        concat!(
            "SELECT original_path, id, sha256, mtime_ns, mode, ",
            place!(),
            ", chunk_set, content_type, object_id, file_size, image_url FROM image_cache "
        )
    };
}

/// What is stored under `paths`.
pub(super) async fn known(
    connection: &mut MySqlConnection,
    paths: &[&str],
) -> Result<HashMap<String, Known>> {
    let mut sql = QueryBuilder::<sqlx::MySql>::new(concat!(known!(), "WHERE path_hash IN "));
    push_list(&mut sql, paths.iter().map(|path| path_hash(path)), ("UNHEX(", ")"));
    let found = sql.build().persistent(false).fetch_all(connection).await?;
    found.iter().map(rows::known).collect()
}

/// As [`known`], and keeps it so until the end of the transaction: waits for one that is about to change it,
/// such as a put that was given up with its commit under way.
///
/// Only paths that are there are asked for with a lock. One that is not would lock the gap in which it is
/// missing, and two instances that store new files would wait for each other's gaps, a deadlock each time. The
/// index is named because a scan of a small table would lock all of it.
pub(super) async fn known_for_put(
    connection: &mut MySqlConnection,
    paths: &[&str],
) -> Result<HashMap<String, Known>> {
    let there = known(connection, paths).await?;
    if there.is_empty() {
        return Ok(there);
    }
    let mut sql = QueryBuilder::<sqlx::MySql>::new(concat!(
        known!(),
        "FORCE INDEX (image_cache_path) WHERE path_hash IN "
    ));
    push_list(&mut sql, there.keys().map(|path| path_hash(path)), ("UNHEX(", ")"));
    sql.push(" ORDER BY path_hash FOR UPDATE");
    let found = sql.build().persistent(false).fetch_all(connection).await?;
    found.iter().map(rows::known).collect()
}

/// The entry of this id, kept as it is until the end of the transaction.
pub(super) async fn known_by_id(
    connection: &mut MySqlConnection,
    id: i64,
) -> Result<Option<Known>> {
    let sql = concat!(known!(), "WHERE id = ? FOR UPDATE");
    let found = sqlx::query(sql).bind(id).fetch_optional(connection).await?;
    found.map(|row| Ok(rows::known(&row)?.1)).transpose()
}

impl MySql {
    pub(super) async fn index_once(&self, each: &mut (dyn FnMut(IndexRow) + Send)) -> Result<()> {
        let sql = concat!(
            "SELECT id, original_path, file_size, mtime_ns,
                (last_accessed < UTC_TIMESTAMP(6) - INTERVAL 1 DAY), (",
            place!(),
            " <> 0)
             FROM image_cache ORDER BY updated_at DESC, id DESC"
        );
        let mut unit = begin(&self.pool).await?;
        let mut found = sqlx::query(sql).fetch(&mut *unit);
        while let Some(row) = found.try_next().await? {
            each(rows::index_row(&row));
        }
        drop(found);
        unit.commit().await
    }

    pub(super) async fn stored_once(
        &self,
        paths: &[UploadPath],
    ) -> Result<HashMap<UploadPath, Stored>> {
        let texts: Vec<&str> = paths.iter().map(UploadPath::as_str).collect();
        let mut unit = begin(&self.pool).await?;
        let mut known = known(&mut unit, &texts).await?;
        unit.commit().await?;
        let stored = |path: &UploadPath| {
            known.remove(path.as_str()).map(|known| (path.clone(), known.stored))
        };
        Ok(paths.iter().filter_map(stored).collect())
    }

    pub(super) async fn read_chunk_once(&self, set: ChunkSet, seq: u32) -> Result<Option<Vec<u8>>> {
        let mut unit = begin(&self.pool).await?;
        let row = sqlx::query("SELECT data FROM image_cache_chunk WHERE chunk_set = ? AND seq = ?")
            .bind(set.0)
            .bind(i64::from(seq))
            .fetch_optional(&mut *unit)
            .await?;
        unit.commit().await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    /// Rows of `table` with their payloads.
    pub(super) async fn fetch_once(
        &self,
        table: &'static str,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<()> {
        let mut sql = QueryBuilder::<sqlx::MySql>::new(
            "SELECT e.id, e.original_path, e.file_size, e.sha256, e.mtime_ns, e.mode,
                e.image_data, e.chunk_set, c.data, e.image_url FROM ",
        );
        sql.push(table).push(
            " e LEFT JOIN image_cache_chunk c
                ON c.chunk_set = e.chunk_set AND c.seq = 0 AND e.file_size <= ",
        );
        sql.push_bind(CHUNK_BYTES as i64).push(" WHERE e.id IN ");
        push_list(&mut sql, ids.iter().copied(), ("", ""));
        let mut unit = begin(&self.pool).await?;
        let mut found = sql.build().persistent(false).fetch(&mut *unit);
        while let Some(row) = found.try_next().await? {
            each(rows::fetched(&row)?);
        }
        drop(found);
        unit.commit().await
    }
}
