//! What can go wrong with an object store, in the terms of what to do about it.

use std::time::Duration;

/// The kinds of trouble that callers treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The store cannot be reached, is out of order, or stopped in the middle: try again later.
    Away,
    /// It is asked too much, or a quota is used up for now: try again later.
    Throttled,
    /// The store cannot prove who it is, so it was told nothing: an operator must act.
    Untrusted,
    /// Name, secret or rights are refused, or the bucket is not there: an operator must act.
    Denied,
    /// The store refuses a file of this size: the plan, or a limit of the product.
    TooLarge,
    /// The object is not there.
    Missing,
    /// The store's answer is not to be believed: another length, another content, another address.
    Wrong,
    /// The store never was asked: the content could not be read, was not the announced one, or could
    /// not be taken on this side.
    Local,
    /// Anything else.
    Other,
}

/// A failed call: says what was being done, why it failed and what to do. Never holds a secret or a
/// signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {cause}{}", cure.as_deref().map(|cure| format!("; {cure}")).unwrap_or_default())]
pub struct RemoteError {
    /// What was being done, such as `upload to s3://bucket/media`.
    pub operation: String,
    /// The kind.
    pub trouble: Trouble,
    /// What the store said, or what was seen.
    pub cause: String,
    /// What to do, when it is known.
    pub cure: Option<String>,
    /// How long the store wants to be left alone, where it said so.
    pub retry_after: Option<Duration>,
}

impl RemoteError {
    /// Whether any other call would have failed as well, and this one may succeed later. Otherwise it
    /// is this object that is at fault, and its neighbours must not suffer for it.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        use Trouble::{Away, Denied, Throttled, Untrusted};
        matches!(self.trouble, Away | Throttled | Untrusted | Denied)
    }

    /// Puts a failed request into our terms.
    pub(super) fn new(operation: impl Into<String>, failure: Failure) -> Self {
        let Failure { trouble, cause, retry_after, .. } = failure;
        let cure = match trouble {
            Trouble::Untrusted => Some(
                "install the package ca-certificates; where the store has an authority of its own, set \
                 SSL_CERT_FILE to a file with its certificate",
            ),
            Trouble::Away => Some("check the store's address and that it can be reached from here"),
            Trouble::Throttled => Some("wait, or raise the plan's limits"),
            Trouble::Denied => {
                Some("check the bucket or cloud, the key, its secret and its rights")
            }
            Trouble::TooLarge => {
                Some("raise the plan, or set large_files = \"chunks\" to keep it in the database")
            }
            _ => None,
        };
        Self {
            operation: operation.into(),
            trouble,
            cause,
            cure: cure.map(Into::into),
            retry_after,
        }
    }

    /// A store that cannot even be prepared to be asked. Small containers often lack the certificates of
    /// the web's authorities, without which no server can prove who it is.
    pub(super) fn unopened(place: &str, failure: Failure) -> Self {
        let certificates = failure.cause.contains("CA certificates");
        let error = Self::new(format!("open {place}"), failure);
        match certificates {
            true => error.cured_by("install the package ca-certificates, or set SSL_CERT_FILE"),
            false => error,
        }
    }

    /// With another cure than the usual one.
    pub(super) fn cured_by(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }
}

/// A failed request, before it is known what it was good for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub(super) struct Failure {
    pub trouble: Trouble,
    pub cause: String,
    pub retry_after: Option<Duration>,
    /// For how long the store has said nothing, where that is all that is known.
    pub silent: Option<Duration>,
}

impl Failure {
    pub fn new(trouble: Trouble, cause: impl Into<String>) -> Self {
        Self { trouble, cause: cause.into(), retry_after: None, silent: None }
    }

    /// The store has said nothing for so long.
    pub fn silence(lasted: Duration, cause: impl Into<String>) -> Self {
        Self { silent: Some(lasted), ..Self::new(Trouble::Away, cause) }
    }

    /// Content could not be read or taken on this side.
    pub fn local(error: &std::io::Error) -> Self {
        Self::new(Trouble::Local, error.to_string())
    }

    /// Whether the same request may succeed soon.
    pub fn may_pass(&self) -> bool {
        matches!(self.trouble, Trouble::Away | Trouble::Throttled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_operation_cause_and_cure() {
        let failure =
            Failure::new(Trouble::TooLarge, "400: File size too large. Maximum is 10485760.");
        let error = RemoteError::new("upload to Cloudinary cloud shop", failure);
        assert_eq!(
            error.to_string(),
            "upload to Cloudinary cloud shop: 400: File size too large. Maximum is 10485760.; \
             raise the plan, or set large_files = \"chunks\" to keep it in the database"
        );
        assert!(!error.is_temporary());
    }
}
