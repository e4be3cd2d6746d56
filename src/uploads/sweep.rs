//! Removing what a killed restore has left behind.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, flock, openat, unlinkat};

use super::beneath::Beneath;
use super::draft_name;
use super::walk::{Seen, walk};

/// Removes left-over drafts of a restore that was killed, and returns how many.
///
/// Only those whose writer is gone: on a shared volume another instance may be writing one right
/// now, and holds a lock on it for as long as it does.
///
/// # Errors
/// `NotFound` when the root is missing. What cannot be removed is left, to be tried at the next start.
pub fn sweep(root: &Path) -> io::Result<u64> {
    let root = Beneath::open(root)?;
    let mut removed = 0;
    walk(&root, b"", &mut |seen| {
        if let Seen::Name { directory, name, kind: FileType::RegularFile, .. } = seen
            && draft_name::is_one(name.to_bytes())
        {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let abandoned = openat(directory, name, flags, Mode::empty())
                .and_then(|file| {
                    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
                    // Still locked by us while it goes: a writer that has just made it and waits
                    // for the lock then sees that it lost the name.
                    unlinkat(directory, name, AtFlags::empty())
                })
                .is_ok();
            removed += u64::from(abandoned);
        }
        ControlFlow::Continue(())
    })?;
    Ok(removed)
}
