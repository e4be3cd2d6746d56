//! A payload on its way into the object store.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::entry::Entry;
use crate::model::{Digest, Hasher};
use crate::objects::Objects;
use crate::payload::damage::{Reason, check};
use crate::payload::{Expected, ReadError, Reader};
use crate::relocation::payload::{Carrier, Failed, NotWritten};
use crate::remote::{NewObject, Remote, RemoteError, Source, Trouble};
use crate::store::ledger::Claim;

/// An object that is in the store, and claimed.
pub(super) struct Upload {
    pub url: String,
    content: Digest,
    claim: Claim,
}

impl Upload {
    /// The entry refers to the object.
    pub async fn settle(self, objects: &Objects) {
        objects.release(&[self.claim]).await;
    }

    /// The entry does not, and will not.
    pub async fn abandon(self, objects: &Objects) {
        objects.abandon(self.claim, self.content, &self.url).await;
    }
}

/// Claims the content, puts it into the store and fetches it back.
pub(super) async fn upload(
    carrier: &Carrier,
    objects: &Objects,
    entry: &Entry,
    reader: Reader<'_>,
) -> Result<Upload, NotWritten> {
    let (length, content) = reader.expected();
    let claim = objects.claim(content).await?;
    let object = NewObject {
        sha256: content,
        length,
        mime: entry.content_type_header.clone(),
        name: entry.original_path.clone(),
    };
    match put(carrier, objects.remote(), entry.id, &object, reader).await {
        Ok(url) => Ok(Upload { url, content, claim }),
        Err(why) => {
            objects.release(&[claim]).await;
            Err(why)
        }
    }
}

async fn put(
    carrier: &Carrier,
    remote: &Arc<dyn Remote>,
    id: i64,
    object: &NewObject,
    reader: Reader<'_>,
) -> Result<String, NotWritten> {
    let expected = reader.expected();
    let (url, was_there) = send(remote.as_ref(), object, reader).await?;
    let Some(reason) = difference(remote.as_ref(), &url, expected).await? else { return Ok(url) };
    if !was_there {
        return Err(differs(remote.as_ref(), reason));
    }
    // Somebody has altered it. One at a time: the next one may find it sound.
    let _alone = carrier.mending.lock().await;
    if difference(remote.as_ref(), &url, expected).await?.is_none() {
        return Ok(url);
    }
    remote.remove(&url).await?;
    let reader = Reader::open(carrier.store.as_ref(), Some(remote), id).await?;
    if reader.expected() != expected {
        return Err(NotWritten::Changed);
    }
    let (url, _) = send(remote.as_ref(), object, reader).await?;
    match difference(remote.as_ref(), &url, expected).await? {
        None => Ok(url),
        Some(reason) => Err(differs(remote.as_ref(), reason)),
    }
}

/// Uploads what is read; returns its URL, and whether it was there before.
async fn send(
    remote: &dyn Remote,
    object: &NewObject,
    reader: Reader<'_>,
) -> Result<(String, bool), NotWritten> {
    let mut sending = Sending { reader, failed: None };
    let uploaded = remote.upload(object, &mut sending).await;
    match (uploaded, sending.failed) {
        (Ok(uploaded), _) => Ok((uploaded.url, uploaded.was_there)),
        (Err(_), Some(error)) => Err(error.into()),
        // What is read is checked, so it is the entry that is no longer what it was.
        (Err(error), None) if error.trouble == Trouble::Local => Err(NotWritten::Changed),
        (Err(error), None) => Err(error.into()),
    }
}

/// A reader as the source of an upload; keeps why reading has failed.
struct Sending<'s> {
    reader: Reader<'s>,
    failed: Option<ReadError>,
}

#[async_trait]
impl Source for Sending<'_> {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.reader.next().await.map_err(|error| {
            let shown = io::Error::other(error.to_string());
            self.failed = Some(error);
            shown
        })
    }
}

/// Fetches an object, and says how it differs from what it should be.
async fn difference(
    remote: &dyn Remote,
    url: &str,
    expected: Expected,
) -> Result<Option<Reason>, RemoteError> {
    let mut hasher = Hasher::default();
    let mut sink = |bytes: &[u8]| {
        hasher.update(bytes);
        Ok(())
    };
    match remote.download(url, expected.0, &mut sink).await {
        Ok(length) => Ok(check((length, hasher.finish()), expected).err()),
        Err(error) if matches!(error.trouble, Trouble::Missing | Trouble::Wrong) => {
            Ok(Some(Reason::Object(error.to_string())))
        }
        Err(error) => Err(error),
    }
}

fn differs(remote: &dyn Remote, reason: Reason) -> NotWritten {
    NotWritten::Failed(Failed::Differs { place: remote.describe(), reason })
}
