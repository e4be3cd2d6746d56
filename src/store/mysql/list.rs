//! Lists and figures from MySQL. They read the index `image_cache_list` or that of their order, and of the table
//! only the rows of one page.

use sqlx::{QueryBuilder, Result};

use crate::store::listing::Basis;
use crate::store::mysql::read::{micros, place};
use crate::store::mysql::{MySql, path_hash, push_list};
use crate::store::retry::begin;
use crate::store::rows;
use crate::store::{Growth, ListQuery, Page, Sort, Totals};

/// What `sort` sorts by: the column, and its text.
fn key(sort: Sort) -> (&'static str, &'static str) {
    match sort {
        // As bytes: the collation takes no notice of trailing spaces.
        Sort::Path => ("path_bytes", "original_path"),
        Sort::Id => ("id", "''"),
        Sort::Size => ("file_size", "CAST(file_size AS CHAR)"),
        Sort::Created => ("created_at", "CAST(created_at AS CHAR)"),
        Sort::Updated => ("updated_at", "CAST(updated_at AS CHAR)"),
        Sort::Accessed => ("last_accessed", "CAST(last_accessed AS CHAR)"),
    }
}

/// The index that is read, and a condition that all of it fulfils: MariaDB sorts from the table, unless a range of
/// the index is asked for.
fn index(wanted: &ListQuery, basis: Basis) -> (&'static str, &'static str) {
    const ALL: (&str, &str) = ("image_cache_list", "updated_at >= '0001-01-01'");
    const OLDEST: (&str, &str) = ("image_cache_accessed", "last_accessed >= '0001-01-01'");
    // A search by path reads no other index, whatever it comes to.
    let by_path = wanted.sort == Sort::Path && !wanted.reads_more_than_paths();
    match (wanted.walks(basis) || by_path, wanted.sort) {
        (_, Sort::Updated) => ALL,
        (true, Sort::Path) => ("image_cache_by_path", "path_bytes >= ''"),
        (true, Sort::Size) => ("image_cache_size", "file_size >= -9223372036854775807"),
        (true, Sort::Created) => ("image_cache_created", "created_at >= '0001-01-01'"),
        (true, Sort::Accessed) => OLDEST,
        _ if wanted.are_oldest(basis) => OLDEST,
        _ => ALL,
    }
}

/// Binds a key's text as what its column holds: a cast would be worked out again for each row.
fn push_key(sql: &mut QueryBuilder<sqlx::MySql>, sort: Sort, key: &str) {
    match sort {
        Sort::Path => sql.push_bind(key.as_bytes().to_vec()),
        Sort::Size => sql.push_bind(key.parse::<i64>().unwrap_or(0)),
        _ => sql.push_bind(key.to_owned()),
    };
}

/// `FROM image_cache … WHERE …`, with everything that decides which rows are listed.
fn push_choice(sql: &mut QueryBuilder<sqlx::MySql>, wanted: &ListQuery, basis: Basis) {
    if wanted.is_named() || wanted.sort == Sort::Id {
        sql.push(" FROM image_cache WHERE true");
    } else {
        let (index, all) = index(wanted, basis);
        sql.push(format_args!(" FROM image_cache FORCE INDEX ({index}) WHERE {all}"));
    }
    if let Some(part) = &wanted.search {
        sql.push(" AND LOCATE(").push_bind(part.clone()).push(", path_bytes) > 0");
    }
    if let Some(path) = &wanted.path {
        sql.push(" AND path_hash = UNHEX(").push_bind(path_hash(path.as_str())).push(")");
    }
    if let Some(ids) = &wanted.ids {
        sql.push(" AND id IN ");
        push_list(sql, ids.iter().copied(), ("", ""));
    }
    if let Some(start) = &wanted.mime {
        sql.push(" AND LOCATE(").push_bind(start.clone()).push(", mime_bytes) = 1");
    }
    if let Some(place) = wanted.payload {
        sql.push(" AND place = ").push_bind(rows::place_number(place));
    }
    if let Some(has_data) = wanted.has_data {
        sql.push(if has_data { " AND place <> 0" } else { " AND place = 0" });
    }
    if let Some(days) = wanted.not_accessed_days {
        sql.push(" AND last_accessed < UTC_TIMESTAMP(6) - INTERVAL ")
            .push_bind(i64::from(days))
            .push(" DAY");
    }
}

/// Whether the connection keeps the statement for the next time. To give one up costs 40 ms, since the server
/// answers nothing to it and the next small packet waits for an acknowledgement (sqlx leaves Nagle's
/// algorithm on). There are few such texts, but for those with a list of ids.
fn is_kept(wanted: &ListQuery) -> bool {
    wanted.ids.is_none()
}

/// So many rows with room for the longest path fit into memory.
const MOST_PATHS: i64 = 2_000;

/// What to select from at first. By path it is not the first of very many that match: the server keeps those in a
/// table for the time of the statement, with room for the longest path in every row, and puts it on disk when it
/// grows.
fn basis(wanted: &ListQuery) -> Basis {
    match wanted.basis() {
        Basis::First(most) if wanted.sort == Sort::Path && most > MOST_PATHS => {
            Basis::All(Some(most))
        }
        basis => basis,
    }
}

