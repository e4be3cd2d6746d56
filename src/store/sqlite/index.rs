//! The index of an SQLite file: what every start and every periodic scan read of all entries.
//!
//! A row that comes from the driver costs more than SQLite takes to find it: it crosses from one thread to another
//! and takes an allocation for each value. Hence SQLite puts many rows into one text.

use serde::Deserialize;
use sqlx::{Result, SqliteConnection};

use crate::model::entry::IndexRow;
use crate::store::retry::begin;
use crate::store::rows::{size, unreadable};
use crate::store::sqlite::Sqlite;
use crate::store::sqlite::read::place;

/// Rows in a text, a line each.
const LINES: i64 = 512;

/// A row in such a text: id, upload path, bytes, mtime, whether its access is old, whether it has bytes.
#[derive(Deserialize)]
struct Line(i64, String, i64, i64, u8, u8);

/// The rows of a page, a line each, in which others may have written anything.
#[derive(Debug)]
struct Lines(Vec<u8>);

impl Lines {
    fn each(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }

    /// The entry at which the next page begins: after this one.
    fn end(&self) -> Option<i64> {
        self.each().next_back().map(id)
    }
}

/// The entry that a line is about, whatever else is in it.
fn id(line: &[u8]) -> i64 {
    let digits = line.split(|byte| b"[,]".contains(byte)).nth(1).unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|id| id.parse().ok()).unwrap_or_default()
}

fn row(line: &[u8]) -> IndexRow {
    let Ok(Line(id, original_path, bytes, mtime_ns, old, bytes_there)) =
        serde_json::from_slice(line)
    else {
        return unreadable(id(line));
    };
    IndexRow {
        id,
        original_path,
        file_size: size(bytes),
        mtime_ns,
        access_is_old: old != 0,
        has_data: bytes_there != 0,
    }
}

/// The lines of the rows that `$choice` chooses: newest first, and entries of one moment by their paths, which is
/// the order of the index `image_cache_list`. It is not named: a start must do without it if somebody has dropped it.
macro_rules! lines {
    ($choice:literal) => {
        concat!(
            "SELECT group_concat(line, char(10)) FROM (
                SELECT CASE WHEN typeof(original_path) = 'text' AND typeof(file_size) = 'integer'
                        AND typeof(mtime_ns) = 'integer'
                    THEN json_array(id, original_path, file_size, mtime_ns,
                        last_accessed < strftime('%Y-%m-%d %H:%M:%f000', 'now', '-1 day'), ",
            place!(),
            " <> 0)
                    ELSE json_array(id) END AS line
                FROM image_cache ",
            $choice,
            " ORDER BY updated_at DESC, original_path DESC LIMIT ?1)"
        )
    };
}

/// The first page.
const FIRST: &str = lines!("");

/// The page after the entry `?2`. Without the plus signs, which take the columns' type from what is compared,
/// SQLite would look for its place by the moment alone, and pass over all other entries of that moment.
const NEXT: &str = lines!(
    "WHERE (updated_at, original_path) < (SELECT +updated_at, +original_path FROM image_cache WHERE id = ?2)"
);

/// The rows after those up to the entry `after`, or the first.
async fn page(connection: &mut SqliteConnection, after: Option<i64>) -> Result<Lines> {
    let select = match after {
        None => sqlx::query_scalar(FIRST).bind(LINES),
        Some(id) => sqlx::query_scalar(NEXT).bind(LINES).bind(id),
    };
    let lines: Option<Vec<u8>> = select.fetch_one(connection).await?;
    Ok(Lines(lines.unwrap_or_default()))
}

impl Sqlite {
    pub(super) async fn index_once(&self, each: &mut (dyn FnMut(IndexRow) + Send)) -> Result<()> {
        // One view of the table: an entry that is put meanwhile moves to the front, and would be missed.
        let mut view = begin(&self.pool).await?;
        let mut lines = page(&mut view, None).await?;
        while let Some(end) = lines.end() {
            // While these are handed on, SQLite reads the next.
            let hand_on = async { lines.each().map(row).for_each(&mut *each) };
            let (next, ()) = tokio::join!(page(&mut view, Some(end)), hand_on);
            lines = next?;
        }
        view.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::{AssertSqlSafe, Connection};

    /// The steps of a statement, as SQLite plans them.
    async fn plan(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let select = sqlx::query_as(explain).bind(LINES).bind(1);
        let steps: Vec<(i64, i64, i64, String)> = select.fetch_all(connection).await.unwrap();
        steps.into_iter().map(|(.., step)| step).collect()
    }

    #[tokio::test]
    async fn pages_are_found_in_the_index_and_nothing_is_sorted() {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        for schema in [include_str!("0001_image_cache.sql"), include_str!("0003_lists.sql")] {
            sqlx::raw_sql(schema).execute(&mut connection).await.unwrap();
        }
        let fill = "INSERT INTO image_cache (original_path)
            WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 2000)
            SELECT n FROM n";
        for change in ["", fill, "ANALYZE"] {
            sqlx::raw_sql(change).execute(&mut connection).await.unwrap();
            for (statement, found) in [
                (FIRST, "image_cache_list"),
                (NEXT, "image_cache_list ((updated_at,original_path)<(?,?))"),
            ] {
                let steps = plan(&mut connection, statement).await;
                assert!(steps.iter().any(|step| step.ends_with(found)), "{change}: {steps:?}");
                assert!(!steps.iter().any(|step| step.contains("B-TREE")), "{change}: {steps:?}");
            }
        }
    }
}
