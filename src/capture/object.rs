//! Uploads to the object store, and what happens when it does not take a file.
//!
//! A file that the store refuses, or that it cannot take just now, is kept in chunks in the database:
//! it must be safe first, and where it is can be changed later.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::capture::{Deadline, Shared, trouble};
use crate::model::entry::{NewEntry, NewPayload};
use crate::model::{Digest, Hasher};
use crate::objects::{NoClaim, Objects};
use crate::remote::{NewObject, Remote, RemoteError, Source, Trouble};
use crate::store::StoreError;
use crate::store::ledger::Claim;

/// A store that is away is left alone for so long: every attempt is time in which a file is not safe.
const REST: Duration = Duration::from_secs(60);

/// A store that still has not taken a file when this part of the time to end is over does not get it: what
/// is left has to be enough to put it into the database.
const SHARE_OF_THE_END: u32 = 3;

/// The program never ends so late.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Until when the store is waited for.
#[derive(Debug)]
pub struct LastUpload(Deadline);

impl Default for LastUpload {
    fn default() -> Self {
        Self(Deadline::at(Instant::now() + NEVER))
    }
}

impl LastUpload {
    /// The time to end has begun. Never returns, since the end may be brought forward.
    pub async fn follow(&self, end: &Deadline) {
        let began = Instant::now();
        end.follow(|moment| {
            let left = moment.saturating_duration_since(began);
            self.0.bring_forward(began + left / SHARE_OF_THE_END);
        })
        .await;
    }

    fn is_over(&self) -> bool {
        self.0.moment() <= Instant::now()
    }
}

/// When the store may be asked again.
#[derive(Debug, Default)]
pub struct Rest(Mutex<Option<Instant>>);

impl Rest {
    fn is_over(&self) -> bool {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_none_or(|until| Instant::now() >= until)
    }

    fn begin(&self, wanted: Option<Duration>) {
        let until = Instant::now() + wanted.unwrap_or(REST).clamp(REST, 60 * REST);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(until);
    }
}

/// A content in the object store, which nobody removes while it is claimed.
#[derive(Debug)]
pub struct Uploaded {
    pub content: Digest,
    pub url: String,
    claim: Claim,
}

/// Why a content is not in the object store.
#[derive(Debug)]
pub enum Refused {
    /// It is not the content that was announced: the file has changed meanwhile.
    Changed,
    /// The store does not take it now, or never will: keep it elsewhere.
    Elsewhere,
    /// What the store had under its name was damaged, and is removed: upload it again.
    Again,
    /// The database, which must know of every upload, does not answer.
    Database(StoreError),
}

/// The object store, if there is one and it may be asked now.
pub fn available(shared: &Shared) -> Option<&Objects> {
    let may_be_asked = shared.remote_rest.is_over() && !shared.last_upload.is_over();
    shared.objects.as_deref().filter(|_| may_be_asked)
}

/// Puts the bytes of a small entry into the object store, if it takes them: the entry then has the URL
/// in their place.
pub async fn upload_small(
    shared: &Shared,
    entry: &mut NewEntry,
) -> Result<Option<Uploaded>, StoreError> {
    let (Some(objects), NewPayload::OneChunk(_, bytes)) = (available(shared), &entry.payload)
    else {
        return Ok(None);
    };
    let bytes = Bytes::copy_from_slice(bytes);
    let mut uploaded = upload(shared, objects, entry, &mut Some(bytes.clone())).await;
    if matches!(uploaded, Err(Refused::Again)) {
        uploaded = upload(shared, objects, entry, &mut Some(bytes)).await;
    }
    match uploaded {
        Ok(uploaded) => {
            entry.payload = NewPayload::Url(uploaded.url.clone());
            Ok(Some(uploaded))
        }
        Err(Refused::Database(error)) => Err(error),
        Err(Refused::Changed | Refused::Elsewhere | Refused::Again) => Ok(None),
    }
}

