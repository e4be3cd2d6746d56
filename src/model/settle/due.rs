//! The question whether a file that is due may be taken as it is.

use std::time::{Duration, Instant};

use crate::model::{FileStat, UploadPath};

/// How patient to be with files that give no clear sign.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// A file unchanged for so long is settled where the kernel cannot tell whether it is open.
    pub quiet: Duration,
    /// A file that a writer keeps open, but leaves unchanged for so long, is taken as it is.
    pub held_open: Duration,
}

/// Whether anybody has the file open for writing, as far as the kernel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writers {
    /// Nobody has.
    None,
    /// Somebody has.
    Some,
    /// The file system cannot tell.
    Unknown,
}

/// A file to look at now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub path: UploadPath,
    /// When it was first noticed since it was last safe.
    pub since: Instant,
    /// Its writer has closed it; when that was noticed, for the first time since it was last safe.
    pub closed: Option<Instant>,
    /// Only scans of everything know of it.
    pub is_backlog: bool,
    /// How it looked before, and for how long it has looked so.
    pub seen: Option<(FileStat, Duration)>,
}

impl Due {
    /// Whether the file may be taken as it looks now.
    #[must_use]
    pub fn is_settled(&self, stat: &FileStat, writers: Writers, rules: &Rules) -> bool {
        let unchanged_for = match self.seen {
            Some((seen, duration)) if seen == *stat => duration,
            _ => Duration::ZERO,
        };
        match writers {
            Writers::None => true,
            Writers::Unknown => self.closed.is_some() || unchanged_for >= rules.quiet,
            Writers::Some => unchanged_for >= rules.held_open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { quiet: Duration::from_secs(2), held_open: Duration::from_secs(60) };

    fn stat(size: u64) -> FileStat {
        FileStat { size, mtime_ns: 1, ctime_ns: 1, inode: 1, mode: 0o644 }
    }

    #[test]
    fn the_kernels_word_decides_where_it_has_one() {
        let due = |closed: bool, seen| Due {
            path: UploadPath::parse("a").unwrap(),
            since: Instant::now(),
            closed: closed.then(Instant::now),
            is_backlog: false,
            seen,
        };
        let fresh = due(false, None);
        assert!(fresh.is_settled(&stat(1), Writers::None, &RULES));
        assert!(!fresh.is_settled(&stat(1), Writers::Some, &RULES));
        assert!(!fresh.is_settled(&stat(1), Writers::Unknown, &RULES));
        let closed = due(true, None);
        assert!(closed.is_settled(&stat(1), Writers::Unknown, &RULES));
        assert!(!closed.is_settled(&stat(1), Writers::Some, &RULES), "another writer has it open");
    }
}
