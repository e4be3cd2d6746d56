//! The ledger of objects: what the database keeps about contents in an object store, so that an object
//! goes once no entry refers to it, and never before.
//!
//! Who uploads claims the content first and then looks whether its object is there; who removes says so
//! first and then looks whether anybody has an entry or a claim. Both write before they read, so that at
//! least one of them sees the other, without a lock that would have to be held while a store answers.

use async_trait::async_trait;

use crate::model::{Digest, Timestamp};
use crate::store::StoreError;

/// The right to refer to an object, until the entry that does is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Claim(pub i64);

/// An object that an entry has let go of: it goes, unless another refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LooseObject {
    pub content: Digest,
    pub url: String,
    /// When it was let go of, by the database's clock.
    pub since: Timestamp,
}

/// What came of the wish to remove an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Nobody needs it, and from now on nobody may claim it: remove it, then call
    /// [`ObjectLedger::end_removal`].
    Begun,
    /// An entry refers to it: it is loose no longer.
    Referred,
    /// Somebody is about to refer to it: look again later.
    Claimed,
    /// Another process removes it, or has begun to within the last hour.
    UnderWay,
}

/// The ledger. A part of every store.
#[async_trait]
pub trait ObjectLedger: Send + Sync {
    /// A random name that the first migration gave to this image cache. Copies of a database share it.
    async fn identity(&self) -> Result<String, StoreError> {
        unimplemented!()
    }

    /// Announces an entry that will refer to the object of this content. `None` while the object is being
    /// removed: keep the bytes elsewhere. A claim that nobody gives back ends after two days.
    async fn claim(&self, _content: Digest) -> Result<Option<Claim>, StoreError> {
        unimplemented!()
    }

    /// Gives a claim back: the entry is committed, or will not be.
    async fn release(&self, _claim: Claim) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Notes objects as loose. Entries that are replaced, relocated or removed do so by themselves, in
    /// their own transaction.
    async fn loosen(&self, _objects: &[(Digest, String)]) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// The loose objects that may be looked at now, oldest first, at most `most`.
    async fn loose(&self, _most: u32) -> Result<Vec<LooseObject>, StoreError> {
        unimplemented!()
    }

    /// Asks to remove an object.
    async fn begin_removal(&self, _object: &LooseObject) -> Result<Removal, StoreError> {
        unimplemented!()
    }

    /// The object is gone.
    async fn end_removal(&self, _object: &LooseObject) -> Result<(), StoreError> {
        unimplemented!()
    }
}
