//! Claims around uploads: from before the store is asked for an object until an entry refers to it.

use crate::model::Digest;
use crate::objects::Objects;
use crate::remote::RemoteError;
use crate::store::StoreError;
use crate::store::ledger::Claim;

/// Why nothing may be uploaded, or relied on, in the object store just now.
#[derive(Debug, thiserror::Error)]
pub enum NoClaim {
    /// The object of this content is on its way out. Its bytes are kept elsewhere.
    #[error("an object of the same content is just being removed from the object store")]
    BeingRemoved,
    /// Others share the store, and may not have seen our mark.
    #[error(
        "another database uses the same object store, and needs an hour to see that this one does; \
         `imagecached doctor` says which"
    )]
    Young,
    /// The object store does not take our mark.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Objects {
    /// Asks for the right to refer to the object of a content, whether it has to be uploaded or is there.
    /// Ask before you look for it. Afterwards, [`Objects::release`] or [`Objects::abandon`] the claim;
    /// or leave it when it is not known whether the entry was committed: it ends by itself.
    ///
    /// # Errors
    /// Why the bytes must be kept elsewhere, or why that is not known.
    pub async fn claim(&self, content: Digest) -> Result<Claim, NoClaim> {
        self.settle().await?;
        self.store.claim(content).await?.ok_or(NoClaim::BeingRemoved)
    }

    /// The entries are committed, or nothing was uploaded.
    pub async fn release(&self, claims: &[Claim]) {
        if claims.is_empty() {
            return;
        }
        if let Err(error) = self.store.release(claims).await {
            tracing::debug!(event = "upkeep_failed", reason = %error, "claims, which end by themselves");
        }
    }

    /// There will be no entry for an object that was uploaded: it goes, unless others refer to it.
    pub async fn abandon(&self, claim: Claim, content: Digest, url: &str) {
        if let Err(error) = self.store.loosen(&[(content, url.to_owned())]).await {
            tracing::debug!(event = "upkeep_failed", reason = %error, "an object that nobody refers to");
        }
        self.release(&[claim]).await;
    }
}
