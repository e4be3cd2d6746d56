//! Torn files: restored shortly before the machine stopped, and only half on its disk since.
//!
//! Such a file has the time that its entry says, which no other content is likely to have, and is short or has holes.
//! Left alone it would be taken for an upload. It is removed, and with that it is missing, and restored.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::model::index::key;
use crate::model::plan::{Missing, Plan};
use crate::model::settle::Writers;
use crate::model::{Digest, FileStat, IndexRow, UploadPath};
use crate::restore::PlanError;
use crate::store::Store;
use crate::uploads::unflushed::{Crashed, Left, left};
use crate::uploads::{Found, Root, Unflushed, UploadDir, scan};

/// How often it is looked whether somebody else is done with what was left.
const BUSY: Duration = Duration::from_millis(200);

/// So many entries are compared at a time.
const BATCH: usize = 256;

/// As many are named.
const NAMED: usize = 5;

/// Clocks are set back by less than this while a machine runs.
const CLOCK_STEP_NS: i64 = 3_600_000_000_000;

/// Files of which the database may know better.
struct Suspect {
    id: i64,
    path: UploadPath,
    /// What the entry says.
    size: u64,
    seen: FileStat,
}

/// What an earlier restore has left in the upload directory.
#[derive(Debug, Default)]
pub struct Remains {
    /// The plan to restore torn files, which are gone.
    pub torn: Plan,
    /// Whole files are still to be flushed.
    pub unflushed: Option<Unflushed>,
}

/// Removes files that were torn when the machine stopped in the moments after a restore. To be called before
/// anything takes the files on disk for uploads.
///
/// # Errors
/// When the directory or the database cannot be read. What was not looked at is looked at the next time.
pub async fn remove(store: &dyn Store, upload_dir: &UploadDir) -> Result<Remains, PlanError> {
    let crashed = match look(upload_dir).await {
        Ok(Left::AnotherBoot(crashed)) => crashed,
        Ok(Left::ThisBoot(unflushed)) => {
            return Ok(Remains { unflushed: Some(unflushed), ..Remains::default() });
        }
        Ok(Left::Nothing | Left::Busy) => return Ok(Remains::default()),
        Err(error) => {
            tell_unchecked(&format!("what an earlier restore has noted: {error}"));
            return Ok(Remains::default());
        }
    };
    let suspects = suspects(store, upload_dir, &crashed).await?;
    let checked = suspects.len();
    let torn = remove_torn(store, upload_dir, suspects).await?;
    if !torn.is_empty() {
        let named: Vec<_> = torn.iter().take(NAMED).map(|it| it.path.to_string()).collect();
        tracing::warn!(
            event = "torn",
            files = torn.len(),
            checked,
            named = named.join(", "),
            "the machine stopped before restored files were on its disk; torn ones are restored again"
        );
    }
    let settled = spawn_blocking(move || crashed.settled()).await;
    if let Err(error) = settled.expect("flushing does not panic") {
        tell_unchecked(&format!("the disk: {error}"));
    }
    let missing = torn.iter().map(|it| Missing { id: it.id, bytes: it.size, access_is_old: false });
    let torn = Plan {
        missing: missing.collect(),
        bytes: torn.iter().map(|it| it.size).sum(),
        ..Plan::default()
    };
    Ok(Remains { torn, unflushed: None })
}

/// Says that there may be torn files which nobody has found.
fn tell_unchecked(reason: &str) {
    tracing::warn!(event = "torn_unchecked", reason, "torn files may be taken for uploads");
}

/// What was left, once nobody else removes torn files.
async fn look(upload_dir: &UploadDir) -> io::Result<Left> {
    loop {
        let place = upload_dir.clone();
        match spawn_blocking(move || left(&place)).await.expect("a look does not panic") {
            Ok(Left::Busy) => tokio::time::sleep(BUSY).await,
            looked => return looked,
        }
    }
}

