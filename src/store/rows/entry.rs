//! Rows of entries: what a start, a put, a restore and a list read of them.

use sqlx::{ColumnIndex, Result, Row};

use crate::model::Timestamp;
use crate::model::entry::{ChunkSet, Entry, IndexRow};
use crate::store::put::Known;
use crate::store::rows::{Column, mode, place, size};
use crate::store::{Fetched, FetchedPayload, Stored};

/// `id, original_path, file_size, mtime_ns, access_is_old, has_data`, or an [`unreadable`] row.
pub(in crate::store) fn index_row<'r, R: Row>(row: &'r R) -> IndexRow
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    String: Column<'r, R>,
{
    read_index_row(row).unwrap_or_else(|_| unreadable(row.try_get(0).unwrap_or_default()))
}

/// What stands for a row that holds something else (others may write the table, and SQLite takes a text for a
/// number). It must not hide its neighbours: it is handed on under a path that no restore takes and every plan names.
pub(in crate::store) fn unreadable(id: i64) -> IndexRow {
    IndexRow {
        id,
        original_path: format!("/entry {id} cannot be read"),
        file_size: 0,
        mtime_ns: 0,
        access_is_old: false,
        has_data: false,
    }
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
        access_is_old: row.try_get::<i64, _>(4)? != 0,
        has_data: row.try_get::<i64, _>(5)? != 0,
    })
}

/// `original_path, id, sha256, mtime_ns, mode, place, chunk_set, content_type, object_id, file_size, image_url`
pub(in crate::store) fn known<'r, R: Row>(row: &'r R) -> Result<(String, Known)>
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

/// `id, original_path, file_size, sha256, mtime_ns, mode, image_data, chunk_set, first chunk, image_url`
pub(in crate::store) fn fetched<'r, R: Row>(row: &'r R) -> Result<Fetched<'r>>
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

/// The columns that [`entry`] reads; `$mode` is the mode as a number of 64 bits.
macro_rules! entry_columns {
    ($mode:literal) => {
        concat!(
            "id, content_type, object_id, original_path, ",
            place!(),
            ", chunk_set, image_url, file_size, content_type_header, ",
            micros!("created_at"),
            ", ",
            micros!("updated_at"),
            ", ",
            micros!("last_accessed"),
            ", sha256, mtime_ns, ",
            $mode
        )
    };
}

pub(in crate::store) use entry_columns;

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
