//! Object stores: payloads outside the database, behind one trait in the words of the domain.
//!
//! Two kinds of store: buckets (S3 and what speaks its protocol, Google, Azure, a directory) through the
//! `object_store` crate, and Cloudinary through its HTTP API. Both send through one client (`http`),
//! which sets the time limits, retries, and follows nobody's redirect.

mod answer;
mod bucket;
pub mod cloudinary;
mod download;
mod error;
mod http;
mod key;
mod limits;
pub mod mark;
mod patience;
mod source;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;

pub use error::{RemoteError, Trouble};
pub use limits::Limits;
pub use mark::Mark;
pub use source::{Blocking, Source};

use crate::model::{Digest, ObjectStore};

/// A content to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewObject {
    /// Of the content: its key.
    pub sha256: Digest,
    /// Bytes of the content.
    pub length: u64,
    /// MIME type, for whoever looks at the store with other tools.
    pub mime: String,
    /// The file's name, for the same people. Does not reach the key.
    pub name: String,
}

/// An object that is in the store, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Where its content can be got back, for this store only. Kept as it is, never rebuilt.
    pub url: String,
    /// The content was there already, and nothing was sent.
    pub was_there: bool,
}

/// An object of ours as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As [`Uploaded::url`]. The URL of one content may differ from the one kept in an entry (Cloudinary
    /// counts versions in it): compare by [`Listed::content`].
    pub url: String,
    /// The content that its key names.
    pub content: Digest,
    pub size: u64,
    /// When it was stored, by the store's clock.
    pub modified: SystemTime,
}

/// Takes a content, piece by piece and in order. Called between two reads from the network: what blocks
/// for long wants a thread of its own.
pub type Sink<'s> = dyn FnMut(&[u8]) -> io::Result<()> + Send + 's;

/// An object store. Every call retries by itself what may pass within seconds, and ends within bounds:
/// see [`Limits`]. Calling it again after an error does no harm.
#[async_trait]
pub trait Remote: Send + Sync + fmt::Debug {
    /// Where objects go, for people: `s3://bucket/prefix`, `Cloudinary cloud shop`.
    fn describe(&self) -> String;

    /// What the operator should know before anything is stored: objects that anybody may read, say.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// The content that this URL of ours leads to, by its key; `None` when it is no URL of this very store
    /// (host, bucket or cloud, prefix, form of the key). Only what is ours is ever asked for, so that an
    /// entry cannot send the program elsewhere.
    fn content(&self, url: &str) -> Option<Digest>;

    /// Whether this store would ask for this URL.
    fn owns(&self, url: &str) -> bool {
        self.content(url).is_some()
    }

    /// Stores a content, unless it is there. When this returns `Ok`, the store has told that it holds all
    /// the bytes. An object of the same key and another length is damaged, and is replaced. A content that
    /// turns out not to be the announced one leaves nothing behind.
    async fn upload(
        &self,
        object: &NewObject,
        source: &mut dyn Source,
    ) -> Result<Uploaded, RemoteError>;

    /// Fetches a content; returns its length. A connection that is cut is taken up again where it broke.
    /// Fails when more than `most` bytes come. The bytes are the store's: check their sha256.
    async fn download(&self, url: &str, most: u64, sink: &mut Sink<'_>)
    -> Result<u64, RemoteError>;

    /// Bytes of an object; `None` when it is not there.
    async fn size(&self, url: &str) -> Result<Option<u64>, RemoteError>;

    /// Removes an object. One that is not there is fine.
    async fn remove(&self, url: &str) -> Result<(), RemoteError>;

    /// Calls `each` for every object of ours, in no certain order. What is no key of ours is left out, and
    /// so are marks.
    async fn list(&self, each: &mut (dyn FnMut(Listed) + Send)) -> Result<(), RemoteError>;

    /// Leaves a mark, unless it is there: then it stays as it is. Returns since when it has been there, by
    /// the store's clock. The name must be one ([`mark::is_name`]).
    async fn mark(&self, mark: &Mark) -> Result<SystemTime, RemoteError>;

    /// All marks, by name; what others have put among them counts as one. Notes beyond the first twenty
    /// are left empty.
    async fn marks(&self) -> Result<Vec<Mark>, RemoteError>;

    /// Removes a mark. One that is not there is fine.
    async fn unmark(&self, name: &str) -> Result<(), RemoteError>;

    /// Makes sure that the store can be reached, and that we may write, read and delete. Leaves nothing
    /// behind.
    async fn check(&self) -> Result<(), RemoteError> {
        let probe = bytes::Bytes::from(format!("imagecached probe {:032x}", random()));
        let object = NewObject {
            sha256: Digest::of(&probe),
            length: probe.len() as u64,
            mime: "text/plain".into(),
            name: "probe".into(),
        };
        let url = self.upload(&object, &mut Some(probe.clone())).await?.url;
        let mut back = Vec::new();
        let read = self
            .download(&url, object.length, &mut |piece| {
                back.extend_from_slice(piece);
                Ok(())
            })
            .await;
        self.remove(&url).await?;
        read?;
        if back == probe {
            return Ok(());
        }
        let failure =
            error::Failure::new(Trouble::Wrong, "it gave back other bytes than it was given");
        Err(RemoteError::new(format!("check {}", self.describe()), failure))
    }
}

/// Opens a store. Nothing is asked of it yet.
///
/// # Errors
/// When its description cannot be used, or TLS cannot be set up.
pub fn open(store: &ObjectStore) -> Result<Arc<dyn Remote>, RemoteError> {
    open_with(store, Limits::default())
}

/// As [`open`], with time limits of one's own.
///
/// # Errors
/// As [`open`].
pub fn open_with(store: &ObjectStore, limits: Limits) -> Result<Arc<dyn Remote>, RemoteError> {
    Ok(match store {
        ObjectStore::Bucket(bucket) => Arc::new(bucket::BucketStore::open(bucket, limits)?),
        ObjectStore::Cloudinary(account) => Arc::new(cloudinary::Cloud::open(account, limits)?),
    })
}

/// The refusal to ask for a URL. The URL is told without what might be signed in it.
fn not_ours(url: &str) -> error::Failure {
    let shown: String =
        url.split(['?', '#']).next().unwrap_or_default().chars().take(200).collect();
    let shown = match shown.split_once("://") {
        Some((scheme, rest)) => {
            format!("{scheme}://{}", rest.rsplit('@').next().unwrap_or_default())
        }
        None => shown,
    };
    let cause = format!("{shown:?} is no object of this store, and is not asked for");
    error::Failure::new(Trouble::Wrong, cause)
}

fn random() -> u128 {
    let word = || getrandom::u64().expect("the system's random numbers cannot be read");
    u128::from(word()) << 64 | u128::from(word())
}
