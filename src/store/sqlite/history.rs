//! Former entries in an SQLite file.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{QueryBuilder, Result, Row, SqliteConnection};

use crate::model::entry::ChunkSet;
use crate::model::version::{Leaving, Past, Trash, Undeleted, Why};
use crate::model::{Timestamp, UploadPath};
use crate::store::history::{History, HistoryPage, HistoryQuery, HistoryTotals, Which, age_micros};
use crate::store::put::LetGo;
use crate::store::retry::unit;
use crate::store::sqlite::read::{fetched_from, micros, place};
use crate::store::sqlite::{Sqlite, json, ledger, write};
use crate::store::{Fetched, StoreError, rows};

/// What an entry and a version have in common, but for their id and `last_accessed`.
macro_rules! kept {
    () => {
        "content_type, object_id, original_path, image_url, file_size, content_type_header, \
         created_at, updated_at, sha256, mtime_ns, mode, chunk_set, image_data"
    };
}

/// Now, as this database writes it: what ends a content and what begins the next one is one moment, and a
/// statement has its own.
pub(super) async fn moment(connection: &mut SqliteConnection) -> Result<String> {
    let sql = "SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now')";
    sqlx::query(sql).fetch_one(connection).await?.try_get(0)
}

/// Copies entries into the history, in the transaction that takes them from where they are.
pub(super) async fn keep(
    connection: &mut SqliteConnection,
    ids: &[i64],
    why: Why,
    moment: &str,
) -> Result<()> {
    let sql = concat!(
        "INSERT INTO image_cache_history (",
        kept!(),
        ", last_accessed, ended_at, why) SELECT ",
        kept!(),
        ", last_accessed, $2, $3 FROM image_cache WHERE id IN (SELECT value FROM json_each($1))"
    );
    sqlx::query(sql).bind(json(&ids)).bind(moment).bind(why.as_str()).execute(connection).await?;
    Ok(())
}

/// Forgets the oldest versions of paths that have more than `most`.
pub(super) async fn trim(
    connection: &mut SqliteConnection,
    paths: &[&str],
    most: u32,
) -> Result<LetGo> {
    let sql = "DELETE FROM image_cache_history WHERE id IN (
            SELECT id FROM (
                SELECT id, row_number() OVER (PARTITION BY original_path ORDER BY id DESC) AS place
                FROM image_cache_history
                WHERE original_path IN (SELECT value FROM json_each($1)) AND why = 'replaced'
            ) WHERE place > $2)
        RETURNING chunk_set, sha256, image_url, file_size";
    let rows = sqlx::query(sql).bind(json(&paths)).bind(most).fetch_all(connection).await?;
    Ok(rows::let_go(&rows))
}

impl Sqlite {
    pub(super) async fn trash_once(&self, entries: &[Leaving], by: Trash) -> Result<u64> {
        let look =
            "SELECT id, sha256 FROM image_cache WHERE id IN (SELECT value FROM json_each(?))";
        let take = "DELETE FROM image_cache WHERE id IN (SELECT value FROM json_each(?))";
        let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
        let mut writing = self.write().await?;
        let found = sqlx::query(look).bind(json(&ids)).fetch_all(&mut *writing.unit).await?;
        let ids = rows::leaving(&found, entries)?;
        let moment = moment(&mut writing.unit).await?;
        keep(&mut writing.unit, &ids, Why::Trash(by), &moment).await?;
        sqlx::query(take).bind(json(&ids)).execute(&mut *writing.unit).await?;
        writing.commit().await?;
        Ok(ids.len() as u64)
    }

    pub(super) async fn undelete_once(&self, paths: &[UploadPath]) -> Result<Vec<Undeleted>> {
        let newest = "SELECT max(id) FROM image_cache_history
            WHERE original_path IN (SELECT value FROM json_each($1))
                AND why IN (SELECT value FROM json_each($2)) GROUP BY original_path";
        let give_back = concat!(
            "INSERT INTO image_cache (",
            kept!(),
            ", last_accessed) SELECT ",
            kept!(),
            ", strftime('%Y-%m-%d %H:%M:%f000', 'now') FROM image_cache_history
            WHERE id IN (SELECT value FROM json_each($1))
            ON CONFLICT (original_path) DO NOTHING RETURNING original_path"
        );
        let forget = "DELETE FROM image_cache_history WHERE id IN (SELECT value FROM json_each($1))
            AND original_path IN (SELECT value FROM json_each($2))";
        let look = "SELECT original_path, id FROM image_cache
            WHERE original_path IN (SELECT value FROM json_each($1))";
        let texts: Vec<&str> = paths.iter().map(UploadPath::as_str).collect();
        let mut writing = self.write().await?;
        let unit = &mut *writing.unit;
        let found = sqlx::query(newest)
            .bind(json(&texts))
            .bind(json(&Which::Trash.words()))
            .fetch_all(&mut *unit)
            .await?;
        let ids: Vec<i64> = found.iter().map(|row| row.try_get(0)).collect::<Result<_>>()?;
        let given = sqlx::query(give_back).bind(json(&ids)).fetch_all(&mut *unit).await?;
        let back: Vec<String> = given.iter().map(|row| row.try_get(0)).collect::<Result<_>>()?;
        sqlx::query(forget).bind(json(&ids)).bind(json(&back)).execute(&mut *unit).await?;
        let there = sqlx::query(look).bind(json(&texts)).fetch_all(&mut *unit).await?;
        writing.commit().await?;
        rows::undeleted(&there, paths, &HashSet::from_iter(back))
    }

