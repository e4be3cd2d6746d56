//! The intake: turns what the watcher reports into waiting files.
//!
//! It is a thread of its own, so that the watcher's callback has nothing to do but to send, and so
//! that walking over a new directory holds up nobody.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::capture::gone::{Gone, Listener};
use crate::capture::scan::Scanner;
use crate::model::health::{Health, Watcher};
use crate::model::settle::Sign;
use crate::uploads::{Event, Watch, WatchError};
use std::sync::Arc;
use tokio::sync::{Notify, oneshot};

/// A new directory is walked over a second time after so long. The first walk misses nothing by
/// construction (see [`Watch::barrier`]); this one is for file systems that break the construction.
const SECOND_LOOK: Duration = Duration::from_millis(200);

/// A watcher that cannot work is tried again after so long, then after twice as long, and at most after the
/// second. Limits of the kernel are often used up for a short time only: while two containers of one
/// deploy run side by side. Setting the watches of a large tree in vain costs as much as a scan of it.
const REVIVE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How often an upload directory that is gone is looked for.
const LOOK_FOR_ROOT: Duration = Duration::from_millis(500);

/// As many messages are worked off before the new directories among them are walked over. In a flood that does not
/// end, files that only the walk finds would otherwise wait for its end.
const AT_ONCE: usize = 1_000;

#[derive(Debug)]
enum Message {
    Event(Event),
    CheckRoot,
    /// Somebody wants everything to be heard that has happened so far.
    CatchUp(oneshot::Sender<Heard>),
    /// Everything before this was.
    CaughtUp(oneshot::Sender<Heard>),
    Stop,
}

/// What there is to know once everything that has happened before was heard.
#[derive(Debug, Clone, Copy)]
pub struct Heard {
    /// The watcher works.
    pub watching: bool,
    /// Nothing was missed since then.
    pub lost_at: Instant,
}

/// The way to ask the intake.
#[derive(Debug, Clone)]
pub struct Hearing(Sender<Message>);

impl Hearing {
    /// Waits until every file that something happened to before this call waits to be captured. `None`
    /// when the intake has ended.
    pub async fn catch_up(&self) -> Option<Heard> {
        let (sender, answer) = oneshot::channel();
        self.0.send(Message::CatchUp(sender)).ok()?;
        answer.await.ok()
    }
}

/// A running intake.
#[derive(Debug)]
pub struct Intake {
    sender: Sender<Message>,
    thread: JoinHandle<()>,
    scan_due: Arc<Notify>,
}

impl Intake {
    /// Sets the watch, and returns when it stands: what is written from then on is noticed. Where
    /// the watcher cannot work this is no error: the health says *degraded*, and scans have to do.
    /// `listener` is told what goes from the disk.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        root: PathBuf,
        scanner: Scanner,
        health: Arc<Health>,
        listener: Option<Listener>,
    ) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let scan_due = Arc::new(Notify::new());
        let mut worker = Worker {
            root,
            scanner,
            health,
            listener,
            watch: None,
            watched: None,
            revive_at: Instant::now(),
            revive_in: REVIVE.0,
            second_looks: Vec::new(),
            lost_at: Instant::now(),
            scan_due: scan_due.clone(),
            sender: sender.clone(),
        };
        worker.watch();
        let thread = std::thread::Builder::new()
            .name("intake".into())
            .spawn(move || worker.run(&receiver))?;
        Ok(Self { sender, thread, scan_due })
    }

    /// Resolves when a full scan is due: the watcher has lost something.
    pub async fn scan_due(&self) {
        self.scan_due.notified().await;
    }

    /// Has it made sure that the directory that is watched is still the one under the root's path.
    /// The kernel does not tell when a directory above it was moved away, and tells a deletion only
    /// once nobody has the directory open any more.
    pub fn check_root(&self) {
        // A thread that has died is told by `is_alive`.
        let _ = self.sender.send(Message::CheckRoot);
    }

    /// The way to ask whether everything was heard.
    #[must_use]
    pub fn hearing(&self) -> Hearing {
        Hearing(self.sender.clone())
    }

    /// Whether the thread runs; it ends by itself only by a panic.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Works off what has happened so far, told by the watcher or yet to be told, and ends. Blocks for as long as that
    /// takes.
    pub fn stop(self) {
        let (answer, heard) = oneshot::channel();
        if self.sender.send(Message::CatchUp(answer)).is_ok() {
            // A thread that has died answers nothing, and drops the question.
            let _ = heard.blocking_recv();
        }
        let _ = self.sender.send(Message::Stop);
        let _ = self.thread.join();
    }
}