/// Files that have changed since the note was made, and have the time that their entries say.
async fn suspects(
    store: &dyn Store,
    upload_dir: &UploadDir,
    crashed: &Crashed,
) -> Result<Vec<Suspect>, PlanError> {
    let (place, since) = (upload_dir.clone(), crashed.since_ns.saturating_sub(CLOCK_STEP_NS));
    let young = spawn_blocking(move || changed_since(&place, since)).await;
    let young =
        young.expect("a scan does not panic").map_err(|source| unreadable(upload_dir, source))?;
    let mut suspects = Vec::new();
    let mut each = |row: IndexRow| {
        if let Some(seen) = young.get(&key(&row.original_path))
            && seen.mtime_ns == row.mtime_ns
            && row.has_data
            && let Ok(path) = UploadPath::parse(&row.original_path)
        {
            suspects.push(Suspect { id: row.id, path, size: row.file_size, seen: *seen });
        }
    };
    store.index(&mut each).await?;
    Ok(suspects)
}

/// How the files look that have changed since this moment, by the keys of their paths.
fn changed_since(upload_dir: &UploadDir, since_ns: i64) -> io::Result<HashMap<u128, FileStat>> {
    let mut young = HashMap::new();
    scan(upload_dir.root(), "", &mut |found| {
        if let Found::File(path, stat) = found
            && stat.ctime_ns >= since_ns
        {
            young.insert(key(path.as_str()), stat);
        }
        ControlFlow::Continue(())
    })?;
    Ok(young)
}

/// Removes the suspects that are torn; returns them.
async fn remove_torn(
    store: &dyn Store,
    upload_dir: &UploadDir,
    suspects: Vec<Suspect>,
) -> Result<Vec<Suspect>, PlanError> {
    let mut torn = Vec::new();
    let mut suspects = suspects.into_iter().peekable();
    while suspects.peek().is_some() {
        let batch: Vec<_> = suspects.by_ref().take(BATCH).collect();
        let paths: Vec<_> = batch.iter().map(|suspect| suspect.path.clone()).collect();
        let stored = store.stored(&paths).await?;
        let contents = batch.into_iter().filter_map(|suspect| {
            let stored = stored.get(&suspect.path)?;
            // It has got another content since the index was read: then its file is an upload.
            (stored.mtime_ns == suspect.seen.mtime_ns).then_some((suspect, stored.sha256?))
        });
        let (contents, root) = (contents.collect::<Vec<_>>(), upload_dir.open());
        let root = root.map_err(|source| unreadable(upload_dir, source))?;
        let removing = spawn_blocking(move || {
            let torn = contents.into_iter().filter(|(it, content)| is_removed(&root, it, *content));
            torn.map(|(suspect, _)| suspect).collect::<Vec<_>>()
        });
        torn.extend(removing.await.expect("comparing files does not panic"));
    }
    Ok(torn)
}

/// Removes the file if it is torn.
fn is_removed(root: &Root, suspect: &Suspect, content: Digest) -> bool {
    is_torn(root, suspect, content)
        && root.remove_seen(&suspect.path, &suspect.seen).unwrap_or_else(|error| {
            tell_unchecked(&format!("{} cannot be removed: {error}", suspect.path));
            false
        })
}

fn is_torn(root: &Root, suspect: &Suspect, content: Digest) -> bool {
    // What is gone meanwhile, or cannot be opened, is not ours to judge.
    let Ok(mut file) = root.open(&suspect.path) else { return false };
    if *file.stat() != suspect.seen || file.writers() == Writers::Some {
        return false;
    }
    // What the disk cannot read any more is torn as well.
    let mut found =
        || file.digest().map_or(true, |found| found.is_some_and(|found| found != content));
    suspect.seen.size != suspect.size || found()
}

fn unreadable(upload_dir: &UploadDir, source: io::Error) -> PlanError {
    PlanError::UploadDir { path: upload_dir.root().display().to_string(), source }
}
