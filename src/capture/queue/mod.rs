//! The line of files that wait to be captured, shared between those who notice and those who read.
//!
//! The order is fair (see `model/settle/line.rs`): new uploads are served between a backlog, whether a flood of events
//! or a scan has brought it. A scan fills three quarters of the room and then waits, so that there is
//! always room for what the watcher tells.
//!
//! Backlog may be bound to a pace (see `model/pace.rs`). While that rests, only other files are handed out, as
//! soon as they are due; and of large files of the backlog one at a time is on its way, so that they do not use up
//! the memory that an upload needs.

mod backlog;
mod outage;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::capture::Drained;
use crate::capture::follow::{Fate, Followed, Followers};
use crate::capture::queue::outage::{Outage, Turn};
use crate::model::UploadPath;
use crate::model::pace::Pace;
use crate::model::settle::{Due, Outcome, Rules, Settle, Sign};

/// How often it is looked whether there is room again for what had none.
const LOOK_FOR_ROOM: Duration = Duration::from_millis(250);

/// As many names of unsaved files are reported.
const EXAMPLES: usize = 5;

#[derive(Debug)]
struct State {
    settle: Settle,
    pace: Pace,
    /// A large file of the backlog is on its way.
    streaming: bool,
    /// Nothing is handed out yet: the tables may not be there.
    held: bool,
    outage: Outage,
    /// Something was noticed for which there was no room.
    missed: bool,
    /// When that was so for the last time.
    missed_at: Option<Instant>,
    followers: Followers,
    closed: bool,
    /// Readers that wait for work, and scans that wait for room: nobody else need be woken, and waking is a system
    /// call even where nobody sleeps.
    readers_waiting: usize,
    scans_waiting: usize,
}

impl State {
    fn backlog_rests(&mut self, now: Instant) -> bool {
        self.pace.is_bound() && (self.streaming || self.pace.rest(now).is_some())
    }

    /// The next file that may be handed out now; or until when there is none, as far as that is known.
    fn hand_out(&mut self, now: Instant) -> Result<Due, Option<Instant>> {
        match self.outage.turn(now) {
            _ if self.held => return Err(None),
            Turn::Nobody => return Err(None),
            Turn::NobodyBefore(retry_at) => return Err(Some(retry_at)),
            Turn::Anybody => {}
        }
        let rests = self.backlog_rests(now);
        let next = if rests { self.settle.next_new(now) } else { self.settle.next(now) };
        match next {
            Some(due) => {
                self.outage.handed_out(&due.path);
                Ok(due)
            }
            None if rests => {
                Err(self.pace.rest(now).into_iter().chain(self.settle.next_later()).min())
            }
            None => Err(self.settle.next_due()),
        }
    }
}

/// The waiting files. See [`Settle`] for what is due when.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    work: Condvar,
    room: Condvar,
    paced: Condvar,
    progress: Notify,
    /// Something has had no room.
    misses: Notify,
}

