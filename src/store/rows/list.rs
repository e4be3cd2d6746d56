//! Lists and figures.

use sqlx::{ColumnIndex, Result, Row};

use crate::model::Timestamp;
use crate::store::rows::entry::entry;
use crate::store::rows::{Column, size};
use crate::store::{Growth, ListQuery, Page, Spot, Totals};

/// A page of [`entry_columns`](super::entry_columns) with two columns more: what the row is sorted by, and how many rows there are
/// where that was counted. One row more than wanted shows that the list goes on.
pub(in crate::store) fn page<R: Row>(rows: &[R], wanted: &ListQuery) -> Page
where
    usize: ColumnIndex<R>,
    for<'r> i64: Column<'r, R>,
    for<'r> String: Column<'r, R>,
    for<'r> Option<i64>: Column<'r, R>,
{
    let limit = wanted.limit.map_or(rows.len(), |limit| limit as usize);
    let goes_on = rows.len() > limit;
    let mut shown: Vec<&R> = rows.iter().take(limit).collect();
    let is_backwards = wanted.before.is_some();
    if is_backwards {
        shown.reverse();
    }
    let spot = |row: &&R| Some(Spot { key: row.try_get(15).ok()?, id: row.try_get(0).ok()? });
    // Where the page was come from, there is something; the other way only if the list goes on.
    let (more_before, more_behind) =
        if is_backwards { (goes_on, true) } else { (wanted.after.is_some(), goes_on) };
    let counted = match rows.first() {
        Some(row) => row.try_get::<Option<i64>, _>(16).ok().flatten(),
        None => (wanted.count_up_to.is_some() && wanted.beside().is_none()).then_some(0),
    };
    Page {
        entries: shown.iter().filter_map(|row| entry(*row).ok()).collect(),
        next: shown.last().filter(|_| more_behind).and_then(spot),
        previous: shown.first().filter(|_| more_before).and_then(spot),
        total: counted.map(size),
    }
}

/// `day, entries, file bytes`
pub(in crate::store) fn growth<'r, R: Row>(row: &'r R) -> Result<Growth>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
{
    Ok(Growth {
        day: Timestamp(row.try_get(0)?),
        entries: size(row.try_get(1)?),
        file_bytes: size(row.try_get(2)?),
    })
}

/// `entries, inline, chunked, by URL, file bytes, database bytes`
pub(in crate::store) fn totals<'r, R: Row>(row: &'r R) -> Result<Totals>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    Option<i64>: Column<'r, R>,
{
    let count = |column: usize| row.try_get::<i64, _>(column).map(size);
    let (inline, chunked, by_url) = (count(1)?, count(2)?, count(3)?);
    Ok(Totals {
        entries: count(0)?,
        with_data: inline + chunked + by_url,
        inline,
        chunked,
        by_url,
        file_bytes: count(4)?,
        database_bytes: row.try_get::<Option<i64>, _>(5)?.map(size),
    })
}
