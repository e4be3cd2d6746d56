//! Where a file's bytes go, decided from its size.

/// Where the bytes of one file go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Into the row, in base64.
    Inline,
    /// Into chunk rows.
    Chunks,
    /// Into the object store.
    Remote,
    /// Nowhere: the entry has no data.
    Nowhere,
}

/// Where the bytes of large files go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Large {
    Chunks,
    Remote,
    Skip,
}

/// The rule, as the settings have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// Files over this size, in bytes, are large.
    pub inline_limit: u64,
    pub large: Large,
    /// The object store takes every file, of whatever size.
    pub all_remote: bool,
}

impl Places {
    /// Where a file of `size` bytes goes.
    #[must_use]
    pub fn of(&self, size: u64) -> Place {
        match self.large {
            // There is nothing to upload, and Cloudinary refuses it.
            _ if size == 0 => Place::Inline,
            _ if self.all_remote => Place::Remote,
            _ if size <= self.inline_limit => Place::Inline,
            Large::Chunks => Place::Chunks,
            Large::Remote => Place::Remote,
            Large::Skip => Place::Nowhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_and_settings_decide() {
        let places = |large, all_remote| Places { inline_limit: 10, large, all_remote };
        assert_eq!(places(Large::Chunks, false).of(10), Place::Inline);
        assert_eq!(places(Large::Chunks, false).of(11), Place::Chunks);
        assert_eq!(places(Large::Remote, false).of(10), Place::Inline);
        assert_eq!(places(Large::Remote, false).of(11), Place::Remote);
        assert_eq!(places(Large::Remote, true).of(1), Place::Remote);
        assert_eq!(places(Large::Remote, true).of(0), Place::Inline);
        assert_eq!(places(Large::Skip, false).of(11), Place::Nowhere);
        let everything_in_chunks = Places { inline_limit: 0, ..places(Large::Chunks, false) };
        assert_eq!(everything_in_chunks.of(1), Place::Chunks);
    }
}
