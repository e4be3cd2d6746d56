//! Lists and figures from PostgreSQL. Rows of the table are small, because payloads are kept apart from them:
//! to go through all of them is quick, and to sort the first few of them as well.

use sqlx::{QueryBuilder, Result};

use crate::model::entry::PayloadKind;
use crate::store::listing::Basis;
use crate::store::postgres::read::{micros, place};
use crate::store::postgres::{Postgres, query};
use crate::store::rows;
use crate::store::{Growth, ListQuery, Page, Sort, Totals};

/// What `sort` sorts by: the column, the same as an expression that no index has, and its type.
///
/// The planner may take many rows to match where hardly one does: of a table that nobody has analyzed yet it knows
/// nothing. Then it would go through the whole table in the order of an index, which is ten times slower than as it
/// lies there.
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

/// The pattern of texts that contain this one, byte by byte.
///
/// `LIKE` rather than `strpos`: the planner knows from samples how many rows match such a pattern. Where hardly one
/// does, several processes go through the table, or an index finds them; where many do, the first are soon found.
pub(super) fn contains(part: &str) -> String {
    format!("%{}%", literal(part))
}

/// The pattern of texts that begin with this one.
fn begins(start: &str) -> String {
    format!("{}%", literal(start))
}

/// A text as a part of a pattern that stands for itself.
fn literal(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

/// That the bytes are there, as `place!` has it, in words that the planner has indexes and samples for.
pub(super) fn lies(place: PayloadKind) -> &'static str {
    match place {
        PayloadKind::Inline => "image_data IS NOT NULL",
        PayloadKind::Chunks => "image_data IS NULL AND chunk_set IS NOT NULL",
        PayloadKind::Url => "image_data IS NULL AND chunk_set IS NULL AND image_url <> ''",
        PayloadKind::None => "image_data IS NULL AND chunk_set IS NULL AND image_url = ''",
    }
}

/// `FROM image_cache WHERE …`, with everything that decides which rows are listed.
fn push_choice(sql: &mut QueryBuilder<sqlx::Postgres>, wanted: &ListQuery) {
    sql.push(" FROM image_cache WHERE true");
    if let Some(part) = &wanted.search {
        sql.push(" AND original_path LIKE ").push_bind(contains(part));
    }
    if let Some(path) = &wanted.path {
        sql.push(" AND original_path = ").push_bind(path.as_str().to_owned());
    }
    if let Some(ids) = &wanted.ids {
        sql.push(" AND id = ANY(").push_bind(ids.clone()).push(")");
    }
    if let Some(start) = &wanted.mime {
        // As the index has it, which has no room for whatever others may write.
        sql.push(" AND left(content_type_header, 255) LIKE ").push_bind(begins(start));
    }
    if let Some(place) = wanted.payload {
        sql.push(" AND ").push(lies(place));
    }
    if let Some(has_data) = wanted.has_data {
        let lost = lies(PayloadKind::None);
        sql.push(if has_data { " AND NOT (" } else { " AND (" }).push(lost).push(")");
    }
    if let Some(days) = wanted.not_accessed_days {
        // Selected, so that it is worked out once and not for each row.
        sql.push(" AND last_accessed < (SELECT now() - interval '1 day' * ")
            .push_bind(f64::from(days))
            .push(")");
    }
}

