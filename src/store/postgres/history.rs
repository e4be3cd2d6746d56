//! Former entries in PostgreSQL.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{PgConnection, QueryBuilder, Result, Row};

use crate::model::entry::ChunkSet;
use crate::model::version::{Leaving, Past, Trash, Undeleted, Why};
use crate::model::{Timestamp, UploadPath};
use crate::store::history::{History, HistoryPage, HistoryQuery, HistoryTotals, Which, age_micros};
use crate::store::postgres::read::{fetched_from, micros, place};
use crate::store::postgres::{Postgres, ledger, list, query, write};
use crate::store::put::LetGo;
use crate::store::retry::unit;
use crate::store::{Fetched, StoreError, rows};

/// What an entry and a version have in common, but for their id and `last_accessed`.
macro_rules! kept {
    () => {
        "content_type, object_id, original_path, image_url, file_size, content_type_header, \
         created_at, updated_at, sha256, mtime_ns, mode, chunk_set, image_data"
    };
}

/// Copies entries into the history, in the transaction that takes them from where they are.
pub(super) async fn keep(connection: &mut PgConnection, ids: &[i64], why: Why) -> Result<()> {
    let sql = concat!(
        "INSERT INTO image_cache_history (",
        kept!(),
        ", last_accessed, ended_at, why) SELECT ",
        kept!(),
        ", last_accessed, now(), $2 FROM image_cache WHERE id = ANY($1) ORDER BY id"
    );
    query(sql).bind(ids).bind(why.as_str()).execute(connection).await?;
    Ok(())
}

/// Forgets the oldest versions of paths that have more than `most`.
pub(super) async fn trim(
    connection: &mut PgConnection,
    paths: &[&str],
    most: u32,
) -> Result<LetGo> {
    let sql = "DELETE FROM image_cache_history WHERE id IN (
            SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY original_path ORDER BY id DESC) AS place
                FROM image_cache_history WHERE original_path = ANY($1) AND why = 'replaced'
            ) version WHERE place > $2)
        RETURNING chunk_set, sha256, image_url, file_size";
    let rows = query(sql).bind(paths).bind(i64::from(most)).fetch_all(connection).await?;
    Ok(rows::let_go(&rows))
}

impl Postgres {
    pub(super) async fn trash_once(&self, entries: &[Leaving], by: Trash) -> Result<u64> {
        // In the order in which a put takes them.
        let look = "SELECT id, sha256 FROM image_cache WHERE id = ANY($1)
            ORDER BY original_path FOR UPDATE";
        let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
        let mut unit = self.begin().await?;
        let found = query(look).bind(ids).fetch_all(&mut *unit).await?;
        let ids = rows::leaving(&found, entries)?;
        keep(&mut unit, &ids, Why::Trash(by)).await?;
        query("DELETE FROM image_cache WHERE id = ANY($1)").bind(&ids).execute(&mut *unit).await?;
        unit.commit().await?;
        Ok(ids.len() as u64)
    }

