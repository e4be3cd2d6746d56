//! A large file: streamed into chunk rows first, and made an entry when the last one is in.
//!
//! Chunks are written under a set number of their own, which no entry refers to until the file has
//! been read to its end and found unchanged. A set that is never referred to is swept a day later.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::capture::reader::{ReadError, Seen, now_ns, unchanged};
use crate::capture::{Options, Shared, object, trouble};
use crate::model::entry::{CHUNK_BYTES, ChunkSet, NewEntry, NewPayload, PayloadKind};
use crate::model::places::Place;
use crate::model::{Digest, FileStat, Hasher, UploadPath, mime};
use crate::objects::Objects;
use crate::remote::Blocking;
use crate::store::{StoreError, Touch, fresh_chunk_set};
use crate::uploads::OpenFile;

/// Why a large file is not stored.
const NOWHERE: &str = "it is over inline_limit, and large_files = \"skip\" leaves it out";

/// As many chunks are written with one commit at most; as many more are read meanwhile.
const CHUNKS_AT_ONCE: usize = 4;

/// Memory that a large file takes at most, whatever its size.
const MEMORY_BYTES: u64 = (2 * CHUNKS_AT_ONCE * CHUNK_BYTES) as u64;

/// A commit that takes longer keeps others from the connection for too long: the next one has fewer chunks.
const LONG_COMMIT: Duration = Duration::from_millis(500);

/// How many large files are streamed at a time: no more than there are connections to write with, nor than the
/// memory is meant for.
pub fn most_at_once(options: &Options) -> usize {
    let fit = usize::try_from(options.bytes_in_flight / MEMORY_BYTES).unwrap_or(usize::MAX);
    fit.clamp(1, options.writers.max(1))
}

/// A file that is too large to be held in memory.
#[derive(Debug)]
pub struct LargeFile {
    pub path: UploadPath,
    pub file: OpenFile,
    pub stat: FileStat,
    /// A writer has it open, and is taken to have finished all the same.
    pub held_open: bool,
    /// Where its bytes go.
    pub place: Place,
    pub seen: Seen,
    /// It is backlog, which is bound to a pace.
    pub paced: bool,
}

/// A large file that needs nothing more.
pub struct Streamed {
    pub looked_at_ns: i64,
    pub became: Became,
}

/// A chunk on its way from the disk to the database, with its part of the memory: taken chunk by chunk, so that
/// a small file never waits for it until the end of a large one.
type Chunk = (Vec<u8>, OwnedSemaphorePermit);

/// What has become of a large file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Its content was written.
    Safe,
    /// Its content was there.
    Unchanged,
    /// Its entry has no data, as the settings want it.
    LeftOut,
}

/// Why a large file is not safe.
#[derive(Debug)]
pub enum StreamError {
    /// It changed while it was read.
    Changed,
    /// It cannot be read.
    Io(std::io::Error),
    /// It cannot be stored.
    Store(StoreError),
}

impl From<StoreError> for StreamError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Changed => Self::Changed,
            ReadError::Io(error) => Self::Io(error),
        }
    }
}

/// What one reading of the whole file has found.
struct WholeFile {
    sha256: Digest,
    mime: String,
    looked_at_ns: i64,
}