struct Worker {
    root: PathBuf,
    scanner: Scanner,
    health: Arc<Health>,
    listener: Option<Listener>,
    watch: Option<Watch>,
    /// Which directory it is set on.
    watched: Option<(u64, u64)>,
    revive_at: Instant,
    /// How long the next try waits that follows one in vain.
    revive_in: Duration,
    /// New directories, and when to walk over them again; the earliest first.
    second_looks: Vec<(Instant, String)>,
    /// What happened before may have been missed.
    lost_at: Instant,
    scan_due: Arc<Notify>,
    sender: Sender<Message>,
}

impl Worker {
    fn run(mut self, receiver: &Receiver<Message>) {
        loop {
            let message = match self.wakes_at() {
                Some(at) => {
                    let wait = at.saturating_duration_since(Instant::now());
                    receiver.recv_timeout(wait)
                }
                None => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut directories = Vec::new();
            let mut stop = false;
            let mut next = match message {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Files first: one barrier then does for many new directories.
            let mut left = AT_ONCE;
            while let Some(message) = next {
                match message {
                    Message::Stop => {
                        stop = true;
                        break;
                    }
                    Message::Event(event) => self.handle(event, &mut directories),
                    Message::CheckRoot => self.check_root(),
                    Message::CatchUp(answer) => self.catch_up(answer),
                    Message::CaughtUp(answer) => {
                        self.walk_new(std::mem::take(&mut directories));
                        self.look_again(None);
                        // Nobody may be waiting any more.
                        let _ = answer.send(self.heard());
                    }
                }
                left -= 1;
                next = if left > 0 { receiver.try_recv().ok() } else { None };
            }
            self.walk_new(directories);
            if stop {
                return;
            }
            self.look_again(Some(Instant::now()));
            self.revive();
        }
    }

    fn handle(&mut self, event: Event, directories: &mut Vec<String>) {
        match event {
            Event::Closed(path) => self.scanner.note(path, Sign::Closed),
            Event::Touched(path) => self.scanner.note(path, Sign::Touched),
            Event::Moved(path) => match self.scanner.look(&path) {
                Some(_) => self.scanner.note(path, Sign::Closed),
                None => directories.push(path.to_string()),
            },
            Event::Directory(path) => directories.push(path),
            // What is gone from the disk stays in the cache, unless somebody listens for it.
            Event::Removed(path) => self.tell(Gone::Deleted(path)),
            Event::MovedAway(path) => self.tell(Gone::MovedAway(path)),
            Event::Skipped { shown, why } => self.scanner.tell_once(&shown, &why.to_string()),
            Event::Unwatched { shown, cause } => self.scanner.tell_once(&shown, &cause),
            Event::Rescan(cause) => {
                tracing::warn!(
                    event = "rescan",
                    reason = %cause,
                    "the watcher has lost events; scanning"
                );
                self.tell(Gone::Unheard(cause.to_string()));
                self.rebuild();
            }
            Event::RootGone => {
                self.lose("the upload directory is gone, or was replaced".into());
            }
        }
    }

    fn check_root(&mut self) {
        if self.watch.is_some() && identity(&self.root) != self.watched {
            self.lose("the upload directory is gone, or was replaced".into());
        }
    }

    fn walk_new(&mut self, mut directories: Vec<String>) {
        if directories.is_empty() {
            return;
        }
        directories.sort();
        directories.dedup();
        if let Some(Err(error)) = self.watch.as_ref().map(Watch::barrier) {
            self.degrade(&error);
        }
        let again = Instant::now() + SECOND_LOOK;
        for directory in directories {
            self.walk(&directory);
            self.second_looks.push((again, directory));
        }
    }

    fn catch_up(&mut self, answer: oneshot::Sender<Heard>) {
        if let Some(Err(error)) = self.watch.as_mut().map(Watch::catch_up) {
            self.degrade(&error);
        }
        // Behind everything that the watcher has just sent.
        let _ = self.sender.send(Message::CaughtUp(answer));
    }

    fn heard(&self) -> Heard {
        Heard { watching: self.watch.is_some(), lost_at: self.lost_at }
    }

    /// Walks a second time over the new directories for which that is due by `now`, or over all.
    fn look_again(&mut self, now: Option<Instant>) {
        let due = match now {
            Some(now) => self.second_looks.partition_point(|(at, _)| *at <= now),
            None => self.second_looks.len(),
        };
        for (_, directory) in self.second_looks.drain(..due).collect::<Vec<_>>() {
            self.walk(&directory);
        }
    }

    fn walk(&self, directory: &str) {
        match self.scanner.scan_at_once(directory) {
            Ok(_) => {}
            // It went as quickly as it came.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => self.scanner.tell_once(directory, &error.to_string()),
        }
    }

    fn watch(&mut self) {
        let sender = self.sender.clone();
        let sink = move |event| {
            let _ = sender.send(Message::Event(event));
        };
        // Before the watch is set: a directory replaced in between shows at the next check.
        let watched = identity(&self.root);
        match Watch::start(&self.root, sink) {
            Ok(watch) => {
                self.watch = Some(watch);
                self.watched = watched;
                self.lost_at = Instant::now();
                if self.health.set_watcher(Watcher::Watching) {
                    tracing::info!(event = "watching", root = %self.root.display(), "watching");
                }
            }
            Err(WatchError::Gone) => self.lose(WatchError::Gone.to_string()),
            Err(error) => self.degrade(&error),
        }
    }

    fn rebuild(&mut self) {
        let rebuilt = match &mut self.watch {
            Some(watch) => watch.rebuild(),
            None => return,
        };
        match rebuilt {
            Ok(()) => {
                self.watched = identity(&self.root);
                self.lost_at = Instant::now();
            }
            Err(WatchError::Gone) => self.lose(WatchError::Gone.to_string()),
            Err(error) => self.degrade(&error),
        }
        self.scan_due.notify_one();
    }

    fn tell(&self, gone: Gone) {
        if let Some(listener) = &self.listener {
            listener(gone);
        }
    }

    fn lose(&mut self, reason: String) {
        self.tell(Gone::Unheard(reason.clone()));
        self.watch = None;
        self.revive_at = Instant::now() + LOOK_FOR_ROOT;
        if self.health.set_watcher(Watcher::Degraded(reason.clone())) {
            tracing::error!(
                event = "degraded",
                reason,
                "nothing is deleted from the cache; watching goes on when it is back"
            );
        }
    }

    fn degrade(&mut self, error: &WatchError) {
        // One that did not stand for long, time and again, must not fill the log.
        if self.watch.take().is_some() && self.lost_at.elapsed() >= REVIVE.1 {
            self.revive_in = REVIVE.0;
        }
        self.revive_at = Instant::now() + self.revive_in;
        self.revive_in = (self.revive_in * 2).min(REVIVE.1);
        let reason = error.to_string();
        self.tell(Gone::Unheard(reason.clone()));
        if self.health.set_watcher(Watcher::Degraded(reason.clone())) {
            tracing::warn!(event = "degraded", reason, "new files are found by scanning only");
        }
    }

    fn revive(&mut self) {
        if self.watch.is_some() || Instant::now() < self.revive_at {
            return;
        }
        if !self.root.is_dir() {
            self.revive_at = Instant::now() + LOOK_FOR_ROOT;
            return;
        }
        self.watch();
        if self.watch.is_some() {
            self.scan_due.notify_one();
        }
    }

    fn wakes_at(&self) -> Option<Instant> {
        let revive = self.watch.is_none().then_some(self.revive_at);
        let look = self.second_looks.first().map(|(at, _)| *at);
        revive.into_iter().chain(look).min()
    }
}

/// What tells one directory from another under the same path.
fn identity(root: &Path) -> Option<(u64, u64)> {
    root.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}