    pub(super) async fn undelete_once(&self, paths: &[UploadPath]) -> Result<Vec<Undeleted>> {
        let newest = "SELECT id FROM image_cache_history WHERE id IN (
                SELECT max(id) FROM image_cache_history
                WHERE original_path = ANY($1) AND why = ANY($2) GROUP BY original_path)
            ORDER BY original_path FOR UPDATE";
        let give_back = concat!(
            "INSERT INTO image_cache (",
            kept!(),
            ", last_accessed) SELECT ",
            kept!(),
            ", now() FROM image_cache_history WHERE id = ANY($1) ORDER BY original_path
            ON CONFLICT (original_path) DO NOTHING RETURNING original_path"
        );
        let forget =
            "DELETE FROM image_cache_history WHERE id = ANY($1) AND original_path = ANY($2)";
        let look = "SELECT original_path, id FROM image_cache WHERE original_path = ANY($1)";
        let texts: Vec<&str> = paths.iter().map(UploadPath::as_str).collect();
        let mut unit = self.begin().await?;
        let found =
            query(newest).bind(&texts).bind(Which::Trash.words()).fetch_all(&mut *unit).await?;
        let ids: Vec<i64> = found.iter().map(|row| row.try_get(0)).collect::<Result<_>>()?;
        let given = query(give_back).bind(&ids).fetch_all(&mut *unit).await?;
        let back: Vec<String> = given.iter().map(|row| row.try_get(0)).collect::<Result<_>>()?;
        query(forget).bind(&ids).bind(&back).execute(&mut *unit).await?;
        let there = query(look).bind(&texts).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        rows::undeleted(&there, paths, &HashSet::from_iter(back))
    }

    pub(super) async fn overdue_once(
        &self,
        which: Which,
        age: Duration,
        most: usize,
    ) -> Result<Vec<i64>> {
        let sql = "SELECT id FROM image_cache_history WHERE why = ANY($1)
            AND ended_at < now() - interval '1 microsecond' * $2 LIMIT $3";
        let mut unit = self.begin().await?;
        let found = query(sql)
            .bind(which.words())
            .bind(age_micros(age) as f64)
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(&mut *unit)
            .await?;
        unit.commit().await?;
        found.iter().map(|row| row.try_get(0)).collect()
    }

    pub(super) async fn forget_once(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>)> {
        let sql = "DELETE FROM image_cache_history WHERE id = ANY($1)
            RETURNING chunk_set, sha256, image_url, file_size";
        let mut unit = self.begin().await?;
        let rows = query(sql).bind(ids).fetch_all(&mut *unit).await?;
        let let_go = rows::let_go(&rows);
        write::remove_loose(&mut unit, &let_go.sets).await?;
        ledger::loosen(&mut unit, &let_go.objects).await?;
        unit.commit().await?;
        Ok((rows.len() as u64, let_go.sets))
    }

    async fn history_once(&self, wanted: &HistoryQuery) -> Result<HistoryPage> {
        let mut sql = QueryBuilder::<sqlx::Postgres>::new(concat!(
            "SELECT ",
            rows::entry_columns!("mode::bigint"),
            ", ",
            micros!("ended_at"),
            ", why FROM image_cache_history WHERE why = ANY("
        ));
        sql.push_bind(wanted.which.words()).push(") AND id < ").push_bind(wanted.below());
        if let Some(path) = &wanted.path {
            sql.push(" AND original_path = ").push_bind(path.as_str().to_owned());
        }
        if let Some(part) = &wanted.search {
            sql.push(" AND original_path LIKE ").push_bind(list::contains(part));
        }
        if let Some(place) = wanted.payload {
            sql.push(" AND ").push(list::lies(place));
        }
        sql.push(" ORDER BY id DESC");
        if wanted.limit.is_some() {
            sql.push(" LIMIT ").push_bind(wanted.rows());
        }
        let mut unit = self.begin().await?;
        let found = sql.build().persistent(false).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        Ok(rows::history_page(&found, wanted.limit))
    }

    async fn history_totals_once(&self) -> Result<HistoryTotals> {
        let sql = "SELECT why, count(*), sum(file_size)::bigint
            FROM image_cache_history GROUP BY why";
        let mut unit = self.begin().await?;
        let found = query(sql).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        rows::history_totals(&found)
    }

    async fn state_at_once(
        &self,
        time: Timestamp,
        each: &mut (dyn FnMut(Past) + Send),
    ) -> Result<()> {
        macro_rules! rows_by_then {
            ($is_entry:literal, $table:literal) => {
                concat!(
                    "SELECT ",
                    rows::past_columns!($is_entry, "mode::bigint"),
                    " FROM ",
                    $table,
                    " WHERE ",
                    micros!("least(created_at, updated_at)"),
                    " <= $1"
                )
            };
        }
        let sql = concat!(
            rows_by_then!("1::bigint", "image_cache"),
            " UNION ALL ",
            rows_by_then!("0::bigint", "image_cache_history"),
            " AND ",
            micros!("ended_at"),
            " > $1 ORDER BY original_path"
        );
        let mut unit = self.begin().await?;
        let found = query(sql).bind(time.0).fetch(&mut *unit);
        rows::past_state(found, time, each).await?;
        unit.commit().await
    }
}

#[async_trait]
impl History for Postgres {
    async fn history(&self, query: &HistoryQuery) -> Result<HistoryPage, StoreError> {
        let done = unit(|| self.history_once(query)).await;
        self.told("list versions", done).await
    }

    async fn history_totals(&self) -> Result<HistoryTotals, StoreError> {
        let done = unit(|| self.history_totals_once()).await;
        self.told("count versions", done).await
    }

    async fn state_at(
        &self,
        time: Timestamp,
        each: &mut (dyn FnMut(Past) + Send),
    ) -> Result<(), StoreError> {
        let done = self.state_at_once(time, each).await;
        self.told("read a past state", done).await
    }

    async fn fetch_history(
        &self,
        ids: &[i64],
        each: &mut (dyn for<'row> FnMut(Fetched<'row>) + Send),
    ) -> Result<(), StoreError> {
        let done = self.fetch_once(fetched_from!("image_cache_history"), ids, each).await;
        self.told(format!("fetch {} versions", ids.len()), done).await
    }
}
