//! What is read from MySQL.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::{MySqlConnection, QueryBuilder, Result, Row};

use crate::model::UploadPath;
use crate::model::entry::{CHUNK_BYTES, ChunkSet, Entry, IndexRow};
use crate::store::mysql::{MySql, path_hash, push_list};
use crate::store::put::Known;
use crate::store::retry::begin;
use crate::store::rows;
use crate::store::{Fetched, ListQuery, Sort, Stored, Totals};

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

pub(super) use micros;

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
            "SELECT id, original_path, file_size, mtime_ns, ",
            micros!("updated_at"),
            ", (last_accessed < UTC_TIMESTAMP(6) - INTERVAL 1 DAY), (",
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

    pub(super) async fn fetch_once(
        &self,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<()> {
        let mut sql = QueryBuilder::<sqlx::MySql>::new(
            "SELECT e.id, e.original_path, e.file_size, e.sha256, e.mtime_ns, e.mode,
                e.image_data, e.chunk_set, c.data, e.image_url
            FROM image_cache e LEFT JOIN image_cache_chunk c
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

    pub(super) async fn list_once(&self, wanted: &ListQuery) -> Result<Vec<Entry>> {
        let mut sql = QueryBuilder::<sqlx::MySql>::new(concat!(
            "SELECT id, content_type, object_id, original_path, ",
            place!(),
            ", chunk_set, image_url, file_size, content_type_header, ",
            micros!("created_at"),
            ", ",
            micros!("updated_at"),
            ", ",
            micros!("last_accessed"),
            ", sha256, mtime_ns, mode FROM image_cache WHERE true"
        ));
        if let Some(part) = &wanted.search {
            sql.push(" AND LOCATE(").push_bind(part).push(", original_path) > 0");
        }
        if let Some(path) = &wanted.path {
            sql.push(" AND path_hash = UNHEX(").push_bind(path_hash(path.as_str())).push(")");
        }
        if let Some(id) = wanted.after_id {
            sql.push(" AND id > ").push_bind(id);
        }
        if let Some(start) = &wanted.mime {
            sql.push(" AND LOCATE(").push_bind(start).push(", content_type_header) = 1");
        }
        if let Some(place) = wanted.payload {
            sql.push(concat!(" AND ", place!(), " = ")).push_bind(rows::place_number(place));
        }
        if let Some(days) = wanted.not_accessed_days {
            sql.push(" AND last_accessed < UTC_TIMESTAMP(6) - INTERVAL ")
                .push_bind(i64::from(days))
                .push(" DAY");
        }
        sql.push(" ORDER BY ").push(match wanted.sort {
            // As bytes: the collation takes no notice of trailing spaces.
            Sort::Path => "CAST(original_path AS BINARY)",
            Sort::Id => "id",
            Sort::Size => "file_size",
            Sort::Created => "created_at",
            Sort::Updated => "updated_at",
            Sort::Accessed => "last_accessed",
        });
        sql.push(if wanted.descending { " DESC, id DESC" } else { ", id" });
        // There is no OFFSET without a limit.
        let limit = wanted.limit.map_or(i64::MAX, i64::from);
        sql.push(" LIMIT ").push_bind(limit);
        sql.push(" OFFSET ").push_bind(i64::try_from(wanted.offset).unwrap_or(i64::MAX));

        let mut unit = begin(&self.pool).await?;
        let found = sql.build().persistent(false).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        Ok(found.iter().filter_map(|row| rows::entry(row).ok()).collect())
    }

    pub(super) async fn totals_once(&self) -> Result<Totals> {
        let sql = concat!(
            "SELECT COUNT(*), CAST(COALESCE(SUM(place = 1), 0) AS SIGNED),
                CAST(COALESCE(SUM(place = 2), 0) AS SIGNED),
                CAST(COALESCE(SUM(place = 3), 0) AS SIGNED),
                CAST(COALESCE(SUM(file_size), 0) AS SIGNED),
                (SELECT CAST(SUM(data_length + index_length) AS SIGNED)
                    FROM information_schema.tables WHERE table_schema = DATABASE()
                    AND table_name IN ('image_cache', 'image_cache_chunk',
                        'image_cache_loose_object'))
            FROM (SELECT file_size, ",
            place!(),
            " AS place FROM image_cache) entry"
        );
        let mut unit = begin(&self.pool).await?;
        let row = sqlx::query(sql).fetch_one(&mut *unit).await?;
        unit.commit().await?;
        rows::totals(&row)
    }
}
