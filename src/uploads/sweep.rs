//! Removing what a killed restore has left behind.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, openat, unlinkat};

/// Removes a draft whose writer is gone, and says whether it did: on a shared volume another instance may be writing
/// it right now, and holds a lock on it for as long as it does. One that cannot be removed is left, to be tried at
/// the next start.
pub(super) fn remove_if_left(directory: BorrowedFd<'_>, draft: &CStr) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(directory, draft, flags, Mode::empty())
        .and_then(|file| {
            flock(&file, FlockOperation::NonBlockingLockExclusive)?;
            // Still locked by us while it goes: a writer that has just made it and waits for the lock then sees
            // that it lost the name.
            unlinkat(directory, draft, AtFlags::empty())
        })
        .is_ok()
}
