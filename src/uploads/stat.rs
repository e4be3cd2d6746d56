//! What the kernel says about a name, in the words of the domain.

use std::fmt;

use rustix::fs::{FileType, Stat};

use crate::model::FileStat;
use crate::model::upload_path::PathError;

/// Why something in the upload directory is passed over. Shown to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// A symlink, or something behind one.
    Symlink,
    /// A directory where a file was expected.
    Directory,
    /// Neither a file nor a directory: what it is, with its article.
    NotAFile(&'static str),
    /// The database cannot hold the name.
    Name(PathError),
}

impl SkipReason {
    /// Why something of this type is passed over; `None` for a regular file, which is not.
    pub(super) fn of(kind: FileType) -> Option<Self> {
        Some(match kind {
            FileType::RegularFile => return None,
            FileType::Symlink => Self::Symlink,
            FileType::Directory => Self::Directory,
            FileType::Fifo => Self::NotAFile("a FIFO"),
            FileType::Socket => Self::NotAFile("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => Self::NotAFile("a device"),
            FileType::Unknown => Self::NotAFile("something of an unknown type"),
        })
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symlink => f.write_str("it is, or is behind, a symlink, and none is followed"),
            Self::Directory => f.write_str("it is a directory, not a file"),
            Self::NotAFile(what) => write!(f, "it is {what}, not a regular file"),
            Self::Name(why) => why.fmt(f),
        }
    }
}

/// The part of a `stat` that tells one content from another.
// The fields of `Stat` have other widths and signs on other processors.
#[allow(clippy::unnecessary_cast)]
pub(super) fn file_stat(stat: &Stat) -> FileStat {
    FileStat {
        size: stat.st_size as u64,
        mtime_ns: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
        ctime_ns: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        inode: stat.st_ino as u64,
        mode: stat.st_mode as u32 & 0o7777,
    }
}

/// The type of what a `stat` is about.
#[allow(clippy::unnecessary_cast)]
pub(super) fn file_type(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode as _)
}

/// A time of the kernel in nanoseconds since 1970; one that is out of range (before 1677, after
/// 2262) becomes the nearest that is not.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_range_do_not_wrap() {
        assert_eq!(nanoseconds(-1, 999_999_999), -1);
        assert_eq!(nanoseconds(i64::MAX, 5), i64::MAX);
        assert_eq!(nanoseconds(i64::MIN, 5), i64::MIN + 5);
    }

    #[test]
    fn reasons_are_told_in_words() {
        let name = SkipReason::Name(PathError::NotUtf8);
        insta::assert_snapshot!(
            [SkipReason::Symlink, SkipReason::Directory, SkipReason::NotAFile("a FIFO"), name]
                .map(|why| why.to_string())
                .join("\n")
        , @r"
        it is, or is behind, a symlink, and none is followed
        it is a directory, not a file
        it is a FIFO, not a regular file
        the name is not valid UTF-8, which the database column needs; rename the file
        ");
    }
}