impl LargeFile {
    /// Stores the file, unless its content is the stored one.
    pub async fn stream(self, shared: &Arc<Shared>) -> Result<Streamed, StreamError> {
        let Self { path, file, stat, held_open, place, seen, paced } = self;
        let rewrite = seen.rewrite;
        let mut reading = Reading { path, file, stat, held_open, rewrite, paced };
        let mut whole = None;
        // Only the times may have changed: reading twice is cheaper than writing once. And an object
        // is named by its content.
        if seen.stored_before || place != Place::Chunks {
            let (back, found) = reading.read(shared.clone(), None).await?;
            reading = back;
            if !seen.rewrite && is_stored(shared, &reading, &found, place).await? {
                let looked_at_ns = found.looked_at_ns;
                let became = Became::Unchanged;
                return Ok(Streamed { looked_at_ns, became });
            }
            whole = Some(found);
        }
        if let (Some(found), Place::Remote) = (&whole, place)
            && let Some(objects) = object::available(shared)
        {
            let entry = found.entry(shared, &reading, NewPayload::Nothing);
            let (back, uploaded) = reading.upload(shared, objects, &entry).await?;
            reading = back;
            if let Some(uploaded) = uploaded {
                let payload = NewPayload::Url(uploaded.url.clone());
                let put = shared.store.put(&[NewEntry { payload, ..entry }]).await.map(drop);
                match put {
                    Ok(()) => object::settle(shared, &[uploaded]).await,
                    Err(error) => {
                        object::fail(shared, uploaded, &error).await;
                        return Err(error.into());
                    }
                }
                // The first look: the file may change while the upload ends.
                let looked_at_ns = found.looked_at_ns;
                return Ok(Streamed { looked_at_ns, became: Became::Safe });
            }
        }
        if let (Some(found), Place::Nowhere) = (&whole, place) {
            let entry = found.entry(shared, &reading, NewPayload::Nothing);
            put(shared, entry).await?;
            trouble::left_out(shared, &reading.path, NOWHERE);
            let looked_at_ns = found.looked_at_ns;
            return Ok(Streamed { looked_at_ns, became: Became::LeftOut });
        }
        let set = fresh_chunk_set();
        match write(shared, reading, set).await {
            Ok(looked_at_ns) => Ok(Streamed { looked_at_ns, became: Became::Safe }),
            Err(error) => {
                if !matches!(error, StreamError::Store(_)) {
                    // With the database away the sweep removes them later.
                    let _ = shared.store.discard_chunks(set).await;
                }
                Err(error)
            }
        }
    }
}

async fn put(shared: &Arc<Shared>, entry: NewEntry) -> Result<(), StreamError> {
    shared.store.put(std::slice::from_ref(&entry)).await?;
    Ok(())
}

async fn write(shared: &Arc<Shared>, reading: Reading, set: ChunkSet) -> Result<i64, StreamError> {
    let most = if reading.paced { 1 } else { CHUNKS_AT_ONCE };
    let (sender, mut chunks) = mpsc::channel::<Chunk>(most);
    let read = tokio::spawn(reading.read(shared.clone(), Some(sender)));
    let mut first = 0;
    let mut ready = Vec::new();
    let mut at_once = 1;
    while chunks.recv_many(&mut ready, at_once).await > 0 {
        let (written, permits): (Vec<_>, Vec<_>) = ready.drain(..).unzip();
        let began = Instant::now();
        shared.store.write_chunks(set, first, &written).await?;
        first += written.len() as u32;
        drop((written, permits));
        at_once = match began.elapsed() > LONG_COMMIT {
            true => (at_once / 2).max(1),
            false => (at_once * 2).min(most),
        };
    }
    let (reading, whole) = read.await.expect("reading a file does not panic")?;
    put(shared, whole.entry(shared, &reading, NewPayload::Chunks(set))).await?;
    Ok(whole.looked_at_ns)
}

/// Whether this very content is stored; brings mtime and mode up to date if it is.
async fn is_stored(
    shared: &Arc<Shared>,
    reading: &Reading,
    whole: &WholeFile,
    place: Place,
) -> Result<bool, StoreError> {
    let Reading { path, stat, .. } = reading;
    let stored = shared.store.stored(std::slice::from_ref(path)).await?;
    let Some(stored) = stored.get(path) else { return Ok(false) };
    let has_data = stored.payload != PayloadKind::None || place == Place::Nowhere;
    if stored.sha256 != Some(whole.sha256) || !has_data {
        return Ok(false);
    }
    let touch = Touch { path: path.clone(), mtime_ns: stat.mtime_ns, mode: stat.kept_mode() };
    if (stored.mtime_ns, stored.mode) != (touch.mtime_ns, touch.mode) {
        shared.store.touch(&[touch]).await?;
    }
    Ok(true)
}

