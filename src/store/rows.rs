//! Reading rows: the columns of each `SELECT` in their order, the same for all databases. Numbers and
//! yes-or-no come as 64-bit integers, moments as microseconds since 1970.

use std::collections::{HashMap, HashSet};

use sqlx::{ColumnIndex, Decode, Result, Row, Type};

use crate::model::entry::{ChunkSet, Entry, IndexRow, PayloadKind};
use crate::model::version::{Leaving, PastContent, PastRow, Undeleted, Version, Why};
use crate::model::{Digest, Timestamp, UploadPath};
use crate::store::ledger::{LooseObject, Verdict};
use crate::store::past::PastCandidate;
use crate::store::put::{self, Known, LetGo};
use crate::store::{
    Fetched, FetchedPayload, Growth, HistoryPage, HistoryTotals, ListQuery, Page, Spot, Stored,
    Totals,
};

/// A type that can be read from a row of `R`.
pub(super) trait Column<'r, R: Row>: Decode<'r, R::Database> + Type<R::Database> {}
impl<'r, R: Row, T: Decode<'r, R::Database> + Type<R::Database>> Column<'r, R> for T {}

/// A place as the `SELECT`s give it: 1 inline, 2 chunks, 3 URL, 0 none.
fn place(number: i64) -> PayloadKind {
    match number {
        1 => PayloadKind::Inline,
        2 => PayloadKind::Chunks,
        3 => PayloadKind::Url,
        _ => PayloadKind::None,
    }
}

/// The number that [`place`] reads.
pub(super) fn place_number(place: PayloadKind) -> i64 {
    match place {
        PayloadKind::Inline => 1,
        PayloadKind::Chunks => 2,
        PayloadKind::Url => 3,
        PayloadKind::None => 0,
    }
}

/// A size or count. Negative ones can only have been written by somebody else: taken for 0.
pub(super) fn size(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn mode(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

/// `id, original_path, file_size, mtime_ns, updated_at, access_is_old, has_data`
///
/// A row that holds something else (others may write the table, and SQLite takes a text for a number)
/// must not hide its neighbours: it is handed on under a path that no restore takes and every plan
/// names.
pub(super) fn index_row<'r, R: Row>(row: &'r R) -> IndexRow
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    String: Column<'r, R>,
{
    read_index_row(row).unwrap_or_else(|_| {
        let id = row.try_get(0).unwrap_or_default();
        IndexRow {
            id,
            original_path: format!("/entry {id} cannot be read"),
            file_size: 0,
            mtime_ns: 0,
            updated_at: Timestamp(0),
            access_is_old: false,
            has_data: false,
        }
    })
}

fn read_index_row<'r, R: Row>(row: &'r R) -> Result<IndexRow>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    String: Column<'r, R>,
{
    Ok(IndexRow {
        id: row.try_get(0)?,
        original_path: row.try_get(1)?,
        file_size: size(row.try_get(2)?),
        mtime_ns: row.try_get(3)?,
        updated_at: Timestamp(row.try_get(4)?),
        access_is_old: row.try_get::<i64, _>(5)? != 0,
        has_data: row.try_get::<i64, _>(6)? != 0,
    })
}

/// `original_path, id, sha256, mtime_ns, mode, place, chunk_set, content_type, object_id, file_size, image_url`
pub(super) fn known<'r, R: Row>(row: &'r R) -> Result<(String, Known)>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    String: Column<'r, R>,
    Option<i64>: Column<'r, R>,
{
    let stored = Stored {
        id: row.try_get(1)?,
        sha256: row.try_get::<String, _>(2)?.parse().ok(),
        mtime_ns: row.try_get(3)?,
        mode: mode(row.try_get(4)?),
        payload: place(row.try_get(5)?),
        chunk_set: row.try_get::<Option<i64>, _>(6)?.map(ChunkSet),
    };
    let known = Known {
        stored,
        owner: (row.try_get(7)?, row.try_get(8)?),
        file_size: size(row.try_get(9)?),
        image_url: row.try_get(10)?,
    };
    Ok((row.try_get(0)?, known))
}

