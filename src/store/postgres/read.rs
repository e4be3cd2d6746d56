//! What is read from PostgreSQL.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::{Result, Row};

use crate::model::UploadPath;
use crate::model::entry::{CHUNK_BYTES, ChunkSet, IndexRow};
use crate::store::postgres::{Postgres, query};
use crate::store::put::Known;
use crate::store::rows;
use crate::store::{Fetched, Stored};

/// Where an entry's bytes are, as [`rows`] reads it. Testing for NULL does not fetch the payload.
macro_rules! place {
    () => {
        "(CASE WHEN image_data IS NOT NULL THEN 1 WHEN chunk_set IS NOT NULL THEN 2 \
         WHEN image_url <> '' THEN 3 ELSE 0 END)::bigint"
    };
}

/// A moment in microseconds since 1970; 0 for one that is no moment (`infinity`).
macro_rules! micros {
    ($column:literal) => {
        concat!(
            "(CASE WHEN isfinite(",
            $column,
            ") THEN extract(epoch FROM ",
            $column,
            ") * 1000000 ELSE 0 END)::bigint"
        )
    };
}

/// Rows of a table with their payloads, as [`rows::fetched`] reads them.
macro_rules! fetched_from {
    ($table:literal) => {
        concat!(
            "SELECT e.id, e.original_path, e.file_size, e.sha256, e.mtime_ns, e.mode::bigint,
                e.image_data, e.chunk_set, c.data, e.image_url
            FROM ",
            $table,
            " e LEFT JOIN image_cache_chunk c
                ON c.chunk_set = e.chunk_set AND c.seq = 0 AND e.file_size <= $2
            WHERE e.id = ANY($1)"
        )
    };
}

pub(super) use {fetched_from, micros, place};
macro_rules! known {
    ($which:literal) => {
        concat!(
            "SELECT original_path, id, sha256, mtime_ns, mode::bigint, ",
            place!(),
            ", chunk_set, content_type, object_id, file_size, image_url FROM image_cache WHERE ",
            $which
        )
    };
}

/// What is stored under the paths.
pub(super) async fn known(
    connection: &mut sqlx::PgConnection,
    paths: &[&str],
) -> Result<HashMap<String, Known>> {
    let sql = known!("original_path = ANY($1)");
    let found = query(sql).bind(paths).fetch_all(connection).await?;
    found.iter().map(rows::known).collect()
}

/// As [`known`], and keeps it so until the end of the transaction: waits for one that is about to
/// change it, such as a put that was given up with its commit under way.
pub(super) async fn known_for_put(
    connection: &mut sqlx::PgConnection,
    paths: &[&str],
) -> Result<HashMap<String, Known>> {
    let sql = known!("original_path = ANY($1) ORDER BY original_path FOR UPDATE");
    let found = query(sql).bind(paths).fetch_all(connection).await?;
    found.iter().map(rows::known).collect()
}

/// The entry of this id, kept as it is until the end of the transaction.
pub(super) async fn known_by_id(
    connection: &mut sqlx::PgConnection,
    id: i64,
) -> Result<Option<Known>> {
    let found = query(known!("id = $1 FOR UPDATE")).bind(id).fetch_optional(connection).await?;
    found.map(|row| Ok(rows::known(&row)?.1)).transpose()
}

impl Postgres {
    pub(super) async fn index_once(&self, each: &mut (dyn FnMut(IndexRow) + Send)) -> Result<()> {
        let sql = concat!(
            "SELECT id, original_path, file_size, mtime_ns,
                (last_accessed < (SELECT now() - interval '1 day'))::int::bigint, (",
            place!(),
            " <> 0)::int::bigint
             FROM image_cache ORDER BY updated_at DESC, id DESC"
        );
        let mut unit = self.begin().await?;
        let mut found = query(sql).fetch(&mut *unit);
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
        let mut unit = self.begin_by_key().await?;
        let mut known = known(&mut unit, &texts).await?;
        unit.commit().await?;
        let stored = |path: &UploadPath| {
            known.remove(path.as_str()).map(|known| (path.clone(), known.stored))
        };
        Ok(paths.iter().filter_map(stored).collect())
    }

    pub(super) async fn read_chunk_once(&self, set: ChunkSet, seq: u32) -> Result<Option<Vec<u8>>> {
        let mut unit = self.begin().await?;
        let row = query("SELECT data FROM image_cache_chunk WHERE chunk_set = $1 AND seq = $2")
            .bind(set.0)
            .bind(i64::from(seq))
            .fetch_optional(&mut *unit)
            .await?;
        unit.commit().await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    pub(super) async fn fetch_once(
        &self,
        sql: &'static str,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<()> {
        let mut unit = self.begin_by_key().await?;
        let mut found = query(sql).bind(ids).bind(CHUNK_BYTES as i64).fetch(&mut *unit);
        while let Some(row) = found.try_next().await? {
            each(rows::fetched(&row)?);
        }
        drop(found);
        unit.commit().await
    }
}
