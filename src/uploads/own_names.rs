//! Which names in the upload directory are ours, and no uploads.

use super::{draft_name, marker};

/// Whether a file of this name, in the directory of this path beneath the root, is ours. The watch and the scan pass
/// it over.
pub(super) fn is_own(parent: &[u8], name: &[u8]) -> bool {
    draft_name::is_one(name) || parent.is_empty() && name == marker::NAME.as_bytes()
}
