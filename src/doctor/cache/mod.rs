//! The disk beside the cache: what one has and the other has not.

mod judge;

use std::ops::ControlFlow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::doctor::Patient;
use crate::doctor::cache::judge::{judge_beside, judge_cached, judge_room, judge_unsaved};
use crate::doctor::directory::Tree;
use crate::doctor::finding::{Finding, Names};
use crate::model::entry::PayloadKind;
use crate::model::plan::Plan;
use crate::model::scratch::is_scratch;
use crate::model::{Index, IndexRow, Look, Patterns, UploadPath};
use crate::store::{ListQuery, StoreError, Through};
use crate::uploads::{Disk, Found, OpenError, UploadDir, scan};

/// Files younger than this are on their way where a daemon runs.
const YOUNG: Duration = Duration::from_secs(10);

/// What the cache holds, beside what is on disk.
#[derive(Debug, Default)]
struct Cached {
    index: Index,
    plan: Plan,
    entries: u64,
    /// Entries with data whose file is not on disk.
    missing: Names,
    /// Entries without data whose file is not on disk.
    empty: Names,
    /// Keys of the rows whose paths cannot be upload paths.
    hostile: Vec<i64>,
    /// What an interrupted doctor or self-test has left, more than a day ago.
    scratch: u64,
    /// Entries with a URL that the configured object store, if any, does not own.
    by_url: Names,
}

/// Files on disk that the cache does not hold as they are.
#[derive(Debug, Default)]
struct Unsaved {
    new: Names,
    changed: Names,
    /// Those of them that may not be read.
    unreadable: Names,
    /// On their way, where a daemon runs.
    young: u64,
}

pub async fn examine(
    patient: &Patient,
    tree: Option<&Tree>,
    database_is_usable: bool,
    tell: &mut (dyn FnMut(Finding) + Send),
) {
    if !database_is_usable {
        let message = "not compared with the disk: see the findings on the database";
        return tell(Finding::note("cache.compared", message));
    }
    let nothing = Tree::default();
    let on_disk = tree.unwrap_or(&nothing);
    let cached = match read(patient, on_disk).await {
        Ok(cached) => cached,
        Err(error) => {
            let message = format!("cannot {}: {}", error.operation, error.cause);
            return tell(Finding::error("cache.compared", message).cure("run the doctor again"));
        }
    };
    let guarded = patient.daemon.as_ref().map(|daemon| daemon.restore_finished);
    judge_cached(&cached).into_iter().for_each(&mut *tell);
    if !patient.upload_dir.is_elsewhere() {
        let disk_is_empty = on_disk.files.is_empty();
        judge_beside(&cached, disk_is_empty, guarded).into_iter().for_each(&mut *tell);
    }
    let Some(upload_dir) = patient.upload_dir.here() else { return };
    let place = upload_dir.root().ancestors().find(|path| path.exists());
    if let Some(Ok(disk)) = place.map(Disk::under) {
        tell(judge_room(cached.plan.bytes, disk.free));
    }
    if tree.is_none() {
        return;
    }
    let (upload_dir, patterns) = (upload_dir.clone(), patient.settings.patterns.clone());
    let daemon_runs = patient.daemon.is_some();
    let look = move || unsaved(&upload_dir, &patterns, cached.index, daemon_runs);
    match tokio::task::spawn_blocking(look).await.expect("a walk does not panic") {
        Ok(unsaved) => judge_unsaved(&unsaved, daemon_runs).into_iter().for_each(tell),
        Err(error) => tell(Finding::warning(
            "cache.unsaved",
            format!("the upload directory has gone while it was looked over: {error}"),
        )),
    }
}

async fn read(patient: &Patient, on_disk: &Tree) -> Result<Cached, StoreError> {
    let mut cached = Cached::default();
    patient.store.index(&mut |row| cached.note(&row, on_disk)).await?;
    let query = ListQuery { payload: Some(PayloadKind::Url), ..ListQuery::default() };
    let mut by_url = Through::list(query);
    while let Some(entries) = by_url.next(patient.store.as_ref()).await? {
        for entry in entries {
            let url = entry.image_url.as_deref().unwrap_or_default();
            if !patient.remote.as_ref().is_some_and(|remote| remote.owns(url)) {
                cached.by_url.add(&entry.original_path);
            }
        }
    }
    Ok(cached)
}

impl Cached {
    fn note(&mut self, row: &IndexRow, on_disk: &Tree) {
        if is_scratch(&row.original_path) {
            self.scratch += u64::from(row.access_is_old);
            return;
        }
        self.entries += 1;
        self.index.note_stored(row);
        let before = (self.plan.missing.len(), self.plan.without_data, self.plan.refused);
        self.plan.consider(row, |path| on_disk.files.contains(path));
        if self.plan.missing.len() > before.0 {
            self.missing.add(&row.original_path);
        } else if self.plan.without_data > before.1 {
            self.empty.add(&row.original_path);
        } else if self.plan.refused > before.2 {
            self.hostile.push(row.id);
        }
    }
}

fn unsaved(
    upload_dir: &UploadDir,
    patterns: &Patterns,
    mut index: Index,
    daemon_runs: bool,
) -> std::io::Result<Unsaved> {
    let mut unsaved = Unsaved::default();
    let root = upload_dir.open()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let young_from = i64::try_from(now.saturating_sub(YOUNG).as_nanos()).unwrap_or(i64::MAX);
    scan(upload_dir.root(), "", &mut |found| {
        if let Found::File(path, stat) = found
            && patterns.takes(&path)
        {
            let look = index.scanned(&path, &stat);
            if look == Look::Same {
                return ControlFlow::Continue(());
            }
            if matches!(root.open(&path), Err(OpenError::Io(_))) {
                unsaved.unreadable.add(path.as_str());
            } else if daemon_runs && stat.ctime_ns > young_from {
                unsaved.young += 1;
            } else if look == Look::New {
                unsaved.new.add(path.as_str());
            } else {
                unsaved.changed.add(path.as_str());
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(unsaved)
}

/// Whether an entry's file is on disk: what decides about the cure of a damaged one.
pub(super) fn file_is_there(upload_dir: Option<&UploadDir>, path: &str) -> bool {
    let Ok(path) = UploadPath::parse(path) else { return false };
    let root = upload_dir.and_then(|upload_dir| upload_dir.open().ok());
    root.is_some_and(|root| matches!(root.stat(&path), Ok(Some(_))))
}
