//! What the file system says about a file, as far as it tells one content from another.

/// The bits of a mode that are ever given back: read, write and execute for owner and group, read
/// and execute for others. Set-user-id, set-group-id, sticky and world-write never are.
pub const MODE_MASK: u32 = 0o775;

/// One look at a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// Bytes.
    pub size: u64,
    /// Last change of the content, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Last change of the inode, nanoseconds since 1970. No program can set it, so a new content
    /// under an old `mtime` (`cp -p`, `rsync -t`, `utime`) still shows.
    pub ctime_ns: i64,
    /// The inode's number: another file moved over this one has another.
    pub inode: u64,
    /// Permission bits.
    pub mode: u32,
}

impl FileStat {
    /// The permission bits that a restore gives back.
    #[must_use]
    pub fn kept_mode(&self) -> u32 {
        self.mode & MODE_MASK
    }
}
