//! Opening what is beneath a directory, and nothing else: no symlink in any part of the path, no
//! way out by `..`.
//!
//! `openat2` does that in one call. Where the kernel does not have it (before 5.6), or a sandbox
//! does not let it through (gVisor, seccomp filters), the path is walked part by part.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat, openat2, statat};
use rustix::io::Errno;

use super::stat::file_type;

/// How a directory is opened that only serves as a starting point: needs no right to list it.
pub(super) const WAYPOINT: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// No way out, no symlink anywhere. Mount points are fine: a volume mounted inside is a part.
const RESOLVE: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// Whether there is `openat2`: a property of the kernel and of the sandbox, which do not change.
static HAS_OPENAT2: OnceLock<bool> = OnceLock::new();

/// Asked of a directory itself, where no other cause can give one of these errors: later an EPERM could be
/// about the file.
fn has_openat2(directory: &OwnedFd) -> Result<bool, Errno> {
    match openat2(directory, ".", WAYPOINT, Mode::empty(), RESOLVE) {
        Ok(_) => Ok(true),
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL | Errno::TOOBIG) => Ok(false),
        Err(error) => Err(error),
    }
}

/// An open directory from which paths are resolved.
#[derive(Debug)]
pub(super) struct Beneath {
    fd: OwnedFd,
    openat2: bool,
}

impl Beneath {
    /// Opens the directory itself. The operator names it, so a symlink on the way to it is followed.
    pub(super) fn open(path: &Path) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())?;
        let openat2 = match HAS_OPENAT2.get() {
            Some(has) => *has,
            None => {
                let has = has_openat2(&fd)?;
                *HAS_OPENAT2.get_or_init(|| has)
            }
        };
        Ok(Self { fd, openat2 })
    }

    /// As if the kernel had no `openat2`.
    #[cfg(test)]
    pub(super) fn without_openat2(mut self) -> Self {
        self.openat2 = false;
        self
    }

    /// The directory itself.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Opens `path` (relative; empty for the directory itself). `flags` must hold `NOFOLLOW`.
    ///
    /// A symlink in the path is `ELOOP`. One as its last part is `ELOOP` too, except with `PATH`
    /// (then the link itself is opened) and with `DIRECTORY` (then it may be `ENOTDIR`).
    pub(super) fn open_at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        if self.openat2 {
            openat2(&self.fd, path, flags, Mode::empty(), RESOLVE)
        } else {
            self.open_by_parts(path, flags)
        }
    }

    fn open_by_parts(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let mut parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let last = parts.pop().unwrap_or(b".");
        let mut reached: Option<OwnedFd> = None;
        for part in parts {
            let from = reached.as_ref().map_or(self.fd(), |fd| fd.as_fd());
            reached = Some(step(from, part)?);
        }
        let from = reached.as_ref().map_or(self.fd(), |fd| fd.as_fd());
        if last == b".." {
            return Err(Errno::XDEV);
        }
        openat(from, last, flags | OFlags::NOFOLLOW, Mode::empty())
    }
}

/// One part of the way down. A symlink is `ELOOP`, as `openat2` has it.
pub(super) fn step(from: BorrowedFd<'_>, part: &[u8]) -> Result<OwnedFd, Errno> {
    if part == b".." {
        return Err(Errno::XDEV);
    }
    openat(from, part, WAYPOINT, Mode::empty()).map_err(|error| {
        if error == Errno::NOTDIR && is_symlink(from, part) { Errno::LOOP } else { error }
    })
}

fn is_symlink(from: BorrowedFd<'_>, part: &[u8]) -> bool {
    statat(from, part, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| file_type(&stat) == FileType::Symlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn both_ways_open_the_same_and_refuse_the_same() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        let inside = tempfile::tempdir().unwrap();
        let root = inside.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "f").unwrap();
        symlink(outside.path(), root.join("out")).unwrap();
        symlink("a", root.join("link")).unwrap();
        symlink("file", root.join("a/b/also")).unwrap();

        let one_call = Beneath::open(root).unwrap();
        assert!(one_call.openat2, "this kernel has no openat2, so only one way can be tested");
        let by_parts = Beneath::open(root).unwrap().without_openat2();
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dotdot = format!("../{}/secret", outside.path().file_name().unwrap().display());
        for (path, want) in [
            ("a/b/file", None),
            ("", None),
            ("a/b/none", Some(Errno::NOENT)),
            ("none/file", Some(Errno::NOENT)),
            ("a/b/file/x", Some(Errno::NOTDIR)),
            ("a/b/also", Some(Errno::LOOP)),
            ("link/b/file", Some(Errno::LOOP)),
            ("out/secret", Some(Errno::LOOP)),
            ("..", Some(Errno::XDEV)),
            (&dotdot, Some(Errno::XDEV)),
            ("a/../../x", Some(Errno::XDEV)),
        ] {
            for way in [&one_call, &by_parts] {
                let got = way.open_at(path.as_bytes(), read).err();
                assert_eq!(got, want, "{path:?}, openat2: {}", way.openat2);
            }
        }
    }
}