impl Queue {
    /// `pace` is that of the backlog.
    pub fn new(settle: Settle, pace: Pace) -> Self {
        Self {
            state: Mutex::new(State {
                settle,
                pace,
                streaming: false,
                held: false,
                outage: Outage::default(),
                missed: false,
                missed_at: None,
                followers: Followers::default(),
                closed: false,
                readers_waiting: 0,
                scans_waiting: 0,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            paced: Condvar::new(),
            progress: Notify::new(),
            misses: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands nothing out until [`Queue::release`]; files are noticed all the same.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// Ends a hold.
    pub fn release(&self) {
        self.state().held = false;
        self.work.notify_all();
    }

    /// Whether nothing is handed out.
    pub fn is_held(&self) -> bool {
        self.state().held
    }

    /// Takes notice of a file. Without room for it, the queue remembers that a scan is due.
    pub fn note(&self, path: UploadPath, sign: Sign) {
        let mut state = self.state();
        let now = Instant::now();
        if !state.settle.note(path, sign, now) {
            state.missed = true;
            state.missed_at = Some(now);
            self.misses.notify_one();
        }
        self.wake_a_reader(state);
    }

    /// Has a reader look for what is due, where one waits.
    fn wake_a_reader(&self, state: MutexGuard<'_, State>) {
        let wanted = state.readers_waiting > 0 && state.settle.queued() > 0;
        drop(state);
        if wanted {
            self.work.notify_one();
        }
    }

    /// As [`Queue::note`], but waits first until there is room, and room to spare for the watcher: for
    /// scans, which can wait. Returns false when the queue is closed.
    pub fn note_when_room(&self, path: UploadPath, sign: Sign) -> bool {
        let mut state = self.state();
        while state.settle.is_crowded() && !state.settle.contains(&path) && !state.closed {
            state.scans_waiting += 1;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.scans_waiting -= 1;
        }
        if state.closed {
            return false;
        }
        state.settle.note(path, sign, Instant::now());
        self.wake_a_reader(state);
        true
    }

    /// Waits until something has had no room and there is room again for a scan, which is due.
    pub async fn missed(&self) {
        while !self.take_missed() {
            if self.state().missed {
                tokio::time::sleep(LOOK_FOR_ROOM).await;
            } else {
                self.misses.notified().await;
            }
        }
    }

    /// Answers yes once.
    fn take_missed(&self) -> bool {
        let mut state = self.state();
        let due = state.missed && !state.settle.is_crowded();
        state.missed &= !due;
        due
    }

    /// Files that wait to be read.
    pub fn queued(&self) -> usize {
        self.state().settle.queued()
    }

    /// The next file that is due, with the rules in force; waits for one, and calls `idle` before it waits. `None` when
    /// closed.
    pub fn next(&self, mut idle: impl FnMut()) -> Option<(Due, Rules)> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            let until = match state.hand_out(now) {
                Ok(due) => {
                    let rules = state.settle.rules();
                    // Another reader takes over the waiting for what is due later.
                    self.wake_a_reader(state);
                    return Some((due, rules));
                }
                Err(until) => until,
            };
            idle();
            state.readers_waiting += 1;
            state = match until {
                Some(until) => {
                    let wait = until.saturating_duration_since(now);
                    self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.readers_waiting -= 1;
        }
    }

    /// When something had no room, the last time.
    pub fn missed_at(&self) -> Option<Instant> {
        self.state().missed_at
    }

    /// Follows files that are yet to be named.
    pub fn follow(&self) -> Arc<Followed> {
        let followed = Arc::default();
        self.state().followers.add(&followed);
        followed
    }

    /// Follows all files that wait now, and has them looked at without delay. Those that have failed are
    /// told as such at once: nobody knows whether waiting helps.
    pub fn follow_waiting(&self) -> Arc<Followed> {
        let followed = Arc::<Followed>::default();
        let mut state = self.state();
        for path in state.settle.names() {
            followed.add(path.clone());
        }
        for path in state.settle.failed() {
            followed.tell(path, Fate::Failed);
        }
        state.settle.nudge(Instant::now());
        state.followers.add(&followed);
        drop(state);
        self.work.notify_all();
        followed
    }

    /// Whether any of the followed files is being read or stored.
    pub fn in_hands(&self, followed: &Followed) -> bool {
        let counts = followed.so_far();
        let state = self.state();
        counts.waiting.iter().chain(&counts.held_open).any(|path| state.settle.is_out(path))
    }

    /// Whether a file that was handed out, and is large, may be streamed now: see [`Settle::begin_stream`].
    pub fn begin_stream(&self, path: &UploadPath) -> bool {
        self.state().settle.begin_stream(path)
    }

    /// Takes back a file that was handed out; `fate` is what is to be told of it.
    pub fn report(&self, path: &UploadPath, outcome: Outcome, fate: Option<Fate>) {
        let mut state = self.state();
        let again = state.settle.report(path, outcome, Instant::now());
        // Under the same lock: whoever begins to follow this path from now on means what comes next.
        if let Some(fate) = fate.filter(|_| !again) {
            state.followers.tell(path, fate);
        }
        state.outage.came_back(path);
        let has_room = state.scans_waiting > 0 && state.settle.is_spacious();
        self.wake_a_reader(state);
        if has_room {
            self.room.notify_all();
        }
        self.progress.notify_waiters();
    }

    /// The database is away, or takes nothing more (`full`): holds everything back, but for one file at a
    /// time that tries again. Returns when it will.
    pub fn database_away(&self, full: bool) -> Instant {
        self.state().outage.note(full, Instant::now())
    }

    /// The database has answered.
    pub fn database_back(&self) {
        if self.state().outage.end() {
            self.work.notify_all();
        }
    }

    /// Files that are seen and not yet safe, and for how long the oldest of them has been.
    pub fn unsaved(&self) -> (usize, Option<Duration>) {
        let state = self.state();
        let now = Instant::now();
        let oldest = state.settle.oldest().map(|since| now.saturating_duration_since(since));
        (state.settle.unsaved(), oldest)
    }

    /// Whether this file is seen and not yet safe.
    pub fn contains(&self, path: &UploadPath) -> bool {
        self.state().settle.contains(path)
    }

    /// When the files were noticed that are not yet safe, in order.
    pub fn noticed(&self) -> Vec<Instant> {
        let mut moments: Vec<_> = self.state().settle.noticed().collect();
        moments.sort_unstable();
        moments
    }

    /// Files that are being read or stored.
    pub fn in_flight(&self) -> usize {
        self.state().settle.in_flight()
    }

    /// All files that are seen and not yet safe.
    pub fn names(&self) -> Vec<UploadPath> {
        self.state().settle.names().cloned().collect()
    }

    /// Makes everything due now.
    pub fn hurry(&self) {
        let mut state = self.state();
        state.settle.hurry(Instant::now());
        state.pace.lift();
        drop(state);
        self.work.notify_all();
        self.paced.notify_all();
    }

    /// Waits until no file waits that waiting could save.
    pub async fn idle(&self) {
        loop {
            let progress = self.progress.notified();
            if self.state().settle.hopeful() == 0 {
                return;
            }
            progress.await;
        }
    }

    /// Lets nobody wait any longer; returns what was left over.
    pub fn close(&self) -> Drained {
        let mut state = self.state();
        state.closed = true;
        let drained = Drained {
            unsaved: state.settle.unsaved(),
            examples: state.settle.names().take(EXAMPLES).cloned().collect(),
        };
        drop(state);
        self.work.notify_all();
        self.room.notify_all();
        self.paced.notify_all();
        drained
    }
}
