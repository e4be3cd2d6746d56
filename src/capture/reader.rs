//! A reader: takes a file that is due, makes sure that it is settled, reads, hashes and encodes it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::capture::follow::Fate;
use crate::capture::large::LargeFile;
use crate::capture::{Shared, trouble};
use crate::model::entry::{CHUNK_BYTES, NewEntry, NewPayload};
use crate::model::health::Counters;
use crate::model::places::Place;
use crate::model::settle::{Due, Outcome, Rules, Writers};
use crate::model::{Digest, FileStat, Look, base64, mime};
use crate::uploads::{OpenError, OpenFile, Root};

/// Memory that a file takes from the budget besides its contents: the row, its path, its bookkeeping.
const OVERHEAD: u64 = 1_024;

/// Files up to this size are read in about the time that it takes to ask whether they have writers. So writers are kept
/// out meanwhile, instead of asking again.
const BRIEF: u64 = 256 << 10;

/// A larger buffer is not kept for the next file, in bytes.
const MOST_KEPT: usize = 1 << 20;

/// A file that a scan has seen so lately is not looked at before it is opened.
const LATELY: Duration = Duration::from_secs(10);

/// So many files in a row are opened from one handle of the upload directory.
const IN_A_ROW: u32 = 64;

/// A file that is ready to be stored.
#[derive(Debug)]
enum Ready {
    /// Wholly in memory.
    Small(Box<Prepared>),
    /// To be streamed.
    Large(Box<LargeFile>),
}

/// Where files go that are ready to be stored.
#[derive(Debug, Clone)]
pub struct Exits {
    pub small: mpsc::UnboundedSender<Prepared>,
    pub large: mpsc::UnboundedSender<LargeFile>,
    /// For large files of a backlog that is bound to a pace: nobody else is to wait for them.
    pub unhurried: mpsc::UnboundedSender<LargeFile>,
}

impl Exits {
    /// Hands a file on; whether there is still somebody to take it.
    fn send(&self, ready: Ready) -> bool {
        match ready {
            Ready::Small(prepared) => self.small.send(*prepared).is_ok(),
            Ready::Large(large) if large.paced => self.unhurried.send(*large).is_ok(),
            Ready::Large(large) => self.large.send(*large).is_ok(),
        }
    }
}

/// A file in memory.
#[derive(Debug)]
pub struct Prepared {
    pub entry: NewEntry,
    /// Its bytes are for the object store.
    pub for_remote: bool,
    pub seen: Seen,
    /// Given back when the file is stored.
    pub permit: OwnedSemaphorePermit,
}

/// What is known about a file beside its contents.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// When its writer closed it, where that was noticed.
    pub closed: Option<Instant>,
    /// When it was last looked at, nanoseconds since 1970.
    pub looked_at_ns: i64,
    /// Something is stored under its path already.
    pub stored_before: bool,
    /// It is to be written, stored or not.
    pub rewrite: bool,
}

/// Why there is nothing to store now, and what is to be told of it.
struct Verdict(Outcome, Option<Fate>);

/// One reading thread.
pub struct Reader {
    shared: Arc<Shared>,
    exits: Exits,
    buffer: Vec<u8>,
    /// The upload directory, and how many files are still to be opened from it. A handle that is kept for long would
    /// keep the system from telling that the directory was deleted, and outlive its name.
    root: Option<(Root, u32)>,
}

impl Reader {
    pub fn new(shared: Arc<Shared>, exits: Exits) -> Self {
        Self { shared, exits, buffer: Vec::new(), root: None }
    }

    /// Reads files until the queue is closed.
    pub fn run(mut self) {
        let shared = self.shared.clone();
        while let Some((due, rules)) = shared.queue.next(|| self.root = None) {
            match self.read(&due, &rules) {
                Ok(ready) => {
                    if !self.exits.send(ready) {
                        return;
                    }
                }
                Err(Verdict(outcome, fate)) => shared.queue.report(&due.path, outcome, fate),
            }
        }
    }

