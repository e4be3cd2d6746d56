//! The note that there may be restored files which are not on the disk yet.
//!
//! Restored files get their names at once and are flushed behind them: no app should wait for a disk. Until they are,
//! the upload directory has this note as an extended attribute, where no list of files shows it; it is on the disk
//! before the first of them has its name. It says during which boot of the machine they were written: as long as that
//! lasts, whoever reads them reads them whole. A note of another boot says that the machine has stopped meanwhile,
//! perhaps with half of them on its disk.
//!
//! Whoever has files under way holds a shared lock on the directory, and only who can lock it alone removes the note.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::fs::{
    FlockOperation, Mode, OFlags, XattrFlags, fgetxattr, flock, fremovexattr, fsetxattr, fsync,
    syncfs,
};
use rustix::io::Errno;

use super::root::UploadDir;

/// The extended attribute: a boot of the machine, and the nanoseconds since 1970 when it was noted.
const NAME: &str = "user.imagecached.unflushed";

/// No note is longer, in bytes.
const LONGEST: usize = 256;

/// A note of this boot.
#[derive(Debug)]
pub struct Unflushed {
    /// Locked.
    directory: OwnedFd,
}

/// What an earlier restore has left.
#[derive(Debug)]
pub enum Left {
    /// Nothing, or nothing that others do not look after.
    Nothing,
    /// Somebody else is removing torn files.
    Busy,
    /// Files that are whole, and not flushed yet.
    ThisBoot(Unflushed),
    /// Files that may be torn.
    AnotherBoot(Crashed),
}

/// A note of another boot, which nobody else has hold of.
#[derive(Debug)]
pub struct Crashed {
    /// Locked.
    directory: OwnedFd,
    /// When it was made, in nanoseconds since 1970: what has not changed since then is no concern of it.
    pub since_ns: i64,
}