/// Puts a content into the object store, unless the program ends before it is there. The claim on it
/// stands until [`settle`], or [`abandon`].
pub async fn upload(
    shared: &Shared,
    objects: &Objects,
    entry: &NewEntry,
    source: &mut dyn Source,
) -> Result<Uploaded, Refused> {
    let content = entry.sha256;
    // Before the store is asked for the object: one that is found there may be about to go. A claim that
    // is granted after the bound ends by itself.
    let claim = match shared.last_upload.0.bound(objects.claim(content)).await {
        Some(Ok(claim)) => claim,
        Some(Err(NoClaim::Store(error))) => return Err(Refused::Database(error)),
        Some(Err(NoClaim::Remote(error))) => {
            note(shared, entry, &error);
            return Err(Refused::Elsewhere);
        }
        Some(Err(why @ (NoClaim::BeingRemoved | NoClaim::Young))) => {
            trouble::object_refused(shared, &entry.path, &why.to_string());
            return Err(Refused::Elsewhere);
        }
        None => return Err(too_late(shared, entry)),
    };
    match send(shared, objects.remote().as_ref(), entry, source).await {
        Ok(url) => Ok(Uploaded { content, url, claim }),
        Err(refused) => {
            objects.release(&[claim]).await;
            Err(refused)
        }
    }
}

/// The entries of these uploads are committed.
pub async fn settle(shared: &Shared, uploaded: &[Uploaded]) {
    if let Some(objects) = &shared.objects {
        let claims: Vec<Claim> = uploaded.iter().map(|uploaded| uploaded.claim).collect();
        objects.release(&claims).await;
    }
}

/// The entry of an upload could not be put.
pub async fn fail(shared: &Shared, uploaded: Uploaded, error: &StoreError) {
    // It may come to be committed all the same: then the claim ends by itself, and till then the object stays.
    if !error.is_temporary() {
        abandon(shared, uploaded).await;
    }
}

/// There will be no entry.
pub async fn abandon(shared: &Shared, Uploaded { content, url, claim }: Uploaded) {
    if let Some(objects) = &shared.objects {
        objects.abandon(claim, content, &url).await;
    }
}

async fn send(
    shared: &Shared,
    remote: &dyn Remote,
    entry: &NewEntry,
    source: &mut dyn Source,
) -> Result<String, Refused> {
    let uploaded = shared.last_upload.0.bound(upload_now(shared, remote, entry, source)).await;
    uploaded.unwrap_or_else(|| Err(too_late(shared, entry)))
}

fn too_late(shared: &Shared, entry: &NewEntry) -> Refused {
    let reason = "the program ends, and the object store has not taken it yet";
    trouble::object_refused(shared, &entry.path, reason);
    Refused::Elsewhere
}

async fn upload_now(
    shared: &Shared,
    remote: &dyn Remote,
    entry: &NewEntry,
    source: &mut dyn Source,
) -> Result<String, Refused> {
    let object = NewObject {
        sha256: entry.sha256,
        length: entry.stat.size,
        mime: entry.mime.clone(),
        name: entry.path.to_string(),
    };
    match remote.upload(&object, source).await {
        // Who wants an entry written anew may know that its object is damaged.
        Ok(uploaded) if uploaded.was_there && entry.rewrite => {
            match cleared(remote, &object, &uploaded.url).await {
                Ok(false) => Ok(uploaded.url),
                Ok(true) => Err(Refused::Again),
                Err(error) => {
                    note(shared, entry, &error);
                    Err(Refused::Elsewhere)
                }
            }
        }
        Ok(uploaded) => Ok(uploaded.url),
        Err(error) if error.trouble == Trouble::Local => Err(Refused::Changed),
        Err(error) => {
            note(shared, entry, &error);
            Err(Refused::Elsewhere)
        }
    }
}

/// Removes an object that does not have the bytes that its name says; `false` when it is sound.
async fn cleared(remote: &dyn Remote, object: &NewObject, url: &str) -> Result<bool, RemoteError> {
    let mut hasher = Hasher::default();
    let mut sink = |bytes: &[u8]| {
        hasher.update(bytes);
        Ok(())
    };
    match remote.download(url, object.length, &mut sink).await {
        Ok(length) if length == object.length && hasher.finish() == object.sha256 => Ok(false),
        Err(error) if !matches!(error.trouble, Trouble::Missing | Trouble::Wrong) => Err(error),
        Ok(_) | Err(_) => remote.remove(url).await.map(|()| true),
    }
}

fn note(shared: &Shared, entry: &NewEntry, error: &RemoteError) {
    if error.is_temporary() {
        shared.remote_rest.begin(error.retry_after);
    }
    trouble::object_refused(shared, &entry.path, &error.to_string());
}