    fn read(&mut self, due: &Due, rules: &Rules) -> Result<Ready, Verdict> {
        let mut file = self.open(due)?;
        let stat = *file.stat();
        let look = self.shared.index().notified(&due.path, &stat);
        let stored_before = look != Look::New;
        let rewrite = self.shared.options.rewrite || self.shared.anew().contains(&due.path);
        if look == Look::Same && !rewrite {
            Counters::add(&self.shared.health.counters.unchanged_files, 1);
            return Err(Verdict(Outcome::Done, Some(Fate::Unchanged)));
        }
        let place = self.shared.options.places.of(stat.size);
        let inline = place == Place::Inline;
        let is_bound = due.is_backlog && self.shared.options.backlog_rate.is_some();
        let encoded = if inline { base64::encoded_len(stat.size) } else { stat.size };
        let memory = stat.size + encoded + OVERHEAD;
        // Nothing below may wait for anybody while writers are kept out.
        let is_brief = stat.size <= BRIEF && place != Place::Nowhere && !is_bound;
        let permit = if is_brief { self.shared.budget.permit_now(memory) } else { None };
        let keeps_out = permit.is_some();
        let writers = if keeps_out { file.keep_writers_out() } else { file.writers() };
        if !due.is_settled(&stat, writers, rules) {
            let held = (writers == Writers::Some).then_some(Fate::HeldOpen);
            return Err(Verdict(Outcome::Unsettled(stat), held));
        }
        let held_open = writers == Writers::Some;
        let mut seen = Seen { closed: due.closed, looked_at_ns: 0, stored_before, rewrite };
        if place == Place::Nowhere || (place != Place::Inline && stat.size > CHUNK_BYTES as u64) {
            let paced = due.is_backlog && self.shared.queue.is_paced();
            if paced && !self.shared.queue.begin_unhurried() {
                return Err(Verdict(Outcome::Returned, None));
            }
            if !paced && !self.shared.queue.begin_stream(&due.path) {
                return Err(Verdict(Outcome::Large, None));
            }
            let path = due.path.clone();
            let large = LargeFile { path, file, stat, held_open, place, seen, paced };
            return Ok(Ready::Large(Box::new(large)));
        }
        if is_bound {
            self.shared.queue.take(stat.size);
        }
        let permit = permit.unwrap_or_else(|| self.shared.budget.permit(memory));
        self.buffer.clear();
        file.read_to(&mut self.buffer).map_err(|error| self.failed_io(due, &error))?;
        seen.looked_at_ns = now_ns();
        let are_known = held_open || (keeps_out && writers == Writers::None);
        unchanged(&mut file, &stat, are_known).map_err(|error| self.failed(due, &error))?;
        drop(file);
        if self.buffer.len() as u64 != stat.size {
            return Err(Verdict(Outcome::Changed, None));
        }
        let head = &self.buffer[..self.buffer.len().min(mime::HEAD_BYTES)];
        let entry = NewEntry {
            mime: mime::of(head, due.path.file_name()),
            sha256: Digest::of(&self.buffer),
            payload: if inline {
                NewPayload::Inline(base64::encode(&self.buffer))
            } else {
                NewPayload::OneChunk(crate::store::fresh_chunk_set(), self.buffer.clone())
            },
            owner: self.shared.options.owner.clone(),
            rewrite,
            path: due.path.clone(),
            stat,
        };
        if self.buffer.capacity() > MOST_KEPT {
            self.buffer = Vec::new();
        }
        Ok(Ready::Small(Box::new(Prepared {
            entry,
            for_remote: place == Place::Remote,
            seen,
            permit,
        })))
    }

    /// Opens the file. It may not be there, or be nothing that can be cached.
    fn open(&mut self, due: &Due) -> Result<OpenFile, Verdict> {
        let gone = || Verdict(Outcome::Done, Some(Fate::Gone));
        let is_seen = due.is_backlog && due.since.elapsed() < LATELY;
        let open_in = |root: &Root| match is_seen {
            true => root.open_seen(&due.path),
            false => root.open(&due.path),
        };
        // Where that fails, another directory may have taken its place.
        if let Some((root, left)) = self.root.take()
            && let Ok(file) = open_in(&root)
        {
            self.root = (left > 1).then(|| (root, left - 1));
            return Ok(file);
        }
        let root = match self.shared.upload_dir.open() {
            Ok(root) => root,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(gone()),
            Err(error) => return Err(self.failed_io(due, &error)),
        };
        let opened = open_in(&root);
        self.root = Some((root, IN_A_ROW));
        match opened {
            Ok(file) => Ok(file),
            Err(OpenError::Gone) => Err(gone()),
            Err(OpenError::Skip(why)) => {
                tracing::debug!(event = "skipped", path = %due.path, reason = %why, "not cached");
                Err(gone())
            }
            Err(OpenError::Io(error)) => Err(self.failed_io(due, &error)),
        }
    }

    fn failed(&self, due: &Due, error: &ReadError) -> Verdict {
        match error {
            ReadError::Changed => Verdict(Outcome::Changed, None),
            ReadError::Io(error) => self.failed_io(due, error),
        }
    }

    fn failed_io(&self, due: &Due, error: &std::io::Error) -> Verdict {
        trouble::file_failed(&self.shared, &due.path, &format!("cannot read it: {error}"));
        Verdict(Outcome::Failed, Some(Fate::Failed))
    }
}

/// Why a file's bytes are not to be used.
#[derive(Debug)]
pub enum ReadError {
    /// It changed while it was read.
    Changed,
    /// The system says no.
    Io(std::io::Error),
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Makes sure that the file is still as it was when reading began, and that nobody has begun to
/// write, unless its writers are known: what was read is then a state that the file had.
pub fn unchanged(file: &mut OpenFile, stat: &FileStat, are_known: bool) -> Result<(), ReadError> {
    let same = file.restat()? == *stat && (are_known || file.writers() != Writers::Some);
    if same { Ok(()) } else { Err(ReadError::Changed) }
}

/// This machine's clock, which stamps files, in nanoseconds since 1970.
pub fn now_ns() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}