/// The ids of the rows of a page, and how many rows there are where that is counted.
fn push_page(sql: &mut QueryBuilder<sqlx::Postgres>, wanted: &ListQuery, basis: Basis) {
    let (column, sorted, kind) = key(wanted.sort);
    let column = match basis {
        Basis::All(None) | Basis::Many => {
            sql.push("SELECT id AS page_id, NULL::bigint AS total");
            push_choice(sql, wanted);
            column
        }
        Basis::All(Some(most)) => {
            sql.push(
                "SELECT id AS page_id, (SELECT count(*) FROM (SELECT 1 FROM image_cache LIMIT ",
            );
            sql.push_bind(most).push(") counted) AS total");
            push_choice(sql, wanted);
            column
        }
        Basis::First(most) => {
            sql.push(
                "SELECT id AS page_id, total FROM (SELECT id, sorted_by, count(*) OVER () AS total",
            );
            sql.push(format_args!(" FROM (SELECT id, {column} AS sorted_by"));
            push_choice(sql, wanted);
            sql.push(" LIMIT ").push_bind(most).push(") found) counted WHERE true");
            "sorted_by"
        }
    };
    let (beyond, order) = wanted.order();
    if let Some(spot) = wanted.beside() {
        if wanted.sort == Sort::Id {
            sql.push(format_args!(" AND id {beyond} ")).push_bind(spot.id);
        } else {
            sql.push(format_args!(" AND ({column}, id) {beyond} ("));
            sql.push_bind(spot.key.clone()).push(format_args!("::{kind}, "));
            sql.push_bind(spot.id).push(")");
        }
    }
    let walks = wanted.walks(basis) || matches!(basis, Basis::First(_));
    sql.push(" ORDER BY ").push(if walks { column } else { sorted }).push(order);
    if wanted.limit.is_some() {
        sql.push(" LIMIT ").push_bind(wanted.rows());
    }
    sql.push(" OFFSET ").push_bind(wanted.passed_over());
}

/// The statement that lists a page.
fn page(wanted: &ListQuery, basis: Basis) -> QueryBuilder<sqlx::Postgres> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", rows::entry_columns!("mode::bigint"), ", "));
    let (column, ..) = key(wanted.sort);
    // What a row is made into is worked out for the rows of the page alone.
    sql.push(column).push("::text AS sorted_text, total FROM (");
    push_page(&mut sql, wanted, basis);
    let (_, order) = wanted.order();
    sql.push(") page JOIN image_cache ON id = page_id ORDER BY ").push(column).push(order);
    sql
}

impl Postgres {
    pub(super) async fn page_once(&self, wanted: &ListQuery) -> Result<Page> {
        let mut unit = self.begin().await?;
        let basis = wanted.basis();
        let mut select = page(wanted, basis);
        let found = select.build().persistent(false).fetch_all(&mut *unit).await?;
        let mut listed = rows::page(&found, wanted);
        if wanted.is_any(basis, &listed) {
            let mut select = page(wanted, Basis::Many);
            let found = select.build().persistent(false).fetch_all(&mut *unit).await?;
            listed = wanted.settle(&listed, rows::page(&found, wanted));
        }
        unit.commit().await?;
        Ok(listed)
    }

    pub(super) async fn growth_once(&self, days: u32) -> Result<Vec<Growth>> {
        let sql = "SELECT extract(epoch FROM day)::bigint * 1000000, count(*), sum(file_size)::bigint
            FROM (SELECT (created_at AT TIME ZONE 'UTC')::date AS day, file_size
                FROM image_cache WHERE created_at >= (SELECT date_trunc('day', now() AT TIME ZONE 'UTC')
                    AT TIME ZONE 'UTC' - interval '1 day' * $1) AND isfinite(created_at)
            ) entry GROUP BY day ORDER BY day";
        let mut unit = self.begin().await?;
        let found = query(sql).bind(f64::from(days)).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        found.iter().map(rows::growth).collect()
    }

    pub(super) async fn totals_once(&self) -> Result<Totals> {
        // The same places as in `place!`: to work that out for every row takes half as long again.
        let sql = "SELECT count(*), count(image_data), count(chunk_set) FILTER (WHERE image_data IS NULL),
                count(*) FILTER (WHERE image_data IS NULL AND chunk_set IS NULL AND image_url <> ''),
                coalesce(sum(file_size), 0)::bigint,
                pg_total_relation_size('image_cache') + pg_total_relation_size('image_cache_chunk')
                + pg_total_relation_size('image_cache_loose_object')
                + pg_total_relation_size('image_cache_history')
            FROM image_cache";
        let mut unit = self.begin().await?;
        let row = query(sql).fetch_one(&mut *unit).await?;
        unit.commit().await?;
        rows::totals(&row)
    }
}
