//! Cleanup: drops entries that nobody has used for long, and never one whose file is on disk.

use std::io;
use std::path::Path;

use crate::model::index::key;
use crate::model::{Entry, UploadPath};
use crate::store::{ListQuery, Sort, Store, StoreError};
use crate::uploads::{Found, UploadDir, scan};

/// Entries removed with one statement.
const BATCH: usize = 500;

/// What a cleanup would drop, and what it spares.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Not accessed for so long, and not on disk.
    pub entries: Vec<Entry>,
    /// Not accessed for so long by the database's word, but on disk, and so in use.
    pub in_use: Vec<UploadPath>,
}

impl Candidates {
    /// Size of the files of what would be dropped, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.file_size).sum()
    }
}

/// Why a cleanup cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CleanupError {
    /// The disk is where it shows what is in use: without it nothing may go.
    #[error(
        "cannot look over the upload directory {path}: {source}; without it nobody can tell which \
         files are in use, so nothing is removed"
    )]
    UploadDir { path: String, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds what has not been accessed for `days`.
///
/// # Errors
/// When the directory or the database cannot be read. A missing directory is an error as well: an
/// empty disk is not a wish to delete.
pub async fn find(
    store: &dyn Store,
    upload_dir: &UploadDir,
    days: u32,
) -> Result<Candidates, CleanupError> {
    let root = upload_dir.root().to_owned();
    let shown = root.display().to_string();
    let on_disk = tokio::task::spawn_blocking(move || names(&root))
        .await
        .expect("walking over a directory does not panic")
        .map_err(|source| CleanupError::UploadDir { path: shown, source })?;
    let query =
        ListQuery { not_accessed_days: Some(days), sort: Sort::Accessed, ..ListQuery::default() };
    let mut candidates = Candidates::default();
    for entry in store.list(&query).await? {
        match UploadPath::parse(&entry.original_path) {
            Ok(path) if on_disk.contains(&key(path.as_str())) => candidates.in_use.push(path),
            _ => candidates.entries.push(entry),
        }
    }
    Ok(candidates)
}

/// Removes entries, and notes for those in use that they are. Returns how many were removed.
///
/// # Errors
/// The store's. What was removed before stays so.
pub async fn carry_out(store: &dyn Store, candidates: &Candidates) -> Result<u64, CleanupError> {
    for batch in candidates.in_use.chunks(BATCH) {
        store.accessed(batch).await?;
    }
    let ids: Vec<i64> = candidates.entries.iter().map(|entry| entry.id).collect();
    let mut removed = 0;
    for batch in ids.chunks(BATCH) {
        removed += store.remove(batch).await?;
    }
    Ok(removed)
}

/// Everything that has a name on disk, of whatever kind.
fn names(root: &Path) -> io::Result<std::collections::HashSet<u128>> {
    let mut names = std::collections::HashSet::new();
    let mut unreadable = None;
    scan(root, "", &mut |found| {
        match found {
            Found::File(path, _) => drop(names.insert(key(path.as_str()))),
            Found::Skipped { shown, .. } => drop(names.insert(key(&shown))),
            Found::Unreadable { shown, cause } => {
                unreadable = Some(io::Error::new(cause.kind(), format!("{shown}: {cause}")));
                return std::ops::ControlFlow::Break(());
            }
        }
        std::ops::ControlFlow::Continue(())
    })?;
    match unreadable {
        // What cannot be seen may be in use.
        Some(error) => Err(error),
        None => Ok(names),
    }
}
