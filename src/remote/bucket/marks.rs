//! Marks in a bucket: small objects among the others.

use std::time::SystemTime;

use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutPayload};

use crate::remote::bucket::BucketStore;
use crate::remote::bucket::connector::failure;
use crate::remote::error::{Failure, Trouble};
use crate::remote::mark::{FOLDER, MOST_NOTE, MOST_NOTES, Mark, is_name, shown};

impl BucketStore {
    fn mark_path(&self, name: &str) -> Result<Path, Failure> {
        if !is_name(name) {
            return Err(Failure::new(Trouble::Other, format!("{name:?} cannot be a mark's name")));
        }
        Ok(Path::from(format!("{}{FOLDER}{name}", self.prefix)))
    }

    pub(super) async fn put_mark(&self, mark: &Mark) -> Result<SystemTime, Failure> {
        let path = self.mark_path(&mark.name)?;
        match self.store.head(&path).await {
            Ok(meta) => return Ok(meta.last_modified.into()),
            Err(error) => match failure(&error) {
                // S3 says `Denied` of what is not there to those who may not list; writing will tell.
                Failure { trouble: Trouble::Missing | Trouble::Denied, .. } => {}
                failure => return Err(failure),
            },
        }
        let note = PutPayload::from(mark.note.clone().into_bytes());
        self.store.put(&path, note).await.map_err(|error| failure(&error))?;
        let meta = self.store.head(&path).await.map_err(|error| failure(&error))?;
        Ok(meta.last_modified.into())
    }

    pub(super) async fn list_marks(&self) -> Result<Vec<Mark>, Failure> {
        let folder = format!("{}{FOLDER}", self.prefix);
        let prefix = Path::from(folder.as_str());
        let mut found = self.store.list(Some(&prefix));
        let mut marks = Vec::new();
        while let Some(meta) = found.try_next().await.map_err(|error| failure(&error))? {
            // What lies deeper belongs to a store whose prefix is the marks' folder.
            let name = meta.location.as_ref().strip_prefix(&folder);
            if let Some(name) = name.filter(|name| !name.contains('/')) {
                marks.push(Mark { name: name.to_owned(), note: String::new() });
            }
        }
        marks.sort_by(|one, other| one.name.cmp(&other.name));
        for mark in marks.iter_mut().take(MOST_NOTES) {
            mark.note = self.note(&Path::from(format!("{folder}{}", mark.name))).await?;
        }
        Ok(marks)
    }

    /// A note that is gone meanwhile is as good as an empty one.
    async fn note(&self, path: &Path) -> Result<String, Failure> {
        let range = Some(GetRange::Bounded(0..MOST_NOTE));
        let options = GetOptions { range, ..GetOptions::default() };
        let got = match self.store.get_opts(path, options).await {
            Ok(got) => got.bytes().await,
            Err(error) => Err(error),
        };
        match got.map_err(|error| failure(&error)) {
            Ok(bytes) => Ok(shown(&bytes)),
            // Among them a range beyond an empty object: that is refused.
            Err(failure) if !failure.may_pass() => Ok(String::new()),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn remove_mark(&self, name: &str) -> Result<(), Failure> {
        let path = self.mark_path(name)?;
        match self.store.delete(&path).await.map_err(|error| failure(&error)) {
            Ok(()) | Err(Failure { trouble: Trouble::Missing, .. }) => Ok(()),
            Err(failure) => Err(failure),
        }
    }
}