/// Which of the entries that are to leave have the content that they are to leave with. `id, sha256`
pub(super) fn leaving<R: Row>(rows: &[R], entries: &[Leaving]) -> Result<Vec<i64>>
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
pub(super) fn undeleted<R: Row>(
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

/// `id, original_path, file_size, sha256, mtime_ns, mode, image_data, chunk_set, first chunk, image_url`
pub(super) fn fetched<'r, R: Row>(row: &'r R) -> Result<Fetched<'r>>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    &'r str: Column<'r, R>,
    Option<i64>: Column<'r, R>,
    Option<&'r str>: Column<'r, R>,
    Option<&'r [u8]>: Column<'r, R>,
{
    let payload = if let Some(text) = row.try_get::<Option<&str>, _>(6)? {
        FetchedPayload::Inline(text)
    } else if let Some(set) = row.try_get::<Option<i64>, _>(7)? {
        match row.try_get::<Option<&[u8]>, _>(8)? {
            Some(bytes) => FetchedPayload::OneChunk(bytes),
            None => FetchedPayload::Chunks(ChunkSet(set)),
        }
    } else {
        match row.try_get::<&str, _>(9)? {
            "" => FetchedPayload::None,
            url => FetchedPayload::Url(url),
        }
    };
    Ok(Fetched {
        id: row.try_get(0)?,
        original_path: row.try_get(1)?,
        file_size: size(row.try_get(2)?),
        sha256: row.try_get(3)?,
        mtime_ns: row.try_get(4)?,
        mode: mode(row.try_get(5)?),
        payload,
    })
}

/// `id, content_type, object_id, original_path, place, chunk_set, image_url, file_size,
/// content_type_header, created_at, updated_at, last_accessed, sha256, mtime_ns, mode`
pub(super) fn entry<'r, R: Row>(row: &'r R) -> Result<Entry>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    String: Column<'r, R>,
    Option<i64>: Column<'r, R>,
{
    Ok(Entry {
        id: row.try_get(0)?,
        content_type: row.try_get(1)?,
        object_id: row.try_get(2)?,
        original_path: row.try_get(3)?,
        payload: place(row.try_get(4)?),
        chunk_set: row.try_get::<Option<i64>, _>(5)?.map(ChunkSet),
        image_url: Some(row.try_get::<String, _>(6)?).filter(|url| !url.is_empty()),
        file_size: size(row.try_get(7)?),
        content_type_header: row.try_get(8)?,
        created_at: Timestamp(row.try_get(9)?),
        updated_at: Timestamp(row.try_get(10)?),
        last_accessed: Timestamp(row.try_get(11)?),
        sha256: row.try_get(12)?,
        mtime_ns: row.try_get(13)?,
        mode: mode(row.try_get(14)?),
    })
}

/// A page of [`entry`] rows with two columns more: what the row is sorted by, and how many rows there are
/// where that was counted. One row more than wanted shows that the list goes on.
pub(super) fn page<R: Row>(rows: &[R], wanted: &ListQuery) -> Page
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

/// The columns of [`entry`], `ended_at, why`; nothing for a row that cannot be read: others may write the table.
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
pub(super) fn history_page<R: Row>(rows: &[R], limit: Option<u32>) -> HistoryPage
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
pub(super) fn history_totals<R: Row>(rows: &[R]) -> Result<HistoryTotals>
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

/// `is an entry, id, original_path, created_at, updated_at, file_size, sha256, mtime_ns, mode, place`
pub(super) fn past_candidate<'r, R: Row>(row: &'r R) -> Result<PastCandidate>
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

/// `day, entries, file bytes`
pub(super) fn growth<'r, R: Row>(row: &'r R) -> Result<Growth>
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
pub(super) fn totals<'r, R: Row>(row: &'r R) -> Result<Totals>
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

/// What removed rows let go of. `chunk_set, sha256, image_url, file_size`
///
/// A value that cannot be read names nothing; a row that holds one must be removable all the same.
pub(super) fn let_go<R: Row>(rows: &[R]) -> LetGo
where
    usize: ColumnIndex<R>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> &'r str: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let mut let_go = LetGo::default();
    for row in rows {
        let set = row.try_get::<Option<i64>, _>(0).ok().flatten().map(ChunkSet);
        let_go.sets.extend(set);
        let is_large = row.try_get(3).is_ok_and(|bytes| put::is_large(size(bytes)));
        let_go.large.extend(set.filter(|_| is_large));
        let content = row.try_get::<&str, _>(1).ok().and_then(|text| text.parse().ok());
        let url = row.try_get(2).unwrap_or_default();
        let_go.objects.extend(put::object_of(content, url, ""));
    }
    let_go
}

/// `content, url, since`; nothing for a row whose content is no digest: somebody else has written it.
pub(super) fn loose_object<'r, R: Row>(row: &'r R) -> Result<Option<LooseObject>>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    &'r str: Column<'r, R>,
    String: Column<'r, R>,
{
    let Ok(content) = row.try_get::<&str, _>(0)?.parse() else {
        return Ok(None);
    };
    Ok(Some(LooseObject { content, url: row.try_get(1)?, since: Timestamp(row.try_get(2)?) }))
}

/// What is there against the removal of an object. `an entry, a claim, let go of again`
pub(super) fn verdict<'r, R: Row>(row: &'r R) -> Result<Verdict>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
{
    let is = |column: usize| row.try_get::<i64, _>(column).map(|number| number != 0);
    Ok(Verdict { referred: is(0)?, claimed: is(1)?, again: is(2)? })
}
