//! Deletes: a file that the app deletes while the daemon watches loses its place in the cache, after a
//! grace time, and may have it back from the trash.
//!
//! Only what the watch has told counts: no scan and no start ever takes a missing file for a deleted one.
//! A name that has vanished waits. After the grace time it must still be missing, and not stored anew by
//! somebody else; what has appeared at the same time (a file that was only renamed) must be safe; the
//! brake must let it pass. Only then does its entry go to the trash.

mod ask;
mod judge;
mod pending;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::capture;
use crate::capture::gone::{Gone, Listener};
use crate::capture::scan::Scanner;
use crate::deletes::pending::{Heard, Pending};
use crate::model::UploadPath;
use crate::model::brake::{Brake, Braked};
use crate::model::health::Health;
use crate::model::scratch::is_scratch;
use crate::store::Store;
use crate::uploads::{Marker, MarkerError, UploadDir};

/// Names are asked about together: as many vanish within a moment.
const GATHER: Duration = Duration::from_millis(200);

/// What could not be done is tried again after so long.
const AGAIN: Duration = Duration::from_secs(1);

/// How to go on when the brake holds.
const CURE: &str = "nothing was moved to the trash, and these files are restored at the next start; if they are to \
                    go: `imagecached trash --missing --yes`";

/// How deletes are followed.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a file must stay deleted.
    pub grace: Duration,
    pub brake: Brake,
    /// What the marker in the upload directory says: the same for the same cache, different for another.
    pub identity: String,
}

/// Follows what the app deletes.
pub struct Deletes {
    options: Options,
    upload_dir: UploadDir,
    store: Arc<dyn Store>,
    scanner: Scanner,
    health: Arc<Health>,
    shared: Arc<Shared>,
    /// The upload directory as it should be; or why nobody knows.
    marker: Result<Arc<Marker>, String>,
}

#[derive(Debug)]
struct Shared {
    pending: Mutex<Pending>,
    changed: Notify,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        // Every change of it is one insert or one drop of everything: a panic elsewhere leaves it whole.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, gone: Gone, takes: impl Fn(&UploadPath) -> bool) {
        let at = Instant::now();
        let (name, with_all_in_it) = match gone {
            Gone::Deleted(name) => (name, false),
            Gone::MovedAway(name) => (name, true),
            Gone::Unheard(why) => {
                self.pending().brake(Braked::Unheard(why), at);
                return self.changed.notify_one();
            }
        };
        // Of a name that is no upload path, nothing was stored.
        let Ok(path) = UploadPath::parse(&name) else { return };
        if takes(&path) && !is_scratch(&name) {
            self.pending().hear(Heard { path, with_all_in_it, at });
            self.changed.notify_one();
        }
    }
}

impl Deletes {
    /// Takes the upload directory as it is now for the right one, and puts the marker into it.
    #[must_use]
    pub fn new(
        options: Options,
        upload_dir: UploadDir,
        store: Arc<dyn Store>,
        scanner: Scanner,
        health: Arc<Health>,
    ) -> Self {
        let pending = Mutex::new(Pending::new(options.grace));
        let shared = Arc::new(Shared { pending, changed: Notify::new() });
        let marker = Err(String::new());
        let mut deletes = Self { options, upload_dir, store, scanner, health, shared, marker };
        deletes.mark();
        deletes
    }

    /// What the intake tells what went.
    #[must_use]
    pub fn listener(&self) -> Listener {
        let (shared, scanner) = (self.shared.clone(), self.scanner.clone());
        Box::new(move |gone| shared.hear(gone, |path| scanner.takes(path)))
    }

    /// Runs until it is aborted; what is pending then stays in the cache.
    pub async fn run(mut self) {
        loop {
            self.round().await;
            let wakes_at = self.shared.pending().wakes_at();
            let rest = async {
                match wakes_at {
                    // What was due by now was put off.
                    Some(at) => {
                        tokio::time::sleep_until(at.max(Instant::now() + AGAIN).into()).await
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.shared.changed.notified() => tokio::time::sleep(GATHER).await,
                () = rest => {}
            }
        }
    }

    async fn round(&mut self) {
        let (brake, known) = (self.options.brake, self.scanner.known() as u64);
        let is_calm = |names| brake.passes(names, known);
        if self.shared.pending().end_hold(Instant::now(), is_calm) {
            // It begins anew with the directory as it is now.
            self.mark();
        }
        let done = match self.ask_what_is_stored().await {
            Ok(()) => self.judge().await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::debug!(event = "upkeep_failed", reason = %error, "deletes, tried again");
            self.shared.changed.notify_one();
            tokio::time::sleep(AGAIN).await;
        }
        let news = self.shared.pending().take_news();
        if let Some((why, vanished)) = news {
            self.tell_brake(&why, vanished);
        }
    }

    fn mark(&mut self) {
        let marked = Marker::set(&self.upload_dir, &self.options.identity);
        self.marker = marked.map(Arc::new).map_err(|error: MarkerError| {
            let reason = error.to_string();
            tracing::error!(
                event = "delete_brake",
                reason,
                "no delete counts, and every file is kept"
            );
            self.note(&reason);
            reason
        });
    }

    fn tell_brake(&self, why: &Braked, vanished: usize) {
        let reason = why.to_string();
        tracing::error!(event = "delete_brake", vanished, reason, "{CURE}");
        self.note(&format!("{reason}; {CURE}"));
    }

    fn note(&self, reason: &str) {
        let now = capture::now();
        self.health.set_delete_brake(format!("{now}  {reason}"));
        self.health.note_error(now, format!("deletes were not taken for meant: {reason}"));
    }
}