    pub(super) async fn overdue_once(
        &self,
        which: Which,
        age: Duration,
        most: usize,
    ) -> Result<Vec<i64>> {
        let sql = "SELECT id FROM image_cache_history
            WHERE why IN (SELECT value FROM json_each($1))
                AND ended_at < strftime('%Y-%m-%d %H:%M:%f000', 'now', $2) LIMIT $3";
        let micros = age_micros(age);
        let found = sqlx::query(sql)
            .bind(json(&which.words()))
            .bind(format!("-{}.{:06} seconds", micros / 1_000_000, micros % 1_000_000))
            .bind(i64::try_from(most).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        found.iter().map(|row| row.try_get(0)).collect()
    }

    pub(super) async fn forget_once(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>)> {
        let sql = "DELETE FROM image_cache_history WHERE id IN (SELECT value FROM json_each($1))
            RETURNING chunk_set, sha256, image_url, file_size";
        let mut writing = self.write().await?;
        let rows = sqlx::query(sql).bind(json(&ids)).fetch_all(&mut *writing.unit).await?;
        let let_go = rows::let_go(&rows);
        write::remove_loose(&mut writing.unit, &let_go.sets).await?;
        ledger::loosen(&mut writing.unit, &let_go.objects).await?;
        writing.commit().await?;
        Ok((rows.len() as u64, let_go.sets))
    }

    async fn history_once(&self, wanted: &HistoryQuery) -> Result<HistoryPage> {
        let mut sql = QueryBuilder::<sqlx::Sqlite>::new(concat!(
            "SELECT ",
            rows::entry_columns!("mode"),
            ", ",
            micros!("ended_at"),
            ", why FROM (SELECT id AS page_id FROM image_cache_history"
        ));
        // There may be a hundred versions, with their payloads, between two rows of the trash.
        if wanted.which == Which::Trash && wanted.path.is_none() {
            sql.push(" INDEXED BY image_cache_history_end");
        }
        sql.push(" WHERE why IN (SELECT value FROM json_each(")
            .push_bind(json(&wanted.which.words()))
            .push(")) AND id < ")
            .push_bind(wanted.below());
        if let Some(path) = &wanted.path {
            sql.push(" AND original_path = ").push_bind(path.as_str().to_owned());
        }
        if let Some(part) = &wanted.search {
            sql.push(" AND instr(original_path, ").push_bind(part.clone()).push(") > 0");
        }
        if let Some(place) = wanted.payload {
            sql.push(concat!(" AND ", place!(), " = ")).push_bind(rows::place_number(place));
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(wanted.rows());
        sql.push(") CROSS JOIN image_cache_history ON id = page_id ORDER BY id DESC");
        let found = sql.build().fetch_all(&self.pool).await?;
        Ok(rows::history_page(&found, wanted.limit))
    }

    async fn history_totals_once(&self) -> Result<HistoryTotals> {
        let sql = "SELECT why, count(*), CAST(sum(file_size) AS INTEGER)
            FROM image_cache_history GROUP BY why";
        let found = sqlx::query(sql).fetch_all(&self.pool).await?;
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
                    rows::past_columns!($is_entry, "mode"),
                    " FROM ",
                    $table,
                    " WHERE ",
                    micros!("min(created_at, updated_at)"),
                    " <= $1"
                )
            };
        }
        let sql = concat!(
            rows_by_then!("1", "image_cache"),
            " UNION ALL ",
            rows_by_then!("0", "image_cache_history"),
            " AND ",
            micros!("ended_at"),
            " > $1 ORDER BY original_path"
        );
        rows::past_state(sqlx::query(sql).bind(time.0).fetch(&self.pool), time, each).await
    }
}

#[async_trait]
impl History for Sqlite {
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
