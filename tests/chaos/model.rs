//! What must be there: for each path the contents that it has had, and which of them is the last.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use crate::content::Seal;

/// All paths of a round.
#[derive(Debug, Default)]
pub struct Model {
    files: Mutex<BTreeMap<String, History>>,
}

/// What a path has seen.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Every content that its writers meant, whether it came to it or not.
    meant: HashSet<Seal>,
    /// What it has now that its writer is done; `None` when the file was removed.
    pub last: Option<Seal>,
    /// A program gave up in the middle and left a part behind, as it does on a full disk. Nobody is
    /// writing such a file: whoever stores it does nothing wrong, until the program is done.
    torn_by_its_writer: bool,
}

impl Model {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, History>> {
        self.files.lock().expect("no panic")
    }

    /// Before the first byte: from now on this content may be seen.
    pub fn begin(&self, path: &str, seal: Seal) {
        self.files().entry(path.to_owned()).or_default().meant.insert(seal);
    }

    /// After the last: this is what the path has.
    pub fn done(&self, path: &str, seal: Seal) {
        self.files().get_mut(path).expect("it was begun").last = Some(seal);
    }

    pub fn removed(&self, path: &str) {
        self.files().entry(path.to_owned()).or_default().last = None;
    }

    pub fn torn(&self, path: &str) {
        self.files().entry(path.to_owned()).or_default().torn_by_its_writer = true;
    }

    /// Whether nobody has ever meant what was seen under a path. A path that the model does not know
    /// is a temporary name of some program: what it has must be whole, and no more.
    pub fn is_half_written(&self, path: &str, seal: Option<Seal>) -> bool {
        match (self.files().get(path), seal) {
            (Some(history), _) if history.torn_by_its_writer => false,
            (Some(history), Some(seal)) => !history.meant.contains(&seal),
            (None, Some(_)) => false,
            (_, None) => true,
        }
    }

    /// All paths and what they have.
    pub fn all(&self) -> BTreeMap<String, History> {
        self.files().clone()
    }
}

impl History {
    /// Whether this was ever a content of the path.
    pub fn meant(&self, seal: Option<Seal>) -> bool {
        seal.is_some_and(|seal| self.meant.contains(&seal))
    }
}
