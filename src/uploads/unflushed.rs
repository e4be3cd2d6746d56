//! The note that there may be restored files which are not on the disk yet.
//!
//! Restored files get their names at once and are flushed behind them: no app should wait for a disk. Until they are,
//! this note stands in the upload directory, and it is on the disk before the first of them has its name. It says
//! during which boot of the machine they were written: as long as that lasts, whoever reads them reads them whole. A
//! note of another boot says that the machine has stopped meanwhile, perhaps with half of them on its disk.
//!
//! Whoever has files under way holds a shared lock on the note, and only who can lock it alone removes it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, flock, fstat, fsync, openat, syncfs, unlinkat,
};
use rustix::io::Errno;

use super::root::UploadDir;
use super::stat::file_stat;
use super::write::{PlaceError, Placer};
use crate::model::UploadPath;

/// Its name, directly in the upload directory. The watch and the scan pass it over.
pub(super) const NAME: &str = ".imagecached-unflushed";

/// No name of a boot is longer, in bytes.
const LONGEST: u64 = 4_096;

/// A note of this boot.
#[derive(Debug)]
pub struct Unflushed {
    directory: OwnedFd,
    /// Locked.
    file: File,
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
    note: Unflushed,
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
        loop {
            let Some((note, found)) = Self::open(upload_dir)? else {
                make(upload_dir, &boot)?;
                continue;
            };
            if found != boot {
                return Err(io::Error::other("there is the note of another boot"));
            }
            flock(&note.file, FlockOperation::NonBlockingLockShared)?;
            // Whoever had it alone until now may have removed it.
            if note.stands()? {
                fsync(&note.file)?;
                fsync(&note.directory)?;
                return Ok(note);
            }
        }
    }

    /// Flushes everything that was written until now, and removes the note unless others have files under way.
    ///
    /// # Errors
    /// Of the disk: some file may not have been written, and the note stays.
    pub fn flush(self) -> io::Result<()> {
        match flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => self.flush_alone(),
            Err(Errno::WOULDBLOCK) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn flush_alone(&self) -> io::Result<()> {
        syncfs(&self.directory)?;
        Ok(unlinkat(&self.directory, NAME, AtFlags::empty())?)
    }

    /// Opens the note where there is one, and reads during which boot it was made.
    fn open(upload_dir: &UploadDir) -> io::Result<Option<(Self, String)>> {
        let read = OFlags::RDONLY | OFlags::CLOEXEC;
        let directory =
            rustix::fs::open(upload_dir.root(), read | OFlags::DIRECTORY, Mode::empty())?;
        // Nobody's link or pipe is taken for it.
        let flags = read | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = match openat(&directory, NAME, flags, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            opened => File::from(opened?),
        };
        let mut bytes = Vec::new();
        (&file).take(LONGEST).read_to_end(&mut bytes)?;
        let boot = String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().to_owned();
        Ok(Some((Self { directory, file }, boot)))
    }

    /// Whether it has not been removed since it was opened.
    fn stands(&self) -> io::Result<bool> {
        Ok(fstat(&self.file)?.st_nlink > 0)
    }
}

impl Crashed {
    /// What was torn is gone: notes that, on the disk itself, by removing the note.
    ///
    /// # Errors
    /// Of the disk; the note stays.
    pub fn settled(self) -> io::Result<()> {
        self.note.flush_alone()
    }
}

/// Looks for what an earlier restore has left. A directory that is not there has nothing.
///
/// # Errors
/// When the directory or the note cannot be read.
pub fn left(upload_dir: &UploadDir) -> io::Result<Left> {
    let (note, found) = match Unflushed::open(upload_dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Left::Nothing),
        opened => match opened? {
            Some(found) => found,
            None => return Ok(Left::Nothing),
        },
    };
    if boot().is_ok_and(|boot| boot == found) {
        // Where somebody has it alone, the files are being flushed.
        let free = flock(&note.file, FlockOperation::NonBlockingLockShared).is_ok();
        return Ok(if free { Left::ThisBoot(note) } else { Left::Nothing });
    }
    // Where there are no locks, two may look after the same files, and neither does harm.
    if flock(&note.file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK) {
        return Ok(Left::Busy);
    }
    if !note.stands()? {
        return Ok(Left::Nothing);
    }
    let since_ns = file_stat(&fstat(&note.file)?).ctime_ns;
    Ok(Left::AnotherBoot(Crashed { note, since_ns }))
}

/// Makes the note, where there is none.
fn make(upload_dir: &UploadDir, boot: &str) -> Result<(), PlaceError> {
    let text = format!(
        "{boot}\nimagecached: restored files may not be on the disk yet. If the machine stops before they are, this \
         file makes the next start compare them with the database.\n"
    );
    let path = UploadPath::parse(NAME).expect("its name is a path");
    let mut placer = Placer::new(upload_dir).map_err(PlaceError::while_trying("open it"))?;
    let mut draft = match placer.draft(&path) {
        Err(PlaceError::Exists) => return Ok(()),
        begun => begun?,
    };
    draft.write_all(text.as_bytes())?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    // Where somebody else was first, that one's note is as good.
    draft.publish(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX), 0o644).map(drop)
}

/// What tells this boot of the machine from all others.
fn boot() -> io::Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
    if boot.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(boot) }
}

impl From<PlaceError> for io::Error {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Full(source) | PlaceError::Io { source, .. } => source,
            other => Self::other(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> (tempfile::TempDir, UploadDir) {
        let dir = tempfile::tempdir().unwrap();
        let upload_dir = UploadDir::new(dir.path().to_owned());
        (dir, upload_dir)
    }

    #[test]
    fn the_note_goes_with_the_last_who_has_files_under_way() {
        let (dir, upload_dir) = place();
        let note = dir.path().join(NAME);
        let stands = || note.exists();
        assert!(matches!(left(&upload_dir).unwrap(), Left::Nothing));
        let (first, second) =
            (Unflushed::begin(&upload_dir).unwrap(), Unflushed::begin(&upload_dir).unwrap());
        assert!(fs::read_to_string(&note).unwrap().starts_with(&boot().unwrap()));
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
        let (dir, upload_dir) = place();
        // What a crash has left of a note is one as well.
        for text in ["another\n", ""] {
            fs::write(dir.path().join(NAME), text).unwrap();
            assert!(Unflushed::begin(&upload_dir).is_err());
            let Left::AnotherBoot(crashed) = left(&upload_dir).unwrap() else { panic!("{text:?}") };
            assert!(matches!(left(&upload_dir).unwrap(), Left::Busy));
            crashed.settled().unwrap();
            assert!(matches!(left(&upload_dir).unwrap(), Left::Nothing));
            Unflushed::begin(&upload_dir).unwrap().flush().unwrap();
        }
    }

    #[test]
    fn what_is_no_note_is_left_alone() {
        let (dir, upload_dir) = place();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join(NAME)).unwrap();
        assert!(Unflushed::begin(&upload_dir).is_err());
        assert!(left(&upload_dir).is_err());
        fs::remove_file(dir.path().join(NAME)).unwrap();
        fs::create_dir(dir.path().join(NAME)).unwrap();
        assert!(Unflushed::begin(&upload_dir).is_err());
        assert!(left(&upload_dir).is_err());
        let gone = UploadDir::new(dir.path().join("none"));
        assert!(matches!(left(&gone).unwrap(), Left::Nothing));
        assert!(Unflushed::begin(&gone).is_err());
    }
}
