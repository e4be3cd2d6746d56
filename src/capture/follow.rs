//! Following files: what becomes of those that somebody waits for.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::model::UploadPath;

/// What has become of a file, for now or for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its content was written.
    Safe,
    /// Its content was stored before.
    Unchanged,
    /// It is left out, as the settings want it.
    LeftOut,
    /// There is no such file, or it is nothing that can be stored.
    Gone,
    /// It could not be read or stored; it will be tried again some time.
    Failed,
    /// A writer has it open.
    HeldOpen,
}

/// The files that somebody waits for, and what has become of them. The queue tells it.
#[derive(Debug, Default)]
pub struct Followed {
    counts: Mutex<Counts>,
    /// No file waits any more.
    none_waits: Notify,
}

/// How many followed files have become what.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// No word of them so far.
    pub waiting: HashSet<UploadPath>,
    /// Writers have them open.
    pub held_open: HashSet<UploadPath>,
    /// They have failed, and have not got better since.
    pub failed: HashSet<UploadPath>,
    pub safe: u64,
    pub unchanged: u64,
    pub left_out: u64,
    pub gone: u64,
}

impl Counts {
    /// Files of which the last word is not spoken, or is a bad one.
    #[must_use]
    pub fn unsaved(&self) -> usize {
        self.waiting.len() + self.held_open.len() + self.failed.len()
    }
}

impl Followed {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows one more file.
    pub fn add(&self, path: UploadPath) {
        let mut counts = self.counts();
        counts.held_open.remove(&path);
        counts.failed.remove(&path);
        counts.waiting.insert(path);
    }

    /// Tells what has become of a file; others than the followed ones are passed over.
    pub fn tell(&self, path: &UploadPath, fate: Fate) {
        let mut counts = self.counts();
        let followed = counts.waiting.remove(path)
            || counts.held_open.remove(path)
            || counts.failed.remove(path);
        if !followed {
            return;
        }
        match fate {
            Fate::Safe => counts.safe += 1,
            Fate::Unchanged => counts.unchanged += 1,
            Fate::LeftOut => counts.left_out += 1,
            Fate::Gone => counts.gone += 1,
            Fate::Failed => drop(counts.failed.insert(path.clone())),
            Fate::HeldOpen => drop(counts.held_open.insert(path.clone())),
        }
        let done = counts.waiting.is_empty();
        drop(counts);
        if done {
            self.none_waits.notify_waiters();
        }
    }

    /// How many files there are of which the last word is not spoken, and is not a bad one.
    #[must_use]
    pub fn pending(&self) -> usize {
        let counts = self.counts();
        counts.waiting.len() + counts.held_open.len()
    }

    /// The counts as they are now.
    #[must_use]
    pub fn so_far(&self) -> Counts {
        self.counts().clone()
    }

    /// Waits until no file waits any more and `enough` says so.
    pub async fn until(&self, enough: impl Fn(&Counts) -> bool) {
        loop {
            let changed = self.none_waits.notified();
            tokio::pin!(changed);
            // From here on no change is missed, the one between the look and the wait included.
            changed.as_mut().enable();
            let is_enough = {
                let counts = self.counts();
                counts.waiting.is_empty() && enough(&counts)
            };
            if is_enough {
                return;
            }
            changed.await;
        }
    }
}

/// What follows at the moment, as the queue keeps it; who is gone is forgotten.
#[derive(Debug, Default)]
pub struct Followers(Vec<std::sync::Weak<Followed>>);

impl Followers {
    /// Another one.
    pub fn add(&mut self, followed: &Arc<Followed>) {
        self.0.retain(|follower| follower.strong_count() > 0);
        self.0.push(Arc::downgrade(followed));
    }

    /// Tells all of them.
    pub fn tell(&self, path: &UploadPath, fate: Fate) {
        for followed in self.0.iter().filter_map(std::sync::Weak::upgrade) {
            followed.tell(path, fate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_others_files_do_not() {
        let path = |name: &str| UploadPath::parse(name).unwrap();
        let followed = Arc::<Followed>::default();
        let mut followers = Followers::default();
        followers.add(&followed);
        for name in ["a", "b", "c"] {
            followed.add(path(name));
        }
        followers.tell(&path("x"), Fate::Safe);
        followers.tell(&path("a"), Fate::HeldOpen);
        followers.tell(&path("a"), Fate::Failed);
        followers.tell(&path("a"), Fate::Safe);
        followers.tell(&path("a"), Fate::Safe);
        followers.tell(&path("b"), Fate::HeldOpen);
        let counts = followed.so_far();
        assert_eq!((counts.safe, counts.unsaved()), (1, 2));
        assert_eq!(counts.held_open, HashSet::from([path("b")]));
        assert_eq!(counts.waiting, HashSet::from([path("c")]));
    }
}
