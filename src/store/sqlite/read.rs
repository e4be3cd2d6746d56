//! What is read from an SQLite file.

use std::collections::HashMap;

use sqlx::{Result, Row, SqliteConnection};

use crate::model::UploadPath;
use crate::model::entry::{CHUNK_BYTES, ChunkSet};
use crate::store::put::Known;
use crate::store::rows;
use crate::store::sqlite::{Sqlite, json};
use crate::store::{Fetched, Stored};

/// Where an entry's bytes are, as [`rows`] reads it. Testing for NULL does not read the payload.
macro_rules! place {
    () => {
        "(CASE WHEN image_data IS NOT NULL THEN 1 WHEN chunk_set IS NOT NULL THEN 2 \
         WHEN image_url <> '' THEN 3 ELSE 0 END)"
    };
}

/// A moment in microseconds since 1970.
macro_rules! micros {
    ($column:literal) => {
        concat!(
            "coalesce(unixepoch(substr(",
            $column,
            ", 1, 19)) * 1000000 + CAST(substr(substr(",
            $column,
            ", 21) || '000000', 1, 6) AS INTEGER), 0)"
        )
    };
}

/// Rows of a table with their payloads, as [`rows::fetched`] reads them.
macro_rules! fetched_from {
    ($table:literal) => {
        concat!(
            "SELECT e.id, e.original_path, e.file_size, e.sha256, e.mtime_ns, e.mode,
                e.image_data, e.chunk_set, c.data, e.image_url
            FROM ",
            $table,
            " e LEFT JOIN image_cache_chunk c
                ON c.chunk_set = e.chunk_set AND c.seq = 0 AND e.file_size <= ?
            WHERE e.id IN (SELECT value FROM json_each(?))"
        )
    };
}

pub(super) use {fetched_from, micros, place};
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
    connection: &mut SqliteConnection,
    paths: &[&str],
) -> Result<HashMap<String, Known>> {
    let sql = concat!(known!(), "WHERE original_path IN (SELECT value FROM json_each(?))");
    let found = sqlx::query(sql).bind(json(&paths)).fetch_all(connection).await?;
    found.iter().map(rows::known).collect()
}

/// The entry of this id.
pub(super) async fn known_by_id(
    connection: &mut SqliteConnection,
    id: i64,
) -> Result<Option<Known>> {
    let sql = concat!(known!(), "WHERE id = ?");
    let found = sqlx::query(sql).bind(id).fetch_optional(connection).await?;
    found.map(|row| Ok(rows::known(&row)?.1)).transpose()
}

impl Sqlite {
    pub(super) async fn stored_once(
        &self,
        paths: &[UploadPath],
    ) -> Result<HashMap<UploadPath, Stored>> {
        let texts: Vec<&str> = paths.iter().map(UploadPath::as_str).collect();
        let mut connection = self.pool.acquire().await?;
        let mut known = known(&mut connection, &texts).await?;
        let stored = |path: &UploadPath| {
            known.remove(path.as_str()).map(|known| (path.clone(), known.stored))
        };
        Ok(paths.iter().filter_map(stored).collect())
    }

    pub(super) async fn read_chunk_once(&self, set: ChunkSet, seq: u32) -> Result<Option<Vec<u8>>> {
        let row = sqlx::query("SELECT data FROM image_cache_chunk WHERE chunk_set = ? AND seq = ?")
            .bind(set.0)
            .bind(seq)
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    pub(super) async fn fetch_once(
        &self,
        sql: &'static str,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<()> {
        // All rows first: a reader that waits for a disk in the middle would keep the app from
        // committing when the file has a rollback journal.
        let rows = sqlx::query(sql)
            .bind(CHUNK_BYTES as i64)
            .bind(json(&ids))
            .fetch_all(&self.pool)
            .await?;
        for row in rows {
            each(rows::fetched(&row)?);
        }
        Ok(())
    }
}
