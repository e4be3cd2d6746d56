//! The entry: a row of the image cache.

use crate::model::{Digest, FileStat, Timestamp, UploadPath};

/// Raw bytes in one chunk row.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Names a set of chunk rows. Made by whoever writes the set; an entry refers to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkSet(pub i64);

/// Where an entry's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PayloadKind {
    /// Base64 in the row.
    Inline,
    /// Chunk rows in the database.
    Chunks,
    /// A URL in an object store.
    Url,
    /// Nowhere: the entry has no data.
    None,
}

impl PayloadKind {
    /// The word used in lists and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Chunks => "chunks",
            Self::Url => "url",
            Self::None => "none",
        }
    }
}

/// An entry as it is listed: everything but the payload itself.
///
/// `original_path` and `sha256` are as the database has them, and so may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Key.
    pub id: i64,
    /// Label of the owning model, such as `shop.product`; empty when unknown.
    pub content_type: String,
    /// Key of the owning object; empty when unknown.
    pub object_id: String,
    /// The upload path.
    pub original_path: String,
    /// Where the bytes are.
    pub payload: PayloadKind,
    /// The set of chunk rows, when the payload is there.
    pub chunk_set: Option<ChunkSet>,
    /// The URL, when the payload is in an object store.
    pub image_url: Option<String>,
    /// Bytes of the file itself.
    pub file_size: u64,
    /// MIME type.
    pub content_type_header: String,
    /// First stored.
    pub created_at: Timestamp,
    /// Content last changed.
    pub updated_at: Timestamp,
    /// Last seen on disk, restored or read.
    pub last_accessed: Timestamp,
    /// Hexadecimal sha256 of the file's bytes.
    pub sha256: String,
    /// The file's mtime, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The file's permission bits.
    pub mode: u32,
}

impl Entry {
    /// Whether the payload can be read back.
    #[must_use]
    pub fn has_data(&self) -> bool {
        self.payload != PayloadKind::None
    }
}

/// What the plan of a restore and a scan need to know of every entry: small, and never a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexRow {
    /// Key.
    pub id: i64,
    /// The upload path, as the database has it.
    pub original_path: String,
    /// Bytes of the file.
    pub file_size: u64,
    /// The file's mtime, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// `last_accessed` is more than a day old, by the database's clock.
    pub access_is_old: bool,
    /// There are bytes to restore.
    pub has_data: bool,
}

/// The bytes of a new entry, in the form in which they are stored.
#[derive(Clone, PartialEq, Eq)]
pub enum NewPayload {
    /// Base64, for `image_data`.
    Inline(String),
    /// Raw bytes that fit into one chunk row (up to [`CHUNK_BYTES`]), written together with the entry.
    OneChunk(ChunkSet, Vec<u8>),
    /// Chunk rows that were written before.
    Chunks(ChunkSet),
    /// An object store has the bytes, under this URL.
    Url(String),
    /// Nobody has them: an entry without data.
    Nothing,
}

impl NewPayload {
    /// Where the bytes will be.
    #[must_use]
    pub fn kind(&self) -> PayloadKind {
        match self {
            Self::Inline(_) => PayloadKind::Inline,
            Self::OneChunk(..) | Self::Chunks(_) => PayloadKind::Chunks,
            Self::Url(_) => PayloadKind::Url,
            Self::Nothing => PayloadKind::None,
        }
    }
}

impl std::fmt::Debug for NewPayload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Inline(text) => write!(f, "Inline({} characters)", text.len()),
            Self::OneChunk(set, bytes) => write!(f, "OneChunk({}, {} bytes)", set.0, bytes.len()),
            Self::Chunks(set) => write!(f, "Chunks({})", set.0),
            Self::Url(_) => f.write_str("Url(…)"),
            Self::Nothing => f.write_str("Nothing"),
        }
    }
}

/// A file, read and encoded, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The upload path.
    pub path: UploadPath,
    /// The owning model and object, when the caller named them (`content_type`, `object_id`).
    pub owner: Option<(String, String)>,
    /// MIME type.
    pub mime: String,
    /// Of the file's bytes.
    pub sha256: Digest,
    /// The file when it was read: the same before and after.
    pub stat: FileStat,
    /// The bytes.
    pub payload: NewPayload,
    /// Write the payload even if its sha256 is the stored one: the stored bytes may be damaged.
    pub rewrite: bool,
}

impl NewEntry {
    /// Bytes that storing this entry sends to the database, about.
    #[must_use]
    pub fn weight(&self) -> usize {
        let payload = match &self.payload {
            NewPayload::Inline(text) => text.len(),
            NewPayload::OneChunk(_, bytes) => bytes.len(),
            NewPayload::Chunks(_) | NewPayload::Url(_) | NewPayload::Nothing => 0,
        };
        payload + self.path.as_str().len() + 200
    }
}
