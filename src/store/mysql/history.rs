//! Former entries in MySQL.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::MySqlRow;
use sqlx::{MySqlConnection, QueryBuilder, Result, Row};

use crate::model::entry::ChunkSet;
use crate::model::version::{Leaving, Past, Trash, Undeleted, Why};
use crate::model::{Timestamp, UploadPath};
use crate::store::history::{History, HistoryPage, HistoryQuery, HistoryTotals, Which, age_micros};
use crate::store::mysql::read::{micros, place};
use crate::store::mysql::{MySql, ledger, path_hash, push_list, write};
use crate::store::put::LetGo;
use crate::store::retry::{begin, unit};
use crate::store::{Fetched, StoreError, rows};

/// What an entry and a version have in common, but for their id and `last_accessed`.
macro_rules! kept {
    () => {
        "content_type, object_id, original_path, path_hash, image_url, file_size, content_type_header, \
         created_at, updated_at, sha256, mtime_ns, mode, chunk_set, image_data"
    };
}

/// Now, as this database writes it: what ends a content and what begins the next one is one moment, and a
/// statement has its own.
pub(super) async fn moment(connection: &mut MySqlConnection) -> Result<String> {
    let sql = "SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)";
    sqlx::query(sql).fetch_one(connection).await?.try_get(0)
}

/// Copies entries into the history, in the transaction that takes them from where they are.
pub(super) async fn keep(
    connection: &mut MySqlConnection,
    ids: &[i64],
    why: Why,
    moment: &str,
) -> Result<()> {
    let mut sql = QueryBuilder::<sqlx::MySql>::new(concat!(
        "INSERT INTO image_cache_history (",
        kept!(),
        ", last_accessed, ended_at, why) SELECT ",
        kept!(),
        ", last_accessed, "
    ));
    sql.push_bind(moment.to_owned()).push(", ").push_bind(why.as_str());
    sql.push(" FROM image_cache WHERE id IN ");
    push_list(&mut sql, ids.iter().copied(), ("", ""));
    sql.push(" ORDER BY id");
    // Hardly ever does a batch replace more than one.
    sql.build().persistent(ids.len() == 1).execute(connection).await?;
    Ok(())
}

/// Forgets the oldest versions of paths that have more than `most`.
pub(super) async fn trim(
    connection: &mut MySqlConnection,
    paths: &[&str],
    most: u32,
) -> Result<LetGo> {
    let sql = "SELECT chunk_set, sha256, image_url, file_size, id FROM image_cache_history
        WHERE path_hash = UNHEX(?) AND why = 'replaced' ORDER BY id DESC LIMIT 1000 OFFSET ?";
    let mut many = Vec::new();
    for path in paths {
        let oldest = sqlx::query(sql).bind(path_hash(path)).bind(most);
        many.extend(oldest.fetch_all(&mut *connection).await?);
    }
    let ids: Vec<i64> = many.iter().map(|row| row.try_get(4)).collect::<Result<_>>()?;
    delete(connection, &ids).await?;
    Ok(rows::let_go(&many))
}

async fn delete(connection: &mut MySqlConnection, ids: &[i64]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut sql = QueryBuilder::<sqlx::MySql>::new("DELETE FROM image_cache_history WHERE id IN ");
    push_list(&mut sql, ids.iter().copied(), ("", ""));
    sql.build().persistent(ids.len() == 1).execute(connection).await?;
    Ok(())
}

/// Rows of `select … WHERE path_hash IN (…)`, and what follows.
async fn of_paths<'p>(
    connection: &mut MySqlConnection,
    select: &str,
    paths: impl Iterator<Item = &'p str>,
    what_follows: &str,
) -> Result<Vec<MySqlRow>> {
    let mut sql = QueryBuilder::<sqlx::MySql>::new(select);
    sql.push(" WHERE path_hash IN ");
    push_list(&mut sql, paths.map(path_hash), ("UNHEX(", ")"));
    sql.push(what_follows);
    sql.build().persistent(false).fetch_all(connection).await
}

