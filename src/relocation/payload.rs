//! The move of one payload: read from where it is, written where it is wanted, read back, and only then
//! referred to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::model::base64;
use crate::model::entry::{CHUNK_BYTES, ChunkSet, Entry, NewPayload, PayloadKind};
use crate::model::places::Place;
use crate::objects::{NoClaim, Objects};
use crate::payload::damage::{Reason, expected_digest};
use crate::payload::{ReadError, Reader};
use crate::relocation::chunks;
use crate::relocation::object::{self, Upload};
use crate::remote::{Remote, RemoteError};
use crate::store::{ListQuery, PayloadPlace, Relocation, Sort, Store, StoreError, fresh_chunk_set};

/// The first wait for a database that is away, and the longest.
const AWAY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// What came of the move of one payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Moved,
    /// The entry was removed or got another content meanwhile, which went where it was wanted.
    Changed,
}

/// Why a payload was not moved. It is where it was, as it was.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error(
        "its bytes are in an object store that is not the configured one: {0}; set object_store to \
         that store and run `imagecached move --to chunks`, then set the new one and run this again"
    )]
    OtherStore(String),
    #[error(
        "the entry is damaged: {0}; if its file is on a disk, `imagecached cache PATH` stores it again"
    )]
    Damaged(Reason),
    #[error("no object store is configured: set object_store")]
    NoStore,
    #[error("{0}; run this again later")]
    NotNow(NoClaim),
    #[error(
        "{place} gave back other bytes than it was given: {reason}; do not trust it with files"
    )]
    Differs { place: String, reason: Reason },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

/// What moving a payload takes.
pub struct Carrier {
    pub store: Arc<dyn Store>,
    pub objects: Option<Arc<Objects>>,
    /// How long a database that is away is waited for.
    pub patience: Duration,
    /// Held by whoever replaces a damaged object, so that nobody removes the sound one after it.
    pub mending: Mutex<()>,
}

/// A payload for its new place.
struct Written {
    payload: NewPayload,
    aside: Aside,
}

/// What is there before anything refers to it, and has to go if nothing ever does.
enum Aside {
    /// It comes with the transaction.
    Nothing,
    Chunks(ChunkSet),
    Object(Upload),
}

