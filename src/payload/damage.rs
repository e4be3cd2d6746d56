//! The check of an entry's bytes before they become a file.

use std::fmt;

use crate::model::{Digest, base64};
use crate::store::{Fetched, FetchedPayload};

/// An entry whose bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    pub id: i64,
    /// As the database has it.
    pub path: String,
    pub reason: Reason,
}

/// What is wrong with the bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The column `sha256` holds none.
    #[error("the entry has no valid sha256 to check its bytes by")]
    NoDigest,
    /// The column `image_data` is not base64.
    #[error("{0}")]
    Base64(#[from] base64::Base64Error),
    /// There are more or fewer bytes than the file had.
    #[error("it has {found} bytes, and the file had {expected}")]
    Length { found: u64, expected: u64 },
    /// The bytes have another sha256.
    #[error("its bytes have the sha256 {found}, and the file's was {expected}")]
    Digest { found: Digest, expected: Digest },
    /// One of the chunks is missing.
    #[error("chunk {0} is missing")]
    Chunk(u32),
    /// The entry has no payload any more.
    #[error("the entry has no data")]
    NoData,
    /// The row holds something that is not what its columns are for.
    #[error("the row cannot be read: {0}")]
    Row(String),
    /// The payload is in an object store that is not the configured one.
    #[error("its bytes are in an object store that is not the configured one: {0}")]
    Url(String),
    /// The object store does not give the bytes back.
    #[error("{0}")]
    Object(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} (entry {}): {}", self.path, self.id, self.reason)
    }
}

/// Checks length and sha256.
///
/// # Errors
/// The [`Reason`] for which the bytes are not the file's.
pub fn check(found: (u64, Digest), expected: (u64, Digest)) -> Result<(), Reason> {
    if found.0 != expected.0 {
        return Err(Reason::Length { found: found.0, expected: expected.0 });
    }
    if found.1 != expected.1 {
        return Err(Reason::Digest { found: found.1, expected: expected.1 });
    }
    Ok(())
}

/// The sha256 that an entry's bytes must have.
///
/// # Errors
/// [`Reason::NoDigest`].
pub fn expected_digest(sha256: &str) -> Result<Digest, Reason> {
    sha256.parse().map_err(|_| Reason::NoDigest)
}

/// The verified bytes of an entry whose payload came with it; `buffer` is used for decoding.
///
/// # Errors
/// The [`Reason`] for which the bytes are not the file's.
pub fn verified<'a>(row: &Fetched<'a>, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], Reason> {
    let digest = expected_digest(row.sha256)?;
    let bytes: &[u8] = match row.payload {
        FetchedPayload::Inline(text) => {
            base64::decode_into(text, buffer)?;
            buffer
        }
        FetchedPayload::OneChunk(bytes) => bytes,
        FetchedPayload::Chunks(_) => return Err(Reason::Chunk(0)),
        FetchedPayload::Url(url) => return Err(Reason::Url(url.to_owned())),
        FetchedPayload::None => return Err(Reason::NoData),
    };
    let found = (bytes.len() as u64, Digest::of(bytes));
    check(found, (row.file_size, digest))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(sha256: &'a str, file_size: u64, payload: FetchedPayload<'a>) -> Fetched<'a> {
        Fetched {
            id: 1,
            original_path: "a.jpg",
            file_size,
            sha256,
            mtime_ns: 0,
            mode: 0o644,
            payload,
        }
    }

    #[test]
    fn sound_bytes_pass() {
        let digest = Digest::of(b"foobar").to_string();
        let mut buffer = Vec::new();
        let inline = row(&digest, 6, FetchedPayload::Inline("Zm9vYmFy"));
        assert_eq!(verified(&inline, &mut buffer), Ok(&b"foobar"[..]));
        let chunk = row(&digest, 6, FetchedPayload::OneChunk(b"foobar"));
        assert_eq!(verified(&chunk, &mut buffer), Ok(&b"foobar"[..]));
    }

    #[test]
    fn every_kind_of_damage_is_named() {
        let digest = Digest::of(b"foobar").to_string();
        let reason = |sha256: &str, size, payload| {
            verified(&row(sha256, size, payload), &mut Vec::new()).unwrap_err().to_string()
        };
        let inline = FetchedPayload::Inline;
        assert!(reason(&digest, 6, inline("Zm9vYmFz")).contains("sha256"));
        assert!(reason(&digest, 7, inline("Zm9vYmFy")).contains("6 bytes"));
        assert!(reason(&digest, 6, inline("Zm9v!mFy")).contains("not base64"));
        assert!(reason("", 6, inline("Zm9vYmFy")).contains("no valid sha256"));
        assert!(reason(&digest, 6, FetchedPayload::None).contains("no data"));
    }
}