/// Rows of `select … WHERE id IN (…)`, and what follows.
async fn of_ids(
    connection: &mut MySqlConnection,
    select: &str,
    ids: &[i64],
    what_follows: &str,
) -> Result<Vec<MySqlRow>> {
    let mut sql = QueryBuilder::<sqlx::MySql>::new(select);
    sql.push(" WHERE id IN ");
    push_list(&mut sql, ids.iter().copied(), ("", ""));
    sql.push(what_follows);
    sql.build().persistent(false).fetch_all(connection).await
}

impl MySql {
    pub(super) async fn trash_once(&self, entries: &[Leaving], by: Trash) -> Result<u64> {
        let look = "SELECT id, sha256 FROM image_cache";
        let ids: Vec<i64> = entries.iter().map(|entry| entry.id).collect();
        let mut unit = begin(&self.pool).await?;
        // In the order in which a put takes them.
        let found = of_ids(&mut unit, look, &ids, " ORDER BY path_hash FOR UPDATE").await?;
        let ids = rows::leaving(&found, entries)?;
        let moment = moment(&mut unit).await?;
        keep(&mut unit, &ids, Why::Trash(by), &moment).await?;
        let mut sql = QueryBuilder::<sqlx::MySql>::new("DELETE FROM image_cache WHERE id IN ");
        push_list(&mut sql, ids.iter().copied(), ("", ""));
        sql.build().persistent(false).execute(&mut *unit).await?;
        unit.commit().await?;
        Ok(ids.len() as u64)
    }

    pub(super) async fn undelete_once(&self, paths: &[UploadPath]) -> Result<Vec<Undeleted>> {
        let paths_of = || paths.iter().map(UploadPath::as_str);
        let newest = "SELECT CAST(MAX(id) AS SIGNED) FROM image_cache_history";
        let in_the_trash = " AND why IN ('deleted', 'removed') GROUP BY path_hash FOR UPDATE";
        let occupied = "SELECT original_path FROM image_cache FORCE INDEX (image_cache_path)";
        let there = "SELECT original_path, id FROM image_cache";
        // Every look but the last one is made with a lock: it sees what is there by now, and nobody takes a
        // free path until the end.
        let mut unit = begin(&self.pool).await?;
        let found = of_paths(&mut unit, newest, paths_of(), in_the_trash).await?;
        let ids: Vec<i64> = found.iter().map(|row| row.try_get(0)).collect::<Result<_>>()?;
        let taken = of_paths(&mut unit, occupied, paths_of(), " FOR UPDATE").await?;
        let taken: HashSet<String> =
            taken.iter().map(|row| row.try_get(0)).collect::<Result<_>>()?;
        let look = "SELECT original_path, id FROM image_cache_history";
        let candidates = of_ids(&mut unit, look, &ids, " ORDER BY path_hash FOR UPDATE").await?;
        let (mut back, mut ids) = (HashSet::new(), Vec::new());
        for row in &candidates {
            let path: String = row.try_get(0)?;
            if !taken.contains(&path) {
                back.insert(path);
                ids.push(row.try_get(1)?);
            }
        }
        let mut sql = QueryBuilder::<sqlx::MySql>::new(concat!(
            "INSERT INTO image_cache (",
            kept!(),
            ", last_accessed) SELECT ",
            kept!(),
            ", UTC_TIMESTAMP(6) FROM image_cache_history WHERE id IN "
        ));
        push_list(&mut sql, ids.iter().copied(), ("", ""));
        sql.push(" ORDER BY path_hash");
        sql.build().persistent(false).execute(&mut *unit).await?;
        delete(&mut unit, &ids).await?;
        let there = of_paths(&mut unit, there, paths_of(), "").await?;
        unit.commit().await?;
        rows::undeleted(&there, paths, &back)
    }

