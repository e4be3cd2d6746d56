//! Buckets: S3 and what speaks its protocol, Google Cloud Storage, Azure, and directories.

mod connector;
mod marks;
mod open;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};

use crate::model::Digest;
use crate::model::remote::{Bucket, BucketKind};
use crate::remote::bucket::connector::failure;
use crate::remote::download::{self, Body};
use crate::remote::error::{Failure, Trouble};
use crate::remote::patience::Patience;
use crate::remote::{
    Limits, Listed, Mark, NewObject, Remote, RemoteError, Sink, Source, Uploaded, key,
};

/// A bucket, or what is like one.
pub(super) struct BucketStore {
    store: Arc<dyn ObjectStore>,
    kind: BucketKind,
    /// What all our URLs begin with, the last `/` included.
    base_url: String,
    /// What all our keys begin with, the last `/` included; may be empty.
    prefix: String,
    /// Where it is, when that is not plain from the URL.
    endpoint: String,
    patience: Arc<Patience>,
}

impl fmt::Debug for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BucketStore({})", self.describe())
    }
}

impl BucketStore {
    pub fn open(bucket: &Bucket, limits: Limits) -> Result<Self, RemoteError> {
        let base_url = bucket.base_url();
        let patience = Arc::new(Patience::new(limits));
        let opened = open::open(bucket, &patience);
        let store = opened.map_err(|failure| RemoteError::unopened(&base_url, failure))?;
        let slash = if bucket.prefix.is_empty() { "" } else { "/" };
        let endpoint = ["aws_endpoint", "azure_storage_endpoint", "google_base_url"]
            .iter()
            .find_map(|name| bucket.option(name))
            .unwrap_or_default();
        Ok(Self {
            store,
            kind: bucket.kind,
            prefix: format!("{}{slash}", bucket.prefix),
            endpoint: endpoint.to_owned(),
            base_url,
            patience,
        })
    }

    fn failed(&self, doing: &str, failure: Failure) -> RemoteError {
        RemoteError::new(format!("{doing} {}", self.describe()), failure)
    }

    /// Where an object of ours is below the bucket.
    fn path(&self, content: Digest) -> Path {
        Path::from(format!("{}{}", self.prefix, key::of(content)))
    }

    fn url(&self, content: Digest) -> String {
        format!("{}{}", self.base_url, key::of(content))
    }

    /// The place of a URL, or the refusal to ask for it.
    fn ours(&self, doing: &str, url: &str) -> Result<Path, RemoteError> {
        match self.content(url) {
            Some(content) => Ok(self.path(content)),
            None => Err(self.failed(doing, crate::remote::not_ours(url))),
        }
    }

    /// Bytes of an object, `None` when it is not there.
    async fn size_at(&self, path: &Path) -> Result<Option<u64>, Failure> {
        match self.store.head(path).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(error) => match failure(&error) {
                Failure { trouble: Trouble::Missing, .. } => Ok(None),
                failure => Err(failure),
            },
        }
    }

    async fn begin(&self, path: &Path, from: u64) -> Result<Body<'_>, Failure> {
        let range = (from > 0).then_some(GetRange::Offset(from));
        let options = GetOptions { range, ..GetOptions::default() };
        let got = self.store.get_opts(path, options).await.map_err(|error| failure(&error))?;
        let (start, total) = (got.range.start, got.meta.size);
        let pieces = got.into_stream().map_err(|error| failure(&error)).boxed();
        Ok(Body { start, total: Some(total), pieces })
    }
}

#[async_trait]
impl Remote for BucketStore {
    fn describe(&self) -> String {
        let base = self.base_url.trim_end_matches('/');
        match self.endpoint.as_str() {
            "" => base.to_owned(),
            endpoint => format!("{base} at {endpoint}"),
        }
    }

    fn content(&self, url: &str) -> Option<Digest> {
        key::content(url.strip_prefix(&self.base_url)?)
    }

    async fn upload(
        &self,
        object: &NewObject,
        source: &mut dyn Source,
    ) -> Result<Uploaded, RemoteError> {
        let was_there =
            self.put(object, source).await.map_err(|failure| self.failed("upload to", failure))?;
        Ok(Uploaded { url: self.url(object.sha256), was_there })
    }

    async fn download(
        &self,
        url: &str,
        most: u64,
        sink: &mut Sink<'_>,
    ) -> Result<u64, RemoteError> {
        let path = &self.ours("download from", url)?;
        download::download(&self.patience, most, sink, |from| Box::pin(self.begin(path, from)))
            .await
            .map_err(|failure| self.failed("download from", failure))
    }

    async fn size(&self, url: &str) -> Result<Option<u64>, RemoteError> {
        let path = self.ours("look at an object of", url)?;
        self.size_at(&path).await.map_err(|failure| self.failed("look at an object of", failure))
    }

    async fn remove(&self, url: &str) -> Result<(), RemoteError> {
        let path = self.ours("remove from", url)?;
        match self.store.delete(&path).await.map_err(|error| failure(&error)) {
            Ok(()) | Err(Failure { trouble: Trouble::Missing, .. }) => Ok(()),
            Err(failure) => Err(self.failed("remove from", failure)),
        }
    }

    async fn list(&self, each: &mut (dyn FnMut(Listed) + Send)) -> Result<(), RemoteError> {
        let prefix = (!self.prefix.is_empty()).then(|| Path::from(self.prefix.as_str()));
        let mut found = self.store.list(prefix.as_ref());
        while let Some(meta) =
            found.try_next().await.map_err(|error| self.failed("list", failure(&error)))?
        {
            let below = meta.location.as_ref().strip_prefix(self.prefix.as_str());
            let Some(content) = below.and_then(key::content) else { continue };
            each(Listed {
                url: self.url(content),
                content,
                size: meta.size,
                modified: meta.last_modified.into(),
            });
        }
        Ok(())
    }

    async fn mark(&self, mark: &Mark) -> Result<SystemTime, RemoteError> {
        self.put_mark(mark).await.map_err(|failure| self.failed("leave a mark in", failure))
    }

    async fn marks(&self) -> Result<Vec<Mark>, RemoteError> {
        self.list_marks().await.map_err(|failure| self.failed("look for marks in", failure))
    }

    async fn unmark(&self, name: &str) -> Result<(), RemoteError> {
        self.remove_mark(name).await.map_err(|failure| self.failed("remove a mark from", failure))
    }
}