impl Unflushed {
    /// Notes, on the disk itself, that files are about to appear which are not flushed.
    ///
    /// # Errors
    /// When that cannot be noted, or is not to be told from what another boot has left: then files have to be
    /// flushed first.
    pub fn begin(upload_dir: &UploadDir) -> io::Result<Self> {
        let boot = boot()?;
        let directory = open(upload_dir)?;
        flock(&directory, FlockOperation::NonBlockingLockShared)?;
        match read(&directory)? {
            Some(found) if found.boot != boot => {
                return Err(io::Error::other("there is the note of another boot"));
            }
            Some(_) => {}
            None => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let note = format!("{boot} {}", now.unwrap_or_default().as_nanos());
                fsetxattr(&directory, NAME, note.as_bytes(), XattrFlags::empty())?;
            }
        }
        fsync(&directory)?;
        Ok(Self { directory })
    }

    /// Flushes everything that was written until now, and removes the note unless others have files under way.
    ///
    /// # Errors
    /// Of the disk: some file may not have been written, and the note stays.
    pub fn flush(self) -> io::Result<()> {
        match flock(&self.directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => flush_alone(&self.directory),
            Err(Errno::WOULDBLOCK) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Crashed {
    /// What was torn is gone: notes that, on the disk itself, by removing the note.
    ///
    /// # Errors
    /// Of the disk; the note stays.
    pub fn settled(self) -> io::Result<()> {
        flush_alone(&self.directory)
    }
}

/// Looks for what an earlier restore has left. A directory that is not there has nothing.
///
/// # Errors
/// When the directory or the note cannot be read.
pub fn left(upload_dir: &UploadDir) -> io::Result<Left> {
    let directory = match open(upload_dir) {
        Err(Errno::NOENT) => return Ok(Left::Nothing),
        opened => opened?,
    };
    let Some(found) = read(&directory)? else { return Ok(Left::Nothing) };
    if boot().is_ok_and(|boot| boot == found.boot) {
        // Where somebody has it alone, the files are being flushed.
        let free = flock(&directory, FlockOperation::NonBlockingLockShared).is_ok();
        return Ok(if free { Left::ThisBoot(Unflushed { directory }) } else { Left::Nothing });
    }
    // Where there are no locks, two may look after the same files, and neither does harm.
    if flock(&directory, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        return Ok(Left::Busy);
    }
    // Whoever had it alone until now may have settled it.
    let still = read(&directory)?;
    Ok(still.map_or(Left::Nothing, |note| {
        Left::AnotherBoot(Crashed { directory, since_ns: note.since_ns })
    }))
}

/// What a note says.
struct Note {
    boot: String,
    since_ns: i64,
}

fn open(upload_dir: &UploadDir) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
    rustix::fs::open(upload_dir.root(), flags, Mode::empty())
}

/// The directory's note. One that makes no sense is of no boot that is known, and of the beginning of time.
fn read(directory: &OwnedFd) -> io::Result<Option<Note>> {
    let mut bytes = [0; LONGEST];
    let text = match fgetxattr(directory, NAME, &mut bytes) {
        // What knows no such attributes has no note either.
        Err(Errno::NODATA | Errno::NOTSUP) => return Ok(None),
        Err(Errno::RANGE) => String::new(),
        length => String::from_utf8_lossy(&bytes[..length?]).into_owned(),
    };
    let (boot, since) = text.split_once(' ').unwrap_or((&text, ""));
    Ok(Some(Note { boot: boot.to_owned(), since_ns: since.parse().unwrap_or(0) }))
}

fn flush_alone(directory: &OwnedFd) -> io::Result<()> {
    syncfs(directory)?;
    match fremovexattr(directory, NAME) {
        Err(Errno::NODATA) => Ok(()),
        removed => Ok(removed?),
    }
}

/// What tells this boot of the machine from all others.
fn boot() -> io::Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    if boot.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(boot) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, UploadDir) {
        // Not in memory, where some kernels know no such attributes.
        let program = std::env::current_exe().unwrap();
        let dir = tempfile::tempdir_in(program.parent().unwrap()).unwrap();
        let upload_dir = UploadDir::new(dir.path().to_owned());
        (dir, upload_dir)
    }

    fn note(upload_dir: &UploadDir) -> Option<Note> {
        read(&open(upload_dir).unwrap()).unwrap()
    }

    #[test]
    fn the_note_goes_with_the_last_who_has_files_under_way() {
        let (dir, upload_dir) = place();
        let stands = || note(&upload_dir).is_some();
        assert!(matches!(left(&upload_dir).unwrap(), Left::Nothing));
        let before = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
        let (first, second) =
            (Unflushed::begin(&upload_dir).unwrap(), Unflushed::begin(&upload_dir).unwrap());
        let made = note(&upload_dir).unwrap();
        assert_eq!(made.boot, boot().unwrap());
        assert!(made.since_ns as u128 >= before);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        first.flush().unwrap();
        assert!(stands());
        let Left::ThisBoot(third) = left(&upload_dir).unwrap() else { panic!("it stands") };
        second.flush().unwrap();
        assert!(stands());
        third.flush().unwrap();
        assert!(!stands());
        // One that was killed, or does not wait for the disk, leaves it to the next.
        drop(Unflushed::begin(&upload_dir).unwrap());
        assert!(stands());
        Unflushed::begin(&upload_dir).unwrap().flush().unwrap();
        assert!(!stands());
    }

    #[test]
    fn the_note_of_another_boot_is_looked_after_by_one() {
        let (_dir, upload_dir) = place();
        // One that makes no sense is a note as well.
        let long = "x".repeat(LONGEST + 1);
        for (text, since_ns) in [("another 5", 5), ("", 0), ("a b c", 0), (&long, 0)] {
            let directory = open(&upload_dir).unwrap();
            fsetxattr(&directory, NAME, text.as_bytes(), XattrFlags::empty()).unwrap();
            assert!(Unflushed::begin(&upload_dir).is_err());
            let Left::AnotherBoot(crashed) = left(&upload_dir).unwrap() else { panic!("{text:?}") };
            assert_eq!(crashed.since_ns, since_ns);
            assert!(matches!(left(&upload_dir).unwrap(), Left::Busy));
            crashed.settled().unwrap();
            assert!(matches!(left(&upload_dir).unwrap(), Left::Nothing));
            Unflushed::begin(&upload_dir).unwrap().flush().unwrap();
        }
    }

    #[test]
    fn a_directory_that_is_gone_has_no_note() {
        let (dir, _) = place();
        let gone = UploadDir::new(dir.path().join("none"));
        assert!(matches!(left(&gone).unwrap(), Left::Nothing));
        assert!(Unflushed::begin(&gone).is_err());
    }
}