    pub(super) async fn overdue_once(
        &self,
        which: Which,
        age: Duration,
        most: usize,
    ) -> Result<Vec<i64>> {
        let mut sql =
            QueryBuilder::<sqlx::MySql>::new("SELECT id FROM image_cache_history WHERE why IN ");
        push_list(&mut sql, which.words(), ("", ""));
        sql.push(" AND ended_at < UTC_TIMESTAMP(6) - INTERVAL ").push_bind(age_micros(age));
        sql.push(" MICROSECOND LIMIT ").push_bind(i64::try_from(most).unwrap_or(i64::MAX));
        let mut unit = begin(&self.pool).await?;
        let found = sql.build().fetch_all(&mut *unit).await?;
        unit.commit().await?;
        found.iter().map(|row| row.try_get(0)).collect()
    }

    pub(super) async fn forget_once(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>)> {
        let look = "SELECT chunk_set, sha256, image_url, file_size FROM image_cache_history";
        let room = self.room().await?;
        let mut unit = begin(&self.pool).await?;
        let rows = of_ids(&mut unit, look, ids, " FOR UPDATE").await?;
        delete(&mut unit, ids).await?;
        let let_go = rows::let_go(&rows);
        write::remove_loose(&mut unit, &let_go.sets).await?;
        ledger::loosen(&mut unit, &let_go.objects, room).await?;
        unit.commit().await?;
        Ok((rows.len() as u64, let_go.sets))
    }

    async fn history_once(&self, wanted: &HistoryQuery) -> Result<HistoryPage> {
        let mut sql = QueryBuilder::<sqlx::MySql>::new(concat!(
            "SELECT ",
            rows::entry_columns!("mode"),
            ", ",
            micros!("ended_at"),
            ", why FROM (SELECT id AS page_id FROM image_cache_history"
        ));
        // There may be a hundred versions, with their payloads, between two rows of the trash.
        if wanted.which == Which::Trash && wanted.path.is_none() {
            sql.push(" FORCE INDEX (image_cache_history_end)");
        }
        sql.push(" WHERE why IN ");
        push_list(&mut sql, wanted.which.words(), ("", ""));
        sql.push(" AND id < ").push_bind(wanted.below());
        if let Some(path) = &wanted.path {
            sql.push(" AND path_hash = UNHEX(").push_bind(path_hash(path.as_str())).push(")");
        }
        if let Some(part) = &wanted.search {
            sql.push(" AND LOCATE(").push_bind(part.clone()).push(", original_path) > 0");
        }
        if let Some(place) = wanted.payload {
            sql.push(concat!(" AND ", place!(), " = ")).push_bind(rows::place_number(place));
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(wanted.rows());
        sql.push(") page STRAIGHT_JOIN image_cache_history ON id = page_id ORDER BY id DESC");
        let mut unit = begin(&self.pool).await?;
        let found = sql.build().fetch_all(&mut *unit).await?;
        unit.commit().await?;
        Ok(rows::history_page(&found, wanted.limit))
    }

    async fn history_totals_once(&self) -> Result<HistoryTotals> {
        let sql = "SELECT why, COUNT(*), CAST(SUM(file_size) AS SIGNED)
            FROM image_cache_history GROUP BY why";
        let mut unit = begin(&self.pool).await?;
        let found = sqlx::query(sql).fetch_all(&mut *unit).await?;
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
                    rows::past_columns!($is_entry, "mode"),
                    ", path_hash FROM ",
                    $table,
                    " WHERE ",
                    micros!("LEAST(created_at, updated_at)"),
                    " <= ?"
                )
            };
        }
        let sql = concat!(
            rows_by_then!("1", "image_cache"),
            " UNION ALL ",
            rows_by_then!("0", "image_cache_history"),
            " AND ",
            micros!("ended_at"),
            " > ? ORDER BY path_hash"
        );
        let mut unit = begin(&self.pool).await?;
        let found = sqlx::query(sql).bind(time.0).bind(time.0).bind(time.0).fetch(&mut *unit);
        rows::past_state(found, time, each).await?;
        unit.commit().await
    }
}

#[async_trait]
impl History for MySql {
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
        let done = self.fetch_once("image_cache_history", ids, each).await;
        self.told(format!("fetch {} versions", ids.len()), done).await
    }
}
