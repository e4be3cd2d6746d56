//! Lists and figures from an SQLite file. They read the index `image_cache_list` or that of their order, and of
//! the table only the rows of one page.

use std::sync::atomic::Ordering;

use sqlx::{QueryBuilder, Result};

use crate::store::listing::Basis;
use crate::store::rows;
use crate::store::sqlite::read::{micros, place};
use crate::store::sqlite::{Sqlite, json};
use crate::store::{Growth, ListQuery, Page, Sort, Totals};

/// What `sort` sorts by: the column, its text, and how that text is read again.
fn key(sort: Sort) -> (&'static str, &'static str, &'static str) {
    match sort {
        Sort::Path => ("original_path", "original_path", "?"),
        Sort::Id => ("id", "''", "?"),
        // Others may have written a text.
        Sort::Size => {
            ("CAST(file_size AS INTEGER)", "CAST(file_size AS TEXT)", "CAST(? AS INTEGER)")
        }
        Sort::Created => ("created_at", "created_at", "?"),
        Sort::Updated => ("updated_at", "updated_at", "?"),
        Sort::Accessed => ("last_accessed", "last_accessed", "?"),
    }
}

/// The index that is read; `None` where the keys of the table find the rows.
fn index(wanted: &ListQuery, basis: Basis) -> Option<&'static str> {
    let by_path = wanted.sort == Sort::Path && !wanted.reads_more_than_paths();
    match (wanted.walks(basis), wanted.sort) {
        _ if wanted.is_named() || by_path => None,
        (_, Sort::Id) | (true, Sort::Path) => None,
        (true, Sort::Size) => Some("image_cache_size"),
        (true, Sort::Created) => Some("image_cache_created"),
        (true, Sort::Accessed) => Some("image_cache_accessed"),
        (_, Sort::Updated) => Some("image_cache_list"),
        _ if wanted.are_oldest(basis) => Some("image_cache_accessed"),
        _ => Some("image_cache_list"),
    }
}

/// `FROM image_cache … WHERE …`, with everything that decides which rows are listed.
fn push_choice(sql: &mut QueryBuilder<sqlx::Sqlite>, wanted: &ListQuery, basis: Basis) {
    sql.push(" FROM image_cache ");
    if let Some(index) = index(wanted, basis) {
        sql.push(format_args!("INDEXED BY {index} "));
    }
    sql.push("WHERE true");
    if let Some(part) = &wanted.search {
        sql.push(" AND instr(original_path, ").push_bind(part.clone()).push(") > 0");
    }
    if let Some(path) = &wanted.path {
        sql.push(" AND original_path = ").push_bind(path.as_str().to_owned());
    }
    if let Some(ids) = &wanted.ids {
        sql.push(" AND id IN (SELECT value FROM json_each(").push_bind(json(ids)).push("))");
    }
    if let Some(start) = &wanted.mime {
        sql.push(" AND instr(content_type_header, ").push_bind(start.clone()).push(") = 1");
    }
    if let Some(place) = wanted.payload {
        sql.push(concat!(" AND ", place!(), " = ")).push_bind(rows::place_number(place));
    }
    if let Some(has_data) = wanted.has_data {
        sql.push(concat!(" AND ", place!())).push(if has_data { " <> 0" } else { " = 0" });
    }
    if let Some(days) = wanted.not_accessed_days {
        sql.push(" AND last_accessed < strftime('%Y-%m-%d %H:%M:%f000', 'now', ")
            .push_bind(format!("-{days} days"))
            .push(")");
    }
}

