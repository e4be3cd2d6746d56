//! The ledger of objects: what the database keeps about contents in an object store, so that an object
//! goes once no entry refers to it, and never before.
//!
//! Who uploads claims the content first and then looks whether its object is there; who removes says so
//! first and then looks whether anybody has an entry or a claim. Both write before they read, so that at
//! least one of them sees the other, without a lock that would have to be held while a store answers.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::model::{Digest, Timestamp};
use crate::store::error::MIGRATE;
use crate::store::{StoreError, Trouble};

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
    /// Somebody is about to refer to it, or was until a moment ago: look again later.
    Claimed,
    /// Another process removes it, has begun to within the last hour, or is done with it since it was listed.
    UnderWay,
}

/// The ledger. A part of every store.
#[async_trait]
pub trait ObjectLedger: Send + Sync {
    /// A random name that the first migration gave to this image cache. Copies of a database share it.
    async fn identity(&self) -> Result<String, StoreError>;

    /// What tells the server, or the file, from any other, by its own word and at whatever address: a copy
    /// of a database has the identity of the original, and is elsewhere. Empty where it cannot be told.
    async fn whereabouts(&self) -> Result<String, StoreError>;

    /// Announces an entry that will refer to the object of this content. `None` while the object is being
    /// removed: keep the bytes elsewhere. A claim that nobody gives back ends after two days.
    async fn claim(&self, content: Digest) -> Result<Option<Claim>, StoreError>;

    /// Gives claims back, in one transaction: their entries are committed, or will not be.
    async fn release(&self, claims: &[Claim]) -> Result<(), StoreError>;

    /// Notes objects as loose. Entries that are replaced, relocated or removed do so by themselves, in
    /// their own transaction.
    async fn loosen(&self, objects: &[(Digest, String)]) -> Result<(), StoreError>;

    /// The loose objects that may be looked at now, oldest first, at most `most`.
    async fn loose(&self, most: u32) -> Result<Vec<LooseObject>, StoreError>;

    /// Asks to remove an object. Whoever is told [`Removal::Begun`] has an hour: after that another may begin,
    /// and nothing may be removed in the name of the first any more.
    async fn begin_removal(&self, object: &LooseObject) -> Result<Removal, StoreError>;

    /// The object is gone: it is loose no longer, and may be claimed again. When it was let go of once more
    /// meanwhile, it stays loose and is looked at again after the hour.
    async fn end_removal(&self, object: &LooseObject) -> Result<(), StoreError>;
}

impl Claim {
    /// A claim that nobody has: made before it is written, so that writing it twice is one claim.
    pub(super) fn fresh() -> Self {
        Self(random().cast_signed())
    }
}

/// A name that no other image cache has: 128 bits, in hexadecimal.
pub(super) fn fresh_identity() -> String {
    format!("{:016x}{:016x}", random(), random())
}

fn random() -> u64 {
    getrandom::u64().expect("the system's random numbers cannot be read")
}

/// The ids of claims, in an order that is everybody's, so that nobody dies in a deadlock.
pub(super) fn ids_in_order(claims: &[Claim]) -> Vec<i64> {
    let mut ids: Vec<i64> = claims.iter().map(|claim| claim.0).collect();
    ids.sort_unstable();
    ids
}

/// What is told when the name of the image cache is not there.
pub(super) fn named(operation: &str, name: Option<String>) -> Result<String, StoreError> {
    name.ok_or_else(|| StoreError {
        operation: operation.to_owned(),
        trouble: Trouble::Schema,
        cause: "the image cache has no name".to_owned(),
        cure: Some(MIGRATE.to_owned()),
    })
}

/// Objects as rows: each content once, and in an order that is everybody's, so that two writers wait for
/// each other instead of dying in a deadlock.
pub(super) fn in_order(objects: &[(Digest, String)]) -> Vec<(String, &str)> {
    let rows: BTreeMap<String, &str> =
        objects.iter().map(|(content, url)| (content.to_string(), url.as_str())).collect();
    rows.into_iter().collect()
}

/// What becomes of a removal that was announced.
pub(super) struct Verdict {
    /// An entry refers to the object.
    pub referred: bool,
    /// A claim is there.
    pub claimed: bool,
    /// It was let go of once more since it was listed.
    pub again: bool,
}

impl Verdict {
    /// What to tell. Begun lets the announcement stand; everything else withdraws it.
    pub fn removal(&self) -> Removal {
        match self {
            Self { referred: true, .. } => Removal::Referred,
            Self { claimed: false, again: false, .. } => Removal::Begun,
            _ => Removal::Claimed,
        }
    }
}
