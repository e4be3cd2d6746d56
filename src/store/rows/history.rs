//! Rows of the history: former entries, and what goes there and comes back.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::{ColumnIndex, Result, Row};

use crate::model::version::{Leaving, Past, PastContent, PastRow, Undeleted, Version, Why};
use crate::model::{Digest, Timestamp, UploadPath};
use crate::store::past::{Choice, PastCandidate};
use crate::store::rows::entry::entry;
use crate::store::rows::{Column, mode, place, size};
use crate::store::{HistoryPage, HistoryTotals};

/// Which of the entries that are to leave have the content that they are to leave with. `id, sha256`
pub(in crate::store) fn leaving<R: Row>(rows: &[R], entries: &[Leaving]) -> Result<Vec<i64>>
where
    usize: ColumnIndex<R>,
    for<'r> i64: Column<'r, R>,
    for<'r> &'r str: Column<'r, R>,
{
    let wanted: HashMap<i64, Option<Digest>> =
        entries.iter().map(|entry| (entry.id, entry.sha256)).collect();
    let mut leaving = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.try_get(0)?;
        let wanted = wanted.get(&id).copied().flatten();
        if wanted.is_none() || wanted == row.try_get::<&str, _>(1)?.parse().ok() {
            leaving.push(id);
        }
    }
    Ok(leaving)
}

/// What came of an undelete, for each path. `original_path, id` of all entries that the paths have by now;
/// `back` are the paths that it has given theirs.
pub(in crate::store) fn undeleted<R: Row>(
    rows: &[R],
    paths: &[UploadPath],
    back: &HashSet<String>,
) -> Result<Vec<Undeleted>>
where
    usize: ColumnIndex<R>,
    for<'r> i64: Column<'r, R>,
    for<'r> &'r str: Column<'r, R>,
{
    let mut there = HashMap::new();
    for row in rows {
        there.insert(row.try_get::<&str, _>(0)?, row.try_get(1)?);
    }
    let answer = |path: &UploadPath| match there.get(path.as_str()) {
        Some(&id) if back.contains(path.as_str()) => Undeleted::Restored(id),
        Some(_) => Undeleted::Occupied,
        None => Undeleted::NotThere,
    };
    Ok(paths.iter().map(answer).collect())
}

/// [`entry_columns`](super::entry_columns), `ended_at, why`; nothing for a row that cannot be read: others may write the table.
fn version<'r, R: Row>(row: &'r R) -> Option<Version>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    &'r str: Column<'r, R>,
    String: Column<'r, R>,
    Option<i64>: Column<'r, R>,
{
    Some(Version {
        entry: entry(row).ok()?,
        ended_at: Timestamp(row.try_get(15).ok()?),
        why: Why::parse(row.try_get(16).ok()?)?,
    })
}

/// A page of [`version`] rows. One row more than wanted shows that there is a next page.
pub(in crate::store) fn history_page<R: Row>(rows: &[R], limit: Option<u32>) -> HistoryPage
where
    usize: ColumnIndex<R>,
    for<'r> i64: Column<'r, R>,
    for<'r> &'r str: Column<'r, R>,
    for<'r> String: Column<'r, R>,
    for<'r> Option<i64>: Column<'r, R>,
{
    let limit = limit.map_or(rows.len(), |limit| limit as usize);
    let wanted = &rows[..limit.min(rows.len())];
    let last = wanted.last().filter(|_| rows.len() > limit);
    HistoryPage {
        versions: wanted.iter().filter_map(version).collect(),
        next: last.and_then(|row| row.try_get(0).ok()),
    }
}

/// `why, rows, their bytes`, a row for each reason.
pub(in crate::store) fn history_totals<R: Row>(rows: &[R]) -> Result<HistoryTotals>
where
    usize: ColumnIndex<R>,
    for<'r> i64: Column<'r, R>,
    for<'r> &'r str: Column<'r, R>,
{
    let mut totals = HistoryTotals::default();
    for row in rows {
        let (count, bytes) = match Why::parse(row.try_get(0)?) {
            Some(Why::Replaced) => (&mut totals.versions, &mut totals.version_bytes),
            Some(Why::Trash(_)) => (&mut totals.trashed, &mut totals.trashed_bytes),
            None => continue,
        };
        *count += size(row.try_get(1)?);
        *bytes += size(row.try_get(2)?);
    }
    Ok(totals)
}

/// The columns that [`past_candidate`] reads: `$is_entry` is 1 or 0, and `$mode` the mode, as numbers of 64 bits.
macro_rules! past_columns {
    ($is_entry:literal, $mode:literal) => {
        concat!(
            $is_entry,
            ", id, original_path, ",
            micros!("created_at"),
            ", ",
            micros!("updated_at"),
            ", file_size, sha256, mtime_ns, ",
            $mode,
            ", ",
            place!()
        )
    };
}

pub(in crate::store) use past_columns;

/// What each path had at this moment, of all rows that had not ceased by then: [`past_columns`], the rows of a path one
/// after another. Those that cannot be read (others may write the table) are left out.
pub(in crate::store) async fn past_state<R: Row>(
    mut rows: BoxStream<'_, Result<R>>,
    time: Timestamp,
    each: &mut (dyn FnMut(Past) + Send),
) -> Result<()>
where
    usize: ColumnIndex<R>,
    for<'r> i64: Column<'r, R>,
    for<'r> String: Column<'r, R>,
{
    let mut choice = Choice::new(time, each);
    while let Some(row) = rows.try_next().await? {
        if let Ok(row) = past_candidate(&row) {
            choice.take(row);
        }
    }
    choice.tell();
    Ok(())
}

/// [`past_columns`]
fn past_candidate<'r, R: Row>(row: &'r R) -> Result<PastCandidate>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    String: Column<'r, R>,
{
    let id = row.try_get(1)?;
    let is_entry = row.try_get::<i64, _>(0)? != 0;
    Ok(PastCandidate {
        original_path: row.try_get(2)?,
        created_at: Timestamp(row.try_get(3)?),
        content: PastContent {
            row: if is_entry { PastRow::Entry(id) } else { PastRow::Version(id) },
            since: Timestamp(row.try_get(4)?),
            file_size: size(row.try_get(5)?),
            sha256: row.try_get(6)?,
            mtime_ns: row.try_get(7)?,
            mode: mode(row.try_get(8)?),
            payload: place(row.try_get(9)?),
        },
    })
}