/// The ids of the rows of a page, and how many rows there are where that is counted.
fn push_page(sql: &mut QueryBuilder<sqlx::MySql>, wanted: &ListQuery, basis: Basis) {
    let (column, _) = key(wanted.sort);
    let column = match basis {
        Basis::All(None) | Basis::Many => {
            sql.push("SELECT id AS page_id, NULL AS total");
            push_choice(sql, wanted, basis);
            column
        }
        Basis::All(Some(most)) => {
            sql.push("SELECT id AS page_id, (SELECT COUNT(*) FROM (SELECT 1");
            push_choice(sql, wanted, basis);
            sql.push(" LIMIT ").push_bind(most).push(") counted) AS total");
            push_choice(sql, wanted, basis);
            column
        }
        Basis::First(most) => {
            sql.push(
                "SELECT id AS page_id, total FROM (SELECT id, sorted_by, COUNT(*) OVER () AS total",
            );
            sql.push(format_args!(" FROM (SELECT id, {column} AS sorted_by"));
            push_choice(sql, wanted, basis);
            sql.push(" LIMIT ").push_bind(most).push(") found) counted WHERE true");
            "sorted_by"
        }
    };
    let (beyond, order) = wanted.order();
    if let Some(spot) = wanted.beside() {
        if wanted.sort == Sort::Id {
            sql.push(format_args!(" AND id {beyond} ")).push_bind(spot.id);
        } else {
            // A comparison of pairs would not be taken for a range of the index.
            sql.push(format_args!(" AND {column} {beyond}= "));
            push_key(sql, wanted.sort, &spot.key);
            sql.push(format_args!(" AND ({column} {beyond} "));
            push_key(sql, wanted.sort, &spot.key);
            sql.push(format_args!(" OR id {beyond} ")).push_bind(spot.id).push(")");
        }
    }
    sql.push(" ORDER BY ").push(column).push(order);
    sql.push(" LIMIT ").push_bind(wanted.rows());
    sql.push(" OFFSET ").push_bind(wanted.passed_over());
}

/// The statement that lists a page.
fn page(wanted: &ListQuery, basis: Basis) -> QueryBuilder<sqlx::MySql> {
    let mut sql = QueryBuilder::new(concat!("SELECT ", rows::entry_columns!("mode"), ", "));
    let (column, text) = key(wanted.sort);
    sql.push(text).push(", CAST(total AS SIGNED) FROM (");
    push_page(&mut sql, wanted, basis);
    let (_, order) = wanted.order();
    sql.push(") page STRAIGHT_JOIN image_cache ON id = page_id ORDER BY ").push(column).push(order);
    sql
}

impl MySql {
    pub(super) async fn page_once(&self, wanted: &ListQuery) -> Result<Page> {
        let mut unit = begin(&self.pool).await?;
        let basis = basis(wanted);
        let mut select = page(wanted, basis);
        let found = select.build().persistent(is_kept(wanted)).fetch_all(&mut *unit).await?;
        let mut listed = rows::page(&found, wanted);
        if wanted.is_any(basis, &listed) {
            let mut select = page(wanted, Basis::Many);
            let found = select.build().persistent(is_kept(wanted)).fetch_all(&mut *unit).await?;
            listed = wanted.settle(&listed, rows::page(&found, wanted));
        }
        unit.commit().await?;
        Ok(listed)
    }

    pub(super) async fn growth_once(&self, days: u32) -> Result<Vec<Growth>> {
        let sql = "SELECT COALESCE(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', day), 0), COUNT(*),
                CAST(SUM(file_size) AS SIGNED)
            FROM (SELECT DATE(created_at) AS day, file_size
                FROM image_cache FORCE INDEX (image_cache_created)
                WHERE created_at >= UTC_DATE() - INTERVAL ? DAY) entry
            GROUP BY day ORDER BY day";
        let mut unit = begin(&self.pool).await?;
        let found = sqlx::query(sql).bind(i64::from(days)).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        found.iter().map(rows::growth).collect()
    }

    pub(super) async fn totals_once(&self) -> Result<Totals> {
        let sql = "SELECT COUNT(*), CAST(COALESCE(SUM(place = 1), 0) AS SIGNED),
                CAST(COALESCE(SUM(place = 2), 0) AS SIGNED),
                CAST(COALESCE(SUM(place = 3), 0) AS SIGNED),
                CAST(COALESCE(SUM(file_size), 0) AS SIGNED),
                (SELECT CAST(SUM(data_length + index_length) AS SIGNED)
                    FROM information_schema.tables WHERE table_schema = DATABASE()
                    AND table_name IN ('image_cache', 'image_cache_chunk',
                        'image_cache_loose_object', 'image_cache_history'))
            FROM image_cache FORCE INDEX (image_cache_list)";
        let mut unit = begin(&self.pool).await?;
        let row = sqlx::query(sql).fetch_one(&mut *unit).await?;
        unit.commit().await?;
        rows::totals(&row)
    }
}
