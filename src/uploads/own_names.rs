//! Which names in the upload directory are ours, and no uploads.

use super::draft_name;
use super::{marker, unflushed};

/// Whether a file of this name, in the directory of this path beneath the root, is ours. The watch and the scan pass
/// it over.
pub(super) fn is_own(parent: &[u8], name: &[u8]) -> bool {
    draft_name::is_one(name) || parent.is_empty() && is_note(name)
}

/// Whether a file of this name directly in the upload directory is there for more than a moment, and ours.
pub(super) fn is_note(name: &[u8]) -> bool {
    [marker::NAME, unflushed::NAME].iter().any(|note| note.as_bytes() == name)
}
