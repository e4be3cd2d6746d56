//! What is read from PostgreSQL.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::{QueryBuilder, Result, Row};

use crate::model::UploadPath;
use crate::model::entry::{CHUNK_BYTES, ChunkSet, Entry, IndexRow};
use crate::store::postgres::{Postgres, built_query, query};
use crate::store::put::Known;
use crate::store::retry::begin;
use crate::store::rows;
use crate::store::{Fetched, ListQuery, Sort, Stored, Totals};

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

pub(super) use micros;

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
            "SELECT id, original_path, file_size, mtime_ns, ",
            micros!("updated_at"),
            ", (last_accessed < now() - interval '1 day')::int::bigint, (",
            place!(),
            " <> 0)::int::bigint
             FROM image_cache ORDER BY updated_at DESC, id DESC"
        );
        let mut unit = begin(&self.pool).await?;
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
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<()> {
        let sql = "SELECT e.id, e.original_path, e.file_size, e.sha256, e.mtime_ns, e.mode::bigint,
                e.image_data, e.chunk_set, c.data, e.image_url
            FROM image_cache e LEFT JOIN image_cache_chunk c
                ON c.chunk_set = e.chunk_set AND c.seq = 0 AND e.file_size <= $2
            WHERE e.id = ANY($1)";
        let mut unit = begin(&self.pool).await?;
        let mut found = query(sql).bind(ids).bind(CHUNK_BYTES as i64).fetch(&mut *unit);
        while let Some(row) = found.try_next().await? {
            each(rows::fetched(&row)?);
        }
        drop(found);
        unit.commit().await
    }

    pub(super) async fn list_once(&self, wanted: &ListQuery) -> Result<Vec<Entry>> {
        let mut sql = QueryBuilder::<sqlx::Postgres>::new(concat!(
            "SELECT id, content_type, object_id, original_path, ",
            place!(),
            ", chunk_set, image_url, file_size, content_type_header, ",
            micros!("created_at"),
            ", ",
            micros!("updated_at"),
            ", ",
            micros!("last_accessed"),
            ", sha256, mtime_ns, mode::bigint FROM image_cache WHERE true"
        ));
        if let Some(part) = &wanted.search {
            sql.push(" AND strpos(original_path, ").push_bind(part).push(") > 0");
        }
        if let Some(path) = &wanted.path {
            sql.push(" AND original_path = ").push_bind(path.as_str());
        }
        if let Some(id) = wanted.after_id {
            sql.push(" AND id > ").push_bind(id);
        }
        if let Some(start) = &wanted.mime {
            sql.push(" AND strpos(content_type_header, ").push_bind(start).push(") = 1");
        }
        if let Some(place) = wanted.payload {
            sql.push(concat!(" AND ", place!(), " = ")).push_bind(rows::place_number(place));
        }
        if let Some(days) = wanted.not_accessed_days {
            sql.push(" AND last_accessed < now() - interval '1 day' * ").push_bind(f64::from(days));
        }
        sql.push(" ORDER BY ").push(match wanted.sort {
            Sort::Path => "original_path",
            Sort::Id => "id",
            Sort::Size => "file_size",
            Sort::Created => "created_at",
            Sort::Updated => "updated_at",
            Sort::Accessed => "last_accessed",
        });
        sql.push(if wanted.descending { " DESC, id DESC" } else { ", id" });
        if let Some(limit) = wanted.limit {
            sql.push(" LIMIT ").push_bind(i64::from(limit));
        }
        sql.push(" OFFSET ").push_bind(i64::try_from(wanted.offset).unwrap_or(i64::MAX));

        let mut unit = begin(&self.pool).await?;
        let found = sql.build().persistent(false).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        Ok(found.iter().filter_map(|row| rows::entry(row).ok()).collect())
    }

    pub(super) async fn totals_once(&self) -> Result<Totals> {
        let count = |place: i64| format!("count(*) FILTER (WHERE {} = {place})", place!());
        let sql = format!(
            "SELECT count(*), {}, {}, {}, coalesce(sum(file_size), 0)::bigint,
                pg_total_relation_size('image_cache') + pg_total_relation_size('image_cache_chunk')
                + pg_total_relation_size('image_cache_loose_object')
            FROM image_cache",
            count(1),
            count(2),
            count(3)
        );
        let mut unit = begin(&self.pool).await?;
        let row = built_query(sql).fetch_one(&mut *unit).await?;
        unit.commit().await?;
        rows::totals(&row)
    }
}
