//! New rows as arrays, a column each: one short statement of eleven parameters, however many rows there are. For
//! small rows it takes the server a fraction of the time that it takes to parse and plan their `VALUES`.
//!
//! The arrays are unfolded in the list of the `SELECT`: in its `FROM`, they would be spilled to a temporary file first.
//! The payloads are one long value that is cut up there: of an array, the server makes two copies more.
//!
//! A `COPY` would be as fast, but is carried out while it arrives: a client that the network loses in the middle of
//! it would leave rows behind that nobody else can store, for as long as the server takes it for alive, since no time
//! limit of PostgreSQL's ends a `COPY` that waits for its client.

use sqlx::encode::{Encode, IsNull};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo};
use sqlx::{PgConnection, Result, Type};

use crate::model::entry::NewEntry;
use crate::store::put;

/// Fewer rows are no faster.
const FEWEST_ROWS: usize = 4;

/// Rows that are larger on average, in bytes, are cheaper one by one: their payloads are copied once less.
const LARGEST_ROW: usize = 16 << 10;

/// Most bytes in one statement.
const LARGEST: usize = 64 << 20;

/// Whether these rows are such as this is for.
pub(super) fn suit(rows: &[&NewEntry]) -> bool {
    let weight: usize = rows.iter().map(|entry| entry.weight()).sum();
    rows.len() >= FEWEST_ROWS && weight / rows.len() <= LARGEST_ROW && weight <= LARGEST
}

/// Writes rows of entries that are to be new; returns how many had no row before. The others are left out.
pub(super) async fn insert(connection: &mut PgConnection, rows: &[&NewEntry]) -> Result<u64> {
    let sql = "INSERT INTO image_cache (content_type, object_id, original_path, file_size,
            content_type_header, sha256, mtime_ns, mode, image_url, chunk_set, image_data)
        SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::bigint[]),
            unnest($5::text[]), unnest($6::text[]), unnest($7::bigint[]), unnest($8::bigint[]),
            unnest($9::text[]), unnest($10::bigint[]),
            convert_from(substring($11::bytea FROM unnest($12::int[]) FOR unnest($13::int[])), 'UTF8')
        ON CONFLICT (original_path) DO NOTHING";
    let text = |of: fn(&NewEntry) -> &str| rows.iter().map(|&row| of(row)).collect::<Vec<_>>();
    let number = |of: fn(&NewEntry) -> i64| rows.iter().map(|&row| of(row)).collect::<Vec<_>>();
    let weight = rows.iter().map(|entry| entry.weight()).sum();
    let done = sqlx::query_with(sql, put::room_for(13, weight))
        .persistent(false)
        .bind(text(|entry| put::owner(entry).0))
        .bind(text(|entry| put::owner(entry).1))
        .bind(text(|entry| entry.path.as_str()))
        .bind(number(|entry| i64::try_from(entry.stat.size).unwrap_or(i64::MAX)))
        .bind(text(|entry| entry.mime.as_str()))
        .bind(rows.iter().map(|entry| entry.sha256.to_string()).collect::<Vec<_>>())
        .bind(number(|entry| entry.stat.mtime_ns))
        .bind(number(|entry| i64::from(entry.stat.kept_mode())))
        .bind(text(|entry| put::url_of(&entry.payload)))
        .bind(rows.iter().map(|row| put::set_of(&row.payload).map(|set| set.0)).collect::<Vec<_>>())
        .bind(Payloads(rows))
        .bind(starts(rows))
        .bind(rows.iter().map(|row| inline(row).map(|text| text.len() as i32)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}

/// The payload that goes into the row.
fn inline<'row>(row: &&'row NewEntry) -> Option<&'row str> {
    put::text_of(&row.payload)
}

/// Where in all payloads each of them begins, the first byte being 1.
fn starts(rows: &[&NewEntry]) -> Vec<i32> {
    let mut next = 1;
    let begin = |row| {
        let start = next;
        next += inline(row).map_or(0, str::len) as i32;
        start
    };
    rows.iter().map(begin).collect()
}

/// All payloads as one value, written to where the driver sends it from.
struct Payloads<'rows>(&'rows [&'rows NewEntry]);

impl Type<sqlx::Postgres> for Payloads<'_> {
    fn type_info() -> PgTypeInfo {
        <[u8] as Type<sqlx::Postgres>>::type_info()
    }
}

impl Encode<'_, sqlx::Postgres> for Payloads<'_> {
    fn encode_by_ref(
        &self,
        buffer: &mut PgArgumentBuffer,
    ) -> std::result::Result<IsNull, BoxDynError> {
        for text in self.0.iter().filter_map(inline) {
            buffer.extend_from_slice(text.as_bytes());
        }
        Ok(IsNull::No)
    }
}
