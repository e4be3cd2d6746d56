//! The scan: a walk over the upload directory that finds what the watcher may have missed.

use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::capture::follow::Followed;
use crate::capture::{Shared, trouble};
use crate::model::places::Place;
use crate::model::settle::Sign;
use crate::model::{FileStat, IndexRow, Look, UploadPath};
use crate::store::StoreError;
use crate::uploads::{Found, scan};

/// Paths whose `last_accessed` is renewed with one statement.
const ACCESS_BATCH: usize = 500;

/// Paths whose `last_accessed` is to be renewed and that are in memory at a time. A daemon renews no more of them after
/// one scan: the others keep their mark until the next one.
const MOST_OLD: usize = 20_000;

/// As many things that cannot be cached are told as warnings, and as many are told at all.
const TOLD_ALOUD: usize = 50;
const MOST_TOLD: usize = 10_000;

/// What a scan has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Files that have to be read: new, or other than the stored ones.
    pub found: u64,
    /// Files whose stored content is the file's.
    pub unchanged: u64,
    /// Files left out by a pattern.
    pub excluded: u64,
    /// Things that cannot be cached: links, pipes, names that are not text.
    pub skipped: u64,
    /// Files or directories that may not be read.
    pub unreadable: u64,
    /// Files that are in use, and whose entry says so for more than a day no longer: some of them, where there are
    /// very many.
    pub old_access: Vec<UploadPath>,
}

/// Scans into a capture's queue.
#[derive(Debug, Clone)]
pub struct Scanner {
    shared: Arc<Shared>,
    /// What has been told already, so that each is told once.
    told: Arc<Mutex<HashSet<String>>>,
}

