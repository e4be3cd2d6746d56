//! The stage of the objects: what is in an object store, several at a time.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::model::plan::Missing;
use crate::payload::still_at;
use crate::restore::Stop;
use crate::restore::object::{Failed, ObjectEntry};
use crate::restore::publisher::Written;
use crate::restore::worker::{Halt, Part, Refused, Worker, damaged, refused};

/// Objects that a worker fetches at a time.
const DOWNLOADS: usize = 4;

impl Worker {
    /// Fetches objects, several at a time: one that hangs does not hold up the others.
    pub(super) async fn objects(&mut self, entries: Vec<ObjectEntry>) -> Result<(), Halt> {
        let mut downloads = FuturesUnordered::new();
        let mut waiting = entries.into_iter();
        loop {
            while (downloads.is_empty()
                || downloads.len() < DOWNLOADS && !self.answers.are_in_doubt())
                && let Some(entry) = waiting.next()
            {
                if !self.answers.are_expected() {
                    self.leave(entry.id, entry.file_size);
                    continue;
                }
                let remote = self.restore.remote.clone();
                match self.placer.draft(&entry.path) {
                    Ok(draft) => downloads.push(async move {
                        let downloaded = entry.download(remote.as_ref(), draft).await;
                        (entry, downloaded)
                    }),
                    Err(error) => match refused(&entry.path, error) {
                        Refused::This(part) => self.note(entry.id, part),
                        Refused::All(stop) => return Err(Halt::Stop(stop)),
                    },
                }
            }
            let Some((entry, downloaded)) = downloads.next().await else { return Ok(()) };
            let gone = matches!(downloaded, Err(Failed::Damaged(_) | Failed::Refused(_)));
            if gone && self.has_moved(&entry).await? {
                self.fetch_again(entry.id, entry.file_size);
                continue;
            }
            let ObjectEntry { id, path, file_size, mtime_ns, mode, .. } = entry;
            self.answers.note(!matches!(downloaded, Err(Failed::Away(_))));
            match downloaded {
                Ok(draft) => {
                    let file = Written { id, path, draft, mtime_ns, mode, bytes: file_size };
                    self.publish(vec![file]);
                }
                Err(Failed::Damaged(reason)) => self.note(id, damaged(id, path.as_str(), reason)),
                Err(Failed::Away(reason)) => {
                    self.leave(id, file_size);
                    self.done.report.unanswered.insert(id);
                    self.done.report.stopped = Some(Stop::Objects(reason));
                }
                Err(Failed::Refused(reason)) => {
                    self.note(id, Part::Failed { path: path.to_string(), reason });
                }
                Err(Failed::Place(error)) => match refused(&path, error) {
                    Refused::This(part) => self.note(id, part),
                    Refused::All(stop) => return Err(Halt::Stop(stop)),
                },
            }
        }
    }

    /// Whether the bytes of an entry are elsewhere by now, or are others.
    async fn has_moved(&self, entry: &ObjectEntry) -> Result<bool, Halt> {
        let (store, row) = (self.restore.store.as_ref(), self.restore.shelf.row(entry.id));
        let still = still_at(store, row, &entry.url, &entry.sha256).await;
        Ok(!still.map_err(Halt::Store)?)
    }

    /// Leaves an entry for a later restore.
    fn leave(&mut self, id: i64, bytes: u64) {
        self.settled.insert(id);
        self.done.report.left.push(Missing { id, bytes, access_is_old: false });
    }
}