/// The ids of the rows of a page, and how many rows there are where that is counted.
fn push_page(sql: &mut QueryBuilder<sqlx::Sqlite>, wanted: &ListQuery, basis: Basis) {
    let (column, _, read) = key(wanted.sort);
    let column = match basis {
        Basis::All(None) | Basis::Many => {
            sql.push("SELECT id AS page_id, NULL AS total");
            push_choice(sql, wanted, basis);
            column
        }
        Basis::All(Some(most)) => {
            sql.push("SELECT id AS page_id, (SELECT count(*) FROM (SELECT 1");
            push_choice(sql, wanted, basis);
            sql.push(" LIMIT ").push_bind(most).push(")) AS total");
            push_choice(sql, wanted, basis);
            column
        }
        Basis::First(most) => {
            sql.push(
                "SELECT id AS page_id, total FROM (SELECT id, sorted_by, count(*) OVER () AS total",
            );
            sql.push(format_args!(" FROM (SELECT id, {column} AS sorted_by"));
            push_choice(sql, wanted, basis);
            sql.push(" LIMIT ").push_bind(most).push(")) WHERE true");
            "sorted_by"
        }
    };
    let (beyond, order) = wanted.order();
    if let Some(spot) = wanted.beside() {
        if wanted.sort == Sort::Id {
            sql.push(format_args!(" AND id {beyond} ")).push_bind(spot.id);
        } else {
            sql.push(format_args!(" AND ({column}, id) {beyond} ("));
            let (before, behind) = read.split_once('?').expect("a place for the key");
            sql.push(before).push_bind(spot.key.clone()).push(behind);
            sql.push(", ").push_bind(spot.id).push(")");
        }
    }
    sql.push(" ORDER BY ").push(column).push(order);
    sql.push(" LIMIT ").push_bind(wanted.rows());
    sql.push(" OFFSET ").push_bind(wanted.passed_over());
}

/// The statement that lists a page.
fn page(wanted: &ListQuery, basis: Basis) -> QueryBuilder<sqlx::Sqlite> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", rows::entry_columns!("mode"), ", "));
    let (column, text, _) = key(wanted.sort);
    sql.push(text).push(", total FROM (");
    push_page(&mut sql, wanted, basis);
    let (_, order) = wanted.order();
    sql.push(") CROSS JOIN image_cache ON id = page_id ORDER BY ").push(column).push(order);
    sql
}

impl Sqlite {
    pub(super) async fn page_once(&self, wanted: &ListQuery) -> Result<Page> {
        let basis = wanted.basis();
        let mut select = page(wanted, basis);
        let listed = rows::page(&select.build().fetch_all(&self.pool).await?, wanted);
        if !wanted.is_any(basis, &listed) {
            return Ok(listed);
        }
        let mut select = page(wanted, Basis::Many);
        let found = select.build().fetch_all(&self.pool).await?;
        Ok(wanted.settle(&listed, rows::page(&found, wanted)))
    }

    pub(super) async fn growth_once(&self, days: u32) -> Result<Vec<Growth>> {
        let sql = "SELECT coalesce(unixepoch(day) * 1000000, 0), entries, bytes FROM (
                SELECT substr(created_at, 1, 10) AS day, count(*) AS entries, sum(file_size) AS bytes
                FROM image_cache INDEXED BY image_cache_created
                WHERE created_at >= date('now', ?) GROUP BY 1) ORDER BY day";
        let found = sqlx::query(sql).bind(format!("-{days} days")).fetch_all(&self.pool).await?;
        found.iter().map(rows::growth).collect()
    }

    pub(super) async fn totals_once(&self) -> Result<Totals> {
        // The pages of a file that is the app's as well say nothing about our tables.
        let sql = concat!(
            "SELECT count(*), coalesce(sum(place = 1), 0), coalesce(sum(place = 2), 0),
                coalesce(sum(place = 3), 0), coalesce(sum(file_size), 0),
                CASE WHEN ? THEN (SELECT page_count FROM pragma_page_count)
                    * (SELECT page_size FROM pragma_page_size) END
            FROM (SELECT file_size, ",
            place!(),
            " AS place FROM image_cache INDEXED BY image_cache_list)"
        );
        let mut connection = self.pool.acquire().await?;
        let ours = self.ours.load(Ordering::Relaxed);
        rows::totals(&sqlx::query(sql).bind(ours).fetch_one(&mut *connection).await?)
    }
}
