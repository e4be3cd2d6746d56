//! Mending: from the disk as a capture stores, and to the disk as a restore writes.

use crate::capture;
use crate::capture::scan::Scanner;
use crate::model::UploadPath;
use crate::model::plan::{Missing, Plan};
use crate::restore::{Report, Restore};
use crate::verify::Chosen;

/// What mends.
pub struct Mender {
    /// Of the capture that stores.
    pub scanner: Scanner,
    /// How missing files are put back. `None`: not at all, because somebody may have deleted them who
    /// does not expect them to come back just now.
    pub restoring: Option<Restore>,
}

/// What came of a restore.
pub struct Restored(Report);

impl Mender {
    /// Whether it puts missing files back.
    #[must_use]
    pub fn restores(&self) -> bool {
        self.restoring.is_some()
    }

    /// Stores a file once more, whatever is stored; why that cannot be done, if it cannot.
    pub(super) async fn store_again(&self, path: &UploadPath) -> Result<(), String> {
        let tally = capture::cache_again(&self.scanner, std::slice::from_ref(path)).await;
        match (tally.failed, tally.skipped) {
            (0, 0) => Ok(()),
            (0, _) => Err("its file is gone, or is left out".into()),
            _ => Err("its file could not be stored; the log says why".into()),
        }
    }

    /// Restores these entries.
    pub(super) async fn restore(&self, chosen: impl Iterator<Item = Chosen>) -> Restored {
        let Some(restoring) = &self.restoring else { return Restored(Report::default()) };
        let missing =
            chosen.map(|entry| Missing { id: entry.id, bytes: entry.bytes, access_is_old: true });
        let plan = Plan { missing: missing.collect(), ..Plan::default() };
        Restored(restoring.clone().act(&plan).await)
    }
}

impl Restored {
    /// Why the file of this path is still missing.
    pub(super) fn why(&self, path: &str) -> String {
        let failed = self.0.failed_examples.iter().find(|(failed, _)| failed == path);
        let damaged = self.0.damaged_examples.iter().find(|damage| damage.path == path);
        match (failed, damaged, &self.0.stopped) {
            (Some((_, why)), _, _) => why.clone(),
            (_, Some(damage), _) => damage.reason.to_string(),
            (_, _, Some(stop)) => stop.to_string(),
            _ => "it was not restored".into(),
        }
    }
}
