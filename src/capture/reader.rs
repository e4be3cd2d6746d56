//! A reader: takes a file that is due, makes sure that it is settled, reads, hashes and encodes it.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::capture::follow::Fate;
use crate::capture::large::LargeFile;
use crate::capture::{Shared, trouble};
use crate::model::entry::{CHUNK_BYTES, NewEntry, NewPayload};
use crate::model::health::Counters;
use crate::model::places::Place;
use crate::model::settle::{Due, Outcome, Rules, Writers};
use crate::model::{Digest, FileStat, Look, base64, mime};
use crate::uploads::{OpenError, OpenFile};

/// Memory that a file takes from the budget besides its contents: the row, its path, its bookkeeping.
const OVERHEAD: u64 = 1_024;

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
}

impl Reader {
    pub fn new(shared: Arc<Shared>, exits: Exits) -> Self {
        Self { shared, exits, buffer: Vec::new() }
    }

    /// Reads files until the queue is closed.
    pub fn run(mut self) {
        while let Some((due, rules)) = self.shared.queue.next() {
            match self.read(&due, &rules) {
                Ok(ready) => {
                    if !self.exits.send(ready) {
                        return;
                    }
                }
                Err(Verdict(outcome, fate)) => {
                    self.shared.queue.report(&due.path, outcome, fate);
                }
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
        let writers = file.writers();
        if !due.is_settled(&stat, writers, rules) {
            let held = (writers == Writers::Some).then_some(Fate::HeldOpen);
            return Err(Verdict(Outcome::Unsettled(stat), held));
        }
        let held_open = writers == Writers::Some;
        let mut seen = Seen { closed: due.closed, looked_at_ns: 0, stored_before, rewrite };
        let place = self.shared.options.places.of(stat.size);
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
        if due.is_backlog && self.shared.options.backlog_rate.is_some() {
            self.shared.queue.take(stat.size);
        }
        let inline = place == Place::Inline;
        let encoded = if inline { base64::encoded_len(stat.size) } else { stat.size };
        let permit = self.shared.budget.permit(stat.size + encoded + OVERHEAD);
        self.buffer.clear();
        file.read_to(&mut self.buffer).map_err(|error| self.failed_io(due, &error))?;
        seen.looked_at_ns = now_ns();
        unchanged(&mut file, &stat, held_open).map_err(|error| self.failed(due, &error))?;
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
        Ok(Ready::Small(Box::new(Prepared {
            entry,
            for_remote: place == Place::Remote,
            seen,
            permit,
        })))
    }

    /// Opens the file. It may not be there, or be nothing that can be cached.
    ///
    /// The root is opened anew each time: a handle that is kept would keep the system from telling
    /// that the upload directory was deleted.
    fn open(&self, due: &Due) -> Result<OpenFile, Verdict> {
        let gone = || Verdict(Outcome::Done, Some(Fate::Gone));
        let opened = match self.shared.upload_dir.open() {
            Ok(root) => root.open(&due.path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(gone()),
            Err(error) => return Err(self.failed_io(due, &error)),
        };
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
/// write: what was read is then a state that the file had.
pub fn unchanged(file: &mut OpenFile, stat: &FileStat, held_open: bool) -> Result<(), ReadError> {
    let same = file.restat()? == *stat && (held_open || file.writers() != Writers::Some);
    if same { Ok(()) } else { Err(ReadError::Changed) }
}

/// This machine's clock, which stamps files, in nanoseconds since 1970.
pub fn now_ns() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_nanos()).unwrap_or(i64::MAX)
}