impl WholeFile {
    fn entry(&self, shared: &Shared, reading: &Reading, payload: NewPayload) -> NewEntry {
        NewEntry {
            path: reading.path.clone(),
            owner: shared.options.owner.clone(),
            mime: self.mime.clone(),
            sha256: self.sha256,
            stat: reading.stat,
            payload,
            rewrite: reading.rewrite,
        }
    }
}

struct Reading {
    path: UploadPath,
    file: OpenFile,
    stat: FileStat,
    held_open: bool,
    rewrite: bool,
    /// See [`LargeFile::paced`].
    paced: bool,
}

impl Reading {
    /// Uploads the file, which must be the one that `entry` describes; `None` when the store does not
    /// take it.
    async fn upload(
        self,
        shared: &Shared,
        objects: &Objects,
        entry: &NewEntry,
    ) -> Result<(Self, Option<object::Uploaded>), StreamError> {
        let Self { path, mut file, stat, held_open, rewrite, paced } = self;
        let mut tries = 0;
        let uploaded = loop {
            file.rewind().map_err(StreamError::Io)?;
            let mut source = Blocking::new(file);
            let uploaded = object::upload(shared, objects, entry, &mut source).await;
            file = source.into_inner().await.expect("reading a file does not panic");
            tries += 1;
            if tries > 1 || !matches!(uploaded, Err(object::Refused::Again)) {
                break uploaded;
            }
        };
        let uploaded = match uploaded {
            Ok(uploaded) => {
                if let Err(error) = unchanged(&mut file, &stat, held_open) {
                    object::abandon(shared, uploaded).await;
                    return Err(error.into());
                }
                Some(uploaded)
            }
            Err(object::Refused::Changed) => return Err(StreamError::Changed),
            Err(object::Refused::Database(error)) => return Err(error.into()),
            Err(object::Refused::Elsewhere | object::Refused::Again) => None,
        };
        Ok((Self { path, file, stat, held_open, rewrite, paced }, uploaded))
    }

    /// Reads the file from its start, on a thread that may block, and sends its chunks.
    async fn read(
        self,
        shared: Arc<Shared>,
        chunks: Option<mpsc::Sender<Chunk>>,
    ) -> Result<(Self, WholeFile), StreamError> {
        tokio::task::spawn_blocking(move || self.read_blocking(&shared, chunks))
            .await
            .expect("reading a file does not panic")
    }

    fn read_blocking(
        mut self,
        shared: &Shared,
        chunks: Option<mpsc::Sender<Chunk>>,
    ) -> Result<(Self, WholeFile), StreamError> {
        self.file.rewind().map_err(StreamError::Io)?;
        let mut hasher = Hasher::default();
        let mut mime = mime::UNKNOWN.to_owned();
        let mut total = 0;
        loop {
            if self.paced {
                // Before it has a part of the memory: others may need that while it rests.
                let next = self.stat.size.saturating_sub(total).min(CHUNK_BYTES as u64);
                shared.queue.take_and_rest(next);
            }
            let permit = shared.budget.permit(CHUNK_BYTES as u64);
            let mut chunk = Vec::with_capacity(CHUNK_BYTES);
            let limit = CHUNK_BYTES as u64;
            (&mut self.file).take(limit).read_to_end(&mut chunk).map_err(StreamError::Io)?;
            if chunk.is_empty() {
                break;
            }
            if total == 0 {
                let head = &chunk[..chunk.len().min(mime::HEAD_BYTES)];
                mime = mime::of(head, self.path.file_name());
            }
            total += chunk.len() as u64;
            hasher.update(&chunk);
            if let Some(chunks) = &chunks
                && chunks.blocking_send((chunk, permit)).is_err()
            {
                break; // Storing has failed, and tells why.
            }
            if total > self.stat.size {
                return Err(StreamError::Changed);
            }
        }
        let looked_at_ns = now_ns();
        unchanged(&mut self.file, &self.stat, self.held_open)?;
        if total != self.stat.size {
            return Err(StreamError::Changed);
        }
        Ok((self, WholeFile { sha256: hasher.finish(), mime, looked_at_ns }))
    }
}
