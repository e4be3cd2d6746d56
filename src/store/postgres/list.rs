//! Lists and figures from PostgreSQL. Rows of the table are small, because payloads are kept apart from them:
//! to go through all of them is quick, and to sort the first few of them as well.

use sqlx::{QueryBuilder, Result, Row};

use crate::store::postgres::read::{micros, place};
use crate::store::postgres::{Postgres, built_query, query};
use crate::store::retry::begin;
use crate::store::rows;
use crate::store::{Growth, ListQuery, Page, Sort, Totals};

/// What `sort` sorts by: the column, the same as an expression that no index has, and its type.
///
/// The planner takes one row in three to match any filter. Where hardly one does, it would go through
/// the whole table in the order of an index, which is ten times slower than as it lies there.
fn key(sort: Sort) -> (&'static str, &'static str, &'static str) {
    match sort {
        Sort::Path => ("original_path", "original_path || ''", "text"),
        Sort::Id => ("id", "id", "bigint"),
        Sort::Size => ("file_size", "file_size", "bigint"),
        Sort::Created => ("created_at", "created_at", "timestamptz"),
        Sort::Updated => ("updated_at", "updated_at + interval '0'", "timestamptz"),
        Sort::Accessed => ("last_accessed", "last_accessed", "timestamptz"),
    }
}

/// `FROM image_cache WHERE …`, with everything that decides which rows are listed.
fn push_choice(sql: &mut QueryBuilder<sqlx::Postgres>, wanted: &ListQuery) {
    sql.push(" FROM image_cache WHERE true");
    if let Some(part) = &wanted.search {
        sql.push(" AND strpos(original_path, ").push_bind(part.clone()).push(") > 0");
    }
    if let Some(path) = &wanted.path {
        sql.push(" AND original_path = ").push_bind(path.as_str().to_owned());
    }
    if let Some(ids) = &wanted.ids {
        sql.push(" AND id = ANY(").push_bind(ids.clone()).push(")");
    }
    if let Some(start) = &wanted.mime {
        sql.push(" AND strpos(content_type_header, ").push_bind(start.clone()).push(") = 1");
    }
    if let Some(place) = wanted.payload {
        sql.push(concat!(" AND ", place!(), " = ")).push_bind(rows::place_number(place));
    }
    if let Some(has_data) = wanted.has_data {
        sql.push(concat!(" AND ", place!())).push(if has_data { " <> 0" } else { " = 0" });
    }
    if let Some(days) = wanted.not_accessed_days {
        sql.push(" AND last_accessed < now() - interval '1 day' * ").push_bind(f64::from(days));
    }
}

impl Postgres {
    pub(super) async fn page_once(&self, wanted: &ListQuery) -> Result<Page> {
        let (column, sorted, kind) = key(wanted.sort);
        let mut sql = QueryBuilder::<sqlx::Postgres>::new(concat!(
            "SELECT id, content_type, object_id, original_path, ",
            place!(),
            ", chunk_set, image_url, file_size, content_type_header, ",
            micros!("created_at"),
            ", ",
            micros!("updated_at"),
            ", ",
            micros!("last_accessed"),
            ", sha256, mtime_ns, mode::bigint, "
        ));
        // What a row is made into is worked out for the rows of the page alone.
        sql.push(column).push("::text AS sorted_by FROM (SELECT id AS page_id");
        push_choice(&mut sql, wanted);
        let (beyond, order) =
            if wanted.descending { ("<", " DESC, id DESC") } else { (">", ", id") };
        if let Some(after) = &wanted.after {
            if wanted.sort == Sort::Id {
                sql.push(format_args!(" AND id {beyond} ")).push_bind(after.id);
            } else {
                sql.push(format_args!(" AND ({column}, id) {beyond} ("));
                sql.push_bind(after.key.clone()).push(format_args!("::{kind}, "));
                sql.push_bind(after.id).push(")");
            }
        }
        sql.push(" ORDER BY ").push(if wanted.is_filtered() { sorted } else { column }).push(order);
        if wanted.limit.is_some() {
            sql.push(" LIMIT ").push_bind(wanted.rows());
        }
        sql.push(" OFFSET ").push_bind(wanted.passed_over());
        sql.push(") page JOIN image_cache ON id = page_id ORDER BY ").push(column).push(order);

        let mut unit = begin(&self.pool).await?;
        let found = sql.build().persistent(false).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        Ok(rows::page(&found, wanted.limit))
    }

    pub(super) async fn count_once(&self, wanted: &ListQuery, most: u64) -> Result<u64> {
        let mut sql = QueryBuilder::<sqlx::Postgres>::new("SELECT count(*) FROM (SELECT 1");
        push_choice(&mut sql, wanted);
        sql.push(" LIMIT ").push_bind(i64::try_from(most).unwrap_or(i64::MAX)).push(") counted");
        let mut unit = begin(&self.pool).await?;
        let row = sql.build().persistent(false).fetch_one(&mut *unit).await?;
        unit.commit().await?;
        row.try_get(0).map(rows::size)
    }

    pub(super) async fn growth_once(&self, days: u32) -> Result<Vec<Growth>> {
        let sql = "SELECT extract(epoch FROM day)::bigint * 1000000, count(*), sum(file_size)::bigint
            FROM (SELECT (created_at AT TIME ZONE 'UTC')::date AS day, file_size
                FROM image_cache WHERE isfinite(created_at) AND created_at >=
                    date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 day' * $1
            ) entry GROUP BY day ORDER BY day";
        let mut unit = begin(&self.pool).await?;
        let found = query(sql).bind(f64::from(days)).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        found.iter().map(rows::growth).collect()
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