impl Scanner {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, told: Arc::default() }
    }

    /// Takes notice of one file, if the patterns take it.
    pub fn note(&self, path: UploadPath, sign: Sign) {
        if self.shared.options.patterns.takes(&path) {
            self.shared.queue.note(path, sign);
        }
    }

    /// Says that the database has answered somebody.
    pub fn note_database_back(&self) {
        trouble::database_back(&self.shared);
    }

    /// Takes notice of a file that somebody has asked for by name, whatever the patterns say.
    pub fn note_anyway(&self, path: UploadPath, sign: Sign) {
        self.shared.queue.note_when_room(path, sign);
    }

    /// Ends a [`Capture::hold`]: what waits is captured from now on.
    ///
    /// [`Capture::hold`]: super::Capture::hold
    pub fn release(&self) {
        self.shared.queue.release();
    }

    /// Whether files are noticed only.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.shared.queue.is_held()
    }

    /// Notes an entry of the database, so that its file need not be read.
    pub fn note_stored(&self, row: &IndexRow) {
        // Where large files are left out, there is nothing to do for one that has no data.
        let left_out = self.shared.options.places.of(row.file_size) == Place::Nowhere;
        if left_out && !row.has_data {
            self.shared.index().note_stored(&IndexRow { has_data: true, ..row.clone() });
        } else {
            self.shared.index().note_stored(row);
        }
    }

    /// Reads again what the cache holds, and forgets what it has lost.
    ///
    /// # Errors
    /// The store's; nothing is forgotten then.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.shared.index().begin_refresh();
        let read = self.shared.store.index(&mut |row| self.note_stored(&row)).await;
        match read {
            Ok(()) => self.shared.index().end_refresh(),
            Err(_) => self.shared.index().abandon_refresh(),
        }
        read
    }

    /// Notes a file that was restored, so that its appearance is not taken for an upload.
    pub fn note_restored(&self, path: &UploadPath, stat: &FileStat) {
        self.shared.index().note_restored(path, stat);
    }

    /// Files that are seen and not yet safe, and for how long the oldest of them has been.
    #[must_use]
    pub fn unsaved(&self) -> (usize, Option<Duration>) {
        self.shared.queue.unsaved()
    }

    /// Whether this file is seen and not yet safe.
    #[must_use]
    pub fn is_waiting(&self, path: &UploadPath) -> bool {
        self.shared.queue.contains(path)
    }

    /// When the files were noticed that are not yet safe, in order; `None` while some have had no room, and a
    /// scan is to find them first.
    #[must_use]
    pub fn waiting_since(&self) -> Option<Vec<Instant>> {
        let found_again = self.last_miss().is_none_or(|missed| self.last_scan() > Some(missed));
        found_again.then(|| self.shared.queue.noticed())
    }

    /// Whether an upload of this path would be stored.
    #[must_use]
    pub fn takes(&self, path: &UploadPath) -> bool {
        self.shared.options.patterns.takes(path)
    }

    /// How many files the cache holds, as far as this process knows.
    #[must_use]
    pub fn known(&self) -> usize {
        self.shared.index().len()
    }

    /// Notes that the cache no longer holds this path: a file of that name is to be stored as if it were new.
    pub fn note_gone(&self, path: &UploadPath) {
        self.shared.index().forget(path);
    }

    /// What is at `path` now, if it is a regular file.
    pub fn look(&self, path: &UploadPath) -> Option<FileStat> {
        self.shared.upload_dir.open().ok()?.stat(path).ok()?
    }

    /// Waits until a scan is due because there was no room for something that was noticed.
    pub async fn missed(&self) {
        self.shared.queue.missed().await;
    }

    /// Walks the directory `beneath` the root (empty for all of it) and queues what has to be read;
    /// waits for room in the queue, and so is not for the runtime's threads.
    ///
    /// # Errors
    /// When the directory cannot be read at all; `NotFound` when it is not there.
    pub fn scan(&self, beneath: &str) -> io::Result<Scanned> {
        self.walk(
            beneath,
            &mut |path| self.shared.queue.note_when_room(path, Sign::Scanned),
            &mut |_| {},
        )
    }

    /// As [`Scanner::scan`] of everything, and follows what is queued. Where more accesses are old than are kept
    /// in memory, the walk waits while those are renewed: no other may come after it.
    pub(super) fn scan_followed(&self, followed: &Followed) -> io::Result<Scanned> {
        let mut queue = |path: UploadPath| {
            followed.add(path.clone());
            self.shared.queue.note_when_room(path, Sign::Scanned)
        };
        let runtime = tokio::runtime::Handle::current();
        self.walk("", &mut queue, &mut |old_access| {
            let _ = runtime.block_on(self.renew_access(old_access));
            old_access.clear();
        })
    }

    /// Scans everything, unless a scan that began after `moment` has come to its end meanwhile.
    pub(super) async fn scan_since(&self, moment: Instant) -> io::Result<()> {
        let turn = self.shared.scanning.clone().lock_owned().await;
        if self.last_scan() >= Some(moment) {
            return Ok(());
        }
        let walker = self.clone();
        let scan = move || {
            // Held to the end of the walk, also when nobody waits for it any longer: walks that wait
            // for room in the queue must not pile up.
            let _turn = turn;
            walker.scan("")
        };
        tokio::task::spawn_blocking(scan).await.expect("a scan does not panic").map(drop)
    }

    /// When the last full scan began that has come to its end.
    pub(super) fn last_scan(&self) -> Option<Instant> {
        *self.shared.last_scan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When something that was noticed had no room, the last time.
    pub(super) fn last_miss(&self) -> Option<Instant> {
        self.shared.queue.missed_at()
    }

    /// Follows files that are yet to be named.
    pub(super) fn follow(&self) -> Arc<Followed> {
        self.shared.queue.follow()
    }

    /// Follows all files that wait now, and hurries them.
    pub(super) fn follow_waiting(&self) -> Arc<Followed> {
        self.shared.queue.follow_waiting()
    }

    /// Whether backlog waits for nothing but its pace.
    pub(super) fn backlog_rests(&self) -> bool {
        self.shared.queue.backlog_rests()
    }

    /// Whether any of the followed files is being read or stored.
    pub(super) fn in_hands(&self, followed: &Followed) -> bool {
        self.shared.queue.in_hands(followed)
    }

    /// Takes notice of a file that is to be written whether or not it is stored.
    pub(super) fn note_anew(&self, path: UploadPath, followed: &Followed) {
        self.shared.anew().insert(path.clone());
        followed.add(path.clone());
        self.shared.queue.note_when_room(path, Sign::Found);
    }

    /// Ends [`Scanner::note_anew`].
    pub(super) fn forget_anew(&self, paths: &[UploadPath]) {
        let mut anew = self.shared.anew();
        for path in paths {
            anew.remove(path);
        }
    }

    /// As [`Scanner::scan`], and never waits: what has no room is left to the next full scan.
    ///
    /// # Errors
    /// As [`Scanner::scan`].
    pub fn scan_at_once(&self, beneath: &str) -> io::Result<Scanned> {
        self.walk(
            beneath,
            &mut |path| {
                self.shared.queue.note(path, Sign::Found);
                true
            },
            &mut |_| {},
        )
    }

    /// `queue` takes what has to be read; false ends the walk. `many` may take old accesses away when there are
    /// very many.
    fn walk(
        &self,
        beneath: &str,
        queue: &mut dyn FnMut(UploadPath) -> bool,
        many: &mut dyn FnMut(&mut Vec<UploadPath>),
    ) -> io::Result<Scanned> {
        let mut scanned = Scanned::default();
        let began = Instant::now();
        let mut complete = true;
        scan(self.shared.upload_dir.root(), beneath, &mut |found| {
            match found {
                Found::File(path, stat) => {
                    let flow = self.file(path, &stat, &mut scanned, queue);
                    complete &= flow.is_continue();
                    if scanned.old_access.len() >= MOST_OLD {
                        many(&mut scanned.old_access);
                    }
                    return flow;
                }
                Found::Skipped { shown, why } => {
                    scanned.skipped += 1;
                    self.tell_once(&shown, &why.to_string());
                }
                Found::Unreadable { shown, cause } => {
                    scanned.unreadable += 1;
                    self.tell_once(&shown, &cause.to_string());
                }
            }
            ControlFlow::Continue(())
        })?;
        if complete && beneath.is_empty() {
            let mut last = self.shared.last_scan.lock().unwrap_or_else(PoisonError::into_inner);
            *last = (*last).max(Some(began));
        }
        Ok(scanned)
    }

    /// Renews `last_accessed` of the files that a scan has seen in use.
    ///
    /// # Errors
    /// The store's.
    pub async fn renew_access(&self, paths: &[UploadPath]) -> Result<(), StoreError> {
        for batch in paths.chunks(ACCESS_BATCH) {
            self.shared.store.accessed(batch).await?;
        }
        Ok(())
    }

    fn file(
        &self,
        path: UploadPath,
        stat: &FileStat,
        scanned: &mut Scanned,
        queue: &mut dyn FnMut(UploadPath) -> bool,
    ) -> ControlFlow<()> {
        let mut index = self.shared.index();
        let look = index.scanned(&path, stat);
        let has_room = scanned.old_access.len() < MOST_OLD;
        let old_access = look == Look::Same && has_room && index.take_old_access(&path);
        drop(index);
        // The patterns are asked last: what is stored has passed them, and asking costs more than
        // everything else that a scan does with a file.
        if look == Look::Same {
            scanned.unchanged += 1;
            if old_access {
                scanned.old_access.push(path);
            }
        } else if !self.shared.options.patterns.takes(&path) {
            scanned.excluded += 1;
        } else {
            scanned.found += 1;
            if !queue(path) {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Says why something is not cached, once for as long as the process runs, and aloud only the
    /// first times: a tree may be full of links.
    pub fn tell_once(&self, shown: &str, reason: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody's endless supply of odd names must not fill the memory.
        if told.len() >= MOST_TOLD || !told.insert(format!("{shown}\0{reason}")) {
            return;
        }
        let path = shown;
        if told.len() <= TOLD_ALOUD {
            tracing::warn!(event = "skipped", path, reason, "not cached");
        } else {
            tracing::debug!(event = "skipped", path, reason, "not cached");
        }
    }
}
