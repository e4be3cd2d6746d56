//! One entry's stored bytes, read back and checked against their sha256.

use std::io;

use crate::model::Hasher;
use crate::model::entry::ChunkSet;
use crate::remote::Remote;
use crate::restore::damage::{self, Reason};
use crate::store::{FetchedPayload, Store, StoreError};

/// What a look at one entry has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes are the file's.
    Sound,
    Damaged(Reason),
    /// There is no such entry any more.
    Gone,
}

/// What has to be read after the row is gone.
enum Rest {
    Verdict(Verdict),
    Chunks(ChunkSet),
    Url(String),
}

/// Reads the bytes of an entry, wherever they are, and checks them.
///
/// # Errors
/// The store's. An object store that does not give the bytes is a [`Reason::Object`].
pub async fn verify_one(
    store: &dyn Store,
    remote: Option<&dyn Remote>,
    id: i64,
) -> Result<Verdict, StoreError> {
    let mut found = (Rest::Verdict(Verdict::Gone), 0, String::new());
    let mut buffer = Vec::new();
    store
        .fetch(&[id], &mut |row| {
            let rest = match row.payload {
                FetchedPayload::Chunks(set) => Rest::Chunks(set),
                FetchedPayload::Url(url) => Rest::Url(url.to_owned()),
                _ => Rest::Verdict(match damage::verified(&row, &mut buffer) {
                    Ok(_) => Verdict::Sound,
                    Err(reason) => Verdict::Damaged(reason),
                }),
            };
            found = (rest, row.file_size, row.sha256.to_owned());
        })
        .await?;
    let (rest, file_size, sha256) = found;
    if let Rest::Verdict(verdict) = rest {
        return Ok(verdict);
    }
    let expected = match damage::expected_digest(&sha256) {
        Ok(digest) => (file_size, digest),
        Err(reason) => return Ok(Verdict::Damaged(reason)),
    };
    let (mut hasher, mut bytes) = (Hasher::default(), 0);
    match rest {
        Rest::Chunks(set) => {
            for seq in 0.. {
                let Some(chunk) = store.read_chunk(set, seq).await? else { break };
                hasher.update(&chunk);
                bytes += chunk.len() as u64;
                if bytes > file_size {
                    break; // Told as a wrong length, whatever else there may be.
                }
            }
        }
        Rest::Url(url) => {
            let Some(remote) = remote.filter(|remote| remote.owns(&url)) else {
                return Ok(Verdict::Damaged(Reason::Url(url)));
            };
            let mut take = |piece: &[u8]| -> io::Result<()> {
                hasher.update(piece);
                Ok(())
            };
            match remote.download(&url, file_size, &mut take).await {
                Ok(length) => bytes = length,
                Err(error) => return Ok(Verdict::Damaged(Reason::Object(error.to_string()))),
            }
        }
        Rest::Verdict(_) => {}
    }
    Ok(match damage::check((bytes, hasher.finish()), expected) {
        Ok(()) => Verdict::Sound,
        Err(reason) => Verdict::Damaged(reason),
    })
}