impl Carrier {
    /// Moves the payload of an entry as it was listed. Waits for the database, if that is away for a
    /// moment; gives up waiting when `hurry` says so.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn carry(
        &self,
        entry: &Entry,
        to: Place,
        hurry: impl Fn() -> bool,
    ) -> Result<Outcome, Failed> {
        let began = Instant::now();
        let mut wait = AWAY.0;
        loop {
            match self.attempt(entry, to).await {
                Err(Failed::Store(error))
                    if error.is_temporary() && began.elapsed() < self.patience && !hurry() =>
                {
                    tracing::debug!(event = "move_retry", reason = %error, "waiting for the database");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(AWAY.1);
                }
                done => return done,
            }
        }
    }

    async fn attempt(&self, entry: &Entry, to: Place) -> Result<Outcome, Failed> {
        let digest = expected_digest(&entry.sha256).map_err(Failed::Damaged)?;
        let expected = (entry.file_size, digest);
        let opened = Reader::open(self.store.as_ref(), self.remote(), entry.id).await;
        let read = match opened {
            Ok(reader) if reader.expected() == expected => self.write(entry, reader, to).await,
            Ok(_) => return Ok(Outcome::Changed),
            Err(error) => Err(error.into()),
        };
        let written = match read {
            Ok(written) => written,
            Err(NotWritten::Changed) => return Ok(Outcome::Changed),
            Err(NotWritten::Failed(failed)) => return Err(failed),
        };
        let Some(from) = place_of(entry) else { return Ok(Outcome::Changed) };
        let Written { payload, aside } = written;
        let relocation = Relocation { id: entry.id, sha256: digest, from, to: payload };
        // After an error it may be done yet, by a database that has not heard of our giving up: the entry
        // then refers to what was written. Where it never does, chunks are swept and the claim ends.
        if self.store.relocate(&relocation).await? {
            self.settle(aside).await;
            return Ok(Outcome::Moved);
        }
        self.take_back(aside).await;
        self.what_it_became(entry, to).await
    }

    fn remote(&self) -> Option<&Arc<dyn Remote>> {
        self.objects.as_deref().map(Objects::remote)
    }

    /// Writes the payload to its new place and makes sure that it is there.
    async fn write(
        &self,
        entry: &Entry,
        reader: Reader<'_>,
        to: Place,
    ) -> Result<Written, NotWritten> {
        let payload = match to {
            Place::Inline | Place::Nowhere => {
                // It goes with the transaction that refers to it, and is what was checked just now.
                NewPayload::Inline(base64::encode(&reader.to_end().await?))
            }
            Place::Chunks if entry.file_size <= CHUNK_BYTES as u64 => {
                NewPayload::OneChunk(fresh_chunk_set(), reader.to_end().await?)
            }
            Place::Chunks => {
                let set = fresh_chunk_set();
                let written = chunks::write(self.store.as_ref(), set, reader).await;
                // With the database away the sweep removes them later.
                if matches!(&written, Err(why) if !why.is_by_store()) {
                    self.discard(set).await;
                }
                written?;
                return Ok(Written { payload: NewPayload::Chunks(set), aside: Aside::Chunks(set) });
            }
            Place::Remote => {
                let objects = self.objects.as_deref();
                let objects = objects.ok_or(NotWritten::Failed(Failed::NoStore))?;
                let upload = object::upload(self, objects, entry, reader).await?;
                let payload = NewPayload::Url(upload.url.clone());
                return Ok(Written { payload, aside: Aside::Object(upload) });
            }
        };
        Ok(Written { payload, aside: Aside::Nothing })
    }

    /// What has become of an entry that is no longer as it was listed. Its payload may have been moved by
    /// an earlier attempt whose answer was lost, or by another process.
    async fn what_it_became(&self, entry: &Entry, to: Place) -> Result<Outcome, Failed> {
        let query = ListQuery {
            after_id: Some(entry.id - 1),
            sort: Sort::Id,
            limit: Some(1),
            ..ListQuery::default()
        };
        let now = self.store.list(&query).await?.into_iter().find(|now| now.id == entry.id);
        Ok(match now {
            Some(now) if now.sha256 == entry.sha256 && is_at(&now, to) => Outcome::Moved,
            _ => Outcome::Changed,
        })
    }

    async fn settle(&self, aside: Aside) {
        if let (Aside::Object(upload), Some(objects)) = (aside, &self.objects) {
            upload.settle(objects).await;
        }
    }

    /// Removes what was written and is not needed.
    async fn take_back(&self, aside: Aside) {
        match (aside, &self.objects) {
            (Aside::Chunks(set), _) => self.discard(set).await,
            (Aside::Object(upload), Some(objects)) => upload.abandon(objects).await,
            (Aside::Nothing | Aside::Object(_), _) => {}
        }
    }

    /// Removes chunks that no entry refers to. Those of an entry are left alone.
    async fn discard(&self, set: ChunkSet) {
        if let Err(error) = self.store.discard_chunks(set).await {
            tracing::debug!(event = "upkeep_failed", reason = %error, "chunks are left to the sweep");
        }
    }
}

/// Where the bytes of an entry are, as it was listed.
fn place_of(entry: &Entry) -> Option<PayloadPlace> {
    match entry.payload {
        PayloadKind::Inline => Some(PayloadPlace::Inline),
        PayloadKind::Chunks => entry.chunk_set.map(PayloadPlace::Chunks),
        PayloadKind::Url => entry.image_url.clone().map(PayloadPlace::Url),
        PayloadKind::None => None,
    }
}

fn is_at(entry: &Entry, place: Place) -> bool {
    match place {
        Place::Inline => entry.payload == PayloadKind::Inline,
        Place::Chunks => entry.payload == PayloadKind::Chunks,
        Place::Remote => entry.payload == PayloadKind::Url,
        Place::Nowhere => false,
    }
}

/// Why a payload is not at its new place.
pub(super) enum NotWritten {
    Changed,
    Failed(Failed),
}

impl NotWritten {
    fn is_by_store(&self) -> bool {
        matches!(self, Self::Failed(Failed::Store(_)))
    }
}

impl From<StoreError> for NotWritten {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<RemoteError> for NotWritten {
    fn from(error: RemoteError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<NoClaim> for NotWritten {
    fn from(no: NoClaim) -> Self {
        Self::Failed(match no {
            NoClaim::Store(error) => Failed::Store(error),
            NoClaim::Remote(error) => Failed::Remote(error),
            no @ (NoClaim::BeingRemoved | NoClaim::Young) => Failed::NotNow(no),
        })
    }
}

impl From<ReadError> for NotWritten {
    fn from(error: ReadError) -> Self {
        Self::Failed(match error {
            ReadError::Removed | ReadError::Replaced => return Self::Changed,
            ReadError::Damaged(Reason::Url(url)) => Failed::OtherStore(url),
            ReadError::Damaged(reason) => Failed::Damaged(reason),
            ReadError::Store(error) => Failed::Store(error),
            ReadError::Remote(error) => Failed::Remote(error),
        })
    }
}
