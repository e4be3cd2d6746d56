//! Revert: a former content of a path becomes its present one again, on disk and in the cache.
//!
//! What the path has on disk is stored first, so that it becomes a version and nothing is lost. The former content
//! is read and checked, written beside the file, and changes places with it, if that is still the one that was
//! stored. Then it is captured as any change of a file is. Its mtime is the present time: for whoever keeps thumbnails
//! by it, this is a new content.

use std::slice;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::capture;
use crate::capture::scan::Scanner;
use crate::model::version::PastRow;
use crate::model::{Entry, FileStat, UploadPath};
use crate::payload::{ReadError, Reader};
use crate::restore::{Flush, Restore};
use crate::store::{ListQuery, StoreError};
use crate::uploads::{Draft, PlaceError, Placer, Published, Replaced};

/// What reverts.
pub struct Revert {
    /// How files are written.
    pub restoring: Restore,
    /// Of the capture that stores.
    pub scanner: Scanner,
}

/// Why a path has not got its former content back. But for [`RevertError::NotStored`] nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RevertError {
    #[error("{path} has no version {version}; it may have been forgotten meanwhile")]
    NotKept { path: UploadPath, version: i64 },
    /// It would be lost.
    #[error(
        "what {0} has on disk could not be stored, and would be lost: nothing was changed; the log says why"
    )]
    PresentNotStored(UploadPath),
    #[error("{0} was written just now: nothing was changed; try again")]
    Changed(UploadPath),
    #[error("the version {version} of {path} cannot be given back: {source}")]
    Read { path: UploadPath, version: i64, source: ReadError },
    #[error("{path} cannot be given back: {source}")]
    Place { path: UploadPath, source: PlaceError },
    /// The disk has it, and the cache not yet.
    #[error("{0} has its former content on disk, which is not stored yet: the log says why")]
    NotStored(UploadPath),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write into the upload directory: {0}")]
    UploadDir(std::io::Error),
}

impl RevertError {
    /// Whether the same may be possible a little later, without anybody's doing.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Read { source, .. } => !matches!(source, ReadError::Damaged(_)),
            Self::Store(_) | Self::NotStored(_) | Self::UploadDir(_) => true,
            Self::NotKept { .. }
            | Self::PresentNotStored(_)
            | Self::Changed(_)
            | Self::Place { .. } => false,
        }
    }
}

impl Revert {
    /// Makes a version the present content of its path; the entry that has it now.
    ///
    /// # Errors
    /// See [`RevertError`].
    pub async fn act(&self, path: &UploadPath, version: i64) -> Result<Entry, RevertError> {
        let row = PastRow::Version(version);
        let timeline = self.restoring.store.timeline(path).await?;
        let found = timeline.contents.into_iter().find(|content| content.row == row);
        let wanted =
            found.ok_or_else(|| RevertError::NotKept { path: path.clone(), version })?.entry;
        let seen = self.store_present(path).await?;
        {
            let gate = self.restoring.gate.clone();
            let _turn = gate.read().await;
            let (placer, draft) = self.draft(path, version, seen.is_some()).await?;
            // Flushing a disk takes its time, and timers and signals need the runtime's threads.
            tokio::task::block_in_place(|| self.place(path, &placer, draft, wanted.mode, seen))?;
        }
        tracing::info!(event = "reverted", %path, version, "a former content is the present one");
        let tally = capture::cache_again(&self.scanner, slice::from_ref(path)).await;
        let entry = self.entry(path).await?.filter(|entry| entry.sha256 == wanted.sha256);
        match entry {
            Some(entry) if tally.failed == 0 => Ok(entry),
            _ => Err(RevertError::NotStored(path.clone())),
        }
    }

    /// Stores what the path has on disk, if anything; how that looks.
    async fn store_present(&self, path: &UploadPath) -> Result<Option<FileStat>, RevertError> {
        let Some(seen) = self.scanner.look(path) else { return Ok(None) };
        let tally = capture::cache_again(&self.scanner, slice::from_ref(path)).await;
        if self.scanner.look(path) != Some(seen) {
            return Err(RevertError::Changed(path.clone()));
        }
        let stored = self.entry(path).await?.is_some_and(|entry| {
            entry.has_data() && (entry.file_size, entry.mtime_ns) == (seen.size, seen.mtime_ns)
        });
        match stored && tally.failed == 0 {
            true => Ok(Some(seen)),
            false => Err(RevertError::PresentNotStored(path.clone())),
        }
    }

    /// Writes the former content, whole and checked, where nobody sees it.
    async fn draft(
        &self,
        path: &UploadPath,
        version: i64,
        replaces: bool,
    ) -> Result<(Placer, Draft), RevertError> {
        let unread = |source| RevertError::Read { path: path.clone(), version, source };
        let unplaced = |source| RevertError::Place { path: path.clone(), source };
        let (store, remote) = (self.restoring.store.as_ref(), self.restoring.remote.as_ref());
        let row = PastRow::Version(version);
        let mut reader = Reader::open_row(store, remote, row).await.map_err(unread)?;
        let mut placer = Placer::new(&self.restoring.upload_dir).map_err(RevertError::UploadDir)?;
        let begun = if replaces { placer.replacement(path) } else { placer.draft(path) };
        let mut draft = begun.map_err(unplaced)?;
        while let Some(piece) = reader.next().await.map_err(unread)? {
            tokio::task::block_in_place(|| draft.write_all(&piece)).map_err(unplaced)?;
        }
        Ok((placer, draft))
    }

    /// Lets it appear under its name, in the place of the file that was `seen` there.
    fn place(
        &self,
        path: &UploadPath,
        placer: &Placer,
        draft: Draft,
        mode: u32,
        seen: Option<FileStat>,
    ) -> Result<(), RevertError> {
        if self.restoring.flush != Flush::Never {
            placer.sync().map_err(RevertError::UploadDir)?;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
        let placed = match seen {
            Some(seen) => draft
                .replace(now, mode, &seen)
                .map(|replaced| matches!(replaced, Replaced::Placed(_))),
            None => {
                draft.publish(now, mode).map(|published| matches!(published, Published::Placed(_)))
            }
        };
        match placed {
            Ok(true) => Ok(()),
            Ok(false) => Err(RevertError::Changed(path.clone())),
            Err(source) => Err(RevertError::Place { path: path.clone(), source }),
        }
    }

    async fn entry(&self, path: &UploadPath) -> Result<Option<Entry>, StoreError> {
        let query = ListQuery { path: Some(path.clone()), ..ListQuery::default() };
        Ok(self.restoring.store.list(&query).await?.pop())
    }
}
