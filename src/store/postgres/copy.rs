//! New rows by `COPY`: nothing to parse and nothing to plan, however many rows there are. Several small rows take
//! half of the server's time that an `INSERT` of them takes.
//!
//! `COPY` knows no `ON CONFLICT`: it is for rows that have just been seen to be missing, and whoever uses it writes
//! them otherwise when it fails.

use sqlx::postgres::PgCopyIn;
use sqlx::{PgConnection, Result};

use crate::model::entry::NewEntry;
use crate::store::put;

/// Fewer rows are no faster.
const FEWEST_ROWS: usize = 4;

/// Bytes that are sent at a time. The driver keeps a buffer as large as the largest piece.
const PIECE_BYTES: usize = 128 << 10;

/// What a binary copy begins with: its signature, no flags, and no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A number of columns that no row has ends it.
const END: i16 = -1;

/// Instead of the length of a value that is NULL.
const NULL: i32 = -1;

/// Whether these are enough rows to be worth it.
pub(super) fn is_worth_it(rows: &[&NewEntry]) -> bool {
    rows.len() >= FEWEST_ROWS
}

/// Writes rows of entries; returns how many the server has taken.
///
/// # Errors
/// One row that is refused, because its path has an entry or for any other reason, refuses all.
pub(super) async fn rows(connection: &mut PgConnection, rows: &[&NewEntry]) -> Result<u64> {
    let sql = "COPY image_cache (content_type, object_id, original_path, file_size,
        content_type_header, sha256, mtime_ns, mode, image_url, chunk_set, image_data)
        FROM STDIN (FORMAT binary)";
    let mut copy = Copying::begin(connection, sql).await?;
    for entry in rows {
        let (content_type, object_id) = put::owner(entry);
        copy.row(11);
        copy.text(content_type).await?;
        copy.text(object_id).await?;
        copy.text(entry.path.as_str()).await?;
        copy.bigint(i64::try_from(entry.stat.size).unwrap_or(i64::MAX));
        copy.text(&entry.mime).await?;
        copy.text(&entry.sha256.to_string()).await?;
        copy.bigint(entry.stat.mtime_ns);
        copy.integer(entry.stat.kept_mode().cast_signed());
        copy.text(put::url_of(&entry.payload)).await?;
        match put::set_of(&entry.payload) {
            Some(set) => copy.bigint(set.0),
            None => copy.null(),
        }
        match put::text_of(&entry.payload) {
            Some(text) => copy.text(text).await?,
            None => copy.null(),
        }
    }
    copy.finish().await
}

/// A copy under way.
struct Copying<'c> {
    to: PgCopyIn<&'c mut PgConnection>,
    buffer: Vec<u8>,
}

impl<'c> Copying<'c> {
    async fn begin(connection: &'c mut PgConnection, sql: &'static str) -> Result<Self> {
        let to = connection.copy_in_raw(sql).await?;
        let mut buffer = Vec::with_capacity(PIECE_BYTES);
        buffer.extend_from_slice(HEAD);
        Ok(Self { to, buffer })
    }

    fn row(&mut self, columns: i16) {
        self.buffer.extend_from_slice(&columns.to_be_bytes());
    }

    fn null(&mut self) {
        self.buffer.extend_from_slice(&NULL.to_be_bytes());
    }

    fn bigint(&mut self, number: i64) {
        self.buffer.extend_from_slice(&8_i32.to_be_bytes());
        self.buffer.extend_from_slice(&number.to_be_bytes());
    }

    fn integer(&mut self, number: i32) {
        self.buffer.extend_from_slice(&4_i32.to_be_bytes());
        self.buffer.extend_from_slice(&number.to_be_bytes());
    }

    async fn text(&mut self, text: &str) -> Result<()> {
        let mut rest = text.as_bytes();
        let length = i32::try_from(rest.len())
            .map_err(|_| sqlx::Error::InvalidArgument("a value of more than 2 GiB".to_owned()))?;
        self.buffer.extend_from_slice(&length.to_be_bytes());
        // A value need not end where a piece ends.
        while self.buffer.len() + rest.len() > PIECE_BYTES {
            let (now, later) = rest.split_at(PIECE_BYTES.saturating_sub(self.buffer.len()));
            self.buffer.extend_from_slice(now);
            self.to.send(&self.buffer[..]).await?;
            self.buffer.clear();
            rest = later;
        }
        self.buffer.extend_from_slice(rest);
        Ok(())
    }

    async fn finish(mut self) -> Result<u64> {
        self.buffer.extend_from_slice(&END.to_be_bytes());
        self.to.send(&self.buffer[..]).await?;
        self.to.finish().await
    }
}
