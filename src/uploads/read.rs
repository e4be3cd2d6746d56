//! An upload, opened for reading, and whether somebody is still writing it.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::fstat;
use rustix::io::Errno;

use super::stat::{SkipReason, file_stat, file_type};
use crate::model::settle::Writers;
use crate::model::{Digest, FileStat, Hasher};

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing of that name (any more).
    #[error("it is gone")]
    Gone,
    /// What is there is never read.
    #[error("{0}")]
    Skip(SkipReason),
    /// Anything else, such as a lack of rights.
    #[error(transparent)]
    Io(io::Error),
}

impl From<Errno> for OpenError {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT | Errno::NOTDIR => Self::Gone,
            Errno::LOOP => Self::Skip(SkipReason::Symlink),
            // What opening a socket gives, and a device or FIFO without its other end.
            Errno::NXIO | Errno::NODEV => Self::Skip(SkipReason::NotAFile("a socket or a device")),
            error => Self::Io(error.into()),
        }
    }
}

/// A regular file, open for reading.
#[derive(Debug)]
pub struct OpenFile {
    file: File,
    stat: FileStat,
}

impl OpenFile {
    /// Takes an open descriptor, if it is a regular file's.
    pub(super) fn new(fd: OwnedFd) -> Result<Self, OpenError> {
        let stat = fstat(&fd)?;
        match SkipReason::of(file_type(&stat)) {
            Some(why) => Err(OpenError::Skip(why)),
            None => Ok(Self { file: File::from(fd), stat: file_stat(&stat) }),
        }
    }

    /// The file as it was right after opening.
    #[must_use]
    pub fn stat(&self) -> &FileStat {
        &self.stat
    }

    /// Goes back to the start of the file.
    ///
    /// # Errors
    /// Of `lseek`.
    pub fn rewind(&mut self) -> io::Result<()> {
        io::Seek::rewind(&mut self.file)
    }

    /// The file as it is now. Equal to [`OpenFile::stat`] when nobody has changed it meanwhile.
    ///
    /// # Errors
    /// Of `fstat`.
    pub fn restat(&self) -> io::Result<FileStat> {
        Ok(file_stat(&fstat(&self.file)?))
    }

    /// Appends the whole file to `bytes`, into room for one byte more than its size was at opening, or as much as there
    /// is already: so one that has grown is noticed, and one that grows for ever cannot fill the memory.
    ///
    /// Returns how many bytes were read; other than the size means that the file was changed.
    ///
    /// # Errors
    /// Of `read`, and `OutOfMemory` when there is no room for a file of that size.
    pub fn read_to(&mut self, bytes: &mut Vec<u8>) -> io::Result<u64> {
        let limit = self.stat.size.saturating_add(1);
        let room = usize::try_from(limit).map_err(|_| io::ErrorKind::OutOfMemory)?;
        bytes.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut total = 0;
        // Once there is as much as there should be, more has been asked for in vain: no call of its own is needed for
        // the end of the file.
        while total < limit - 1 {
            match rustix::io::read(&self.file, spare_capacity(bytes)) {
                Ok(0) => break,
                Ok(read) => total += read as u64,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(total)
    }

    /// The sha256 of the whole file, read from where it stands; `None` when somebody has written it meanwhile.
    ///
    /// # Errors
    /// Of `read` and `fstat`.
    pub fn digest(&mut self) -> io::Result<Option<Digest>> {
        let mut hasher = Hasher::default();
        let mut left = self.stat.size;
        let mut piece = vec![0; left.min(128 << 10) as usize];
        while left > 0 {
            let most = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match self.read(&mut piece[..most])? {
                0 => return Ok(None),
                read => {
                    hasher.update(&piece[..read]);
                    left -= read as u64;
                }
            }
        }
        let is_still = self.restat()? == self.stat && self.writers() != Writers::Some;
        Ok(is_still.then(|| hasher.finish()))
    }

    /// Asks the kernel whether somebody has the file open for writing.
    ///
    /// The question is a read lease, which is granted only when nobody has, and given back at once.
    /// A program that opens the file for writing within those microseconds waits until it is given
    /// back; only one that opens with `O_NONBLOCK`, which means nothing for files otherwise, would
    /// get `EWOULDBLOCK`.
    ///
    /// On overlayfs, on which most containers run, a shared mapping whose descriptor was closed is
    /// not counted (seen on Linux 6.18).
    #[must_use]
    pub fn writers(&self) -> Writers {
        writers(take_lease(&self.file).and_then(|()| set_lease(&self.file, libc::F_UNLCK)))
    }

    /// As [`OpenFile::writers`]; but where it is [`Writers::None`], that stays so until this is dropped: whoever opens
    /// the file for writing waits, for 45 seconds at most. So be quick.
    #[must_use]
    pub fn keep_writers_out(&self) -> Writers {
        writers(take_lease(&self.file))
    }
}

/// What the answer to a request for a lease says.
fn writers(lease: io::Result<()>) -> Writers {
    match lease {
        Ok(()) => Writers::None,
        Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => Writers::Some,
        Err(_) => Writers::Unknown,
    }
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

/// Takes a read lease on the file. `EAGAIN` when somebody has it open for writing.
fn take_lease(file: &File) -> io::Result<()> {
    /// The same on every processor that Linux has in common use; `libc` does not name it.
    const F_SETSIG: libc::c_int = 10;
    // Somebody who opens the file for writing now breaks the lease, of which the kernel tells us by
    // SIGIO; that would end the process. SIGURG is ignored unless somebody asks for it. A lease that is
    // released takes the choice of the signal with it.
    fcntl(file, F_SETSIG, libc::SIGURG)?;
    set_lease(file, libc::F_RDLCK)
}

/// Takes a lease of this kind, or releases it (`F_UNLCK`).
fn set_lease(file: &File, kind: libc::c_int) -> io::Result<()> {
    fcntl(file, libc::F_SETLEASE, kind)
}

fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the commands above take an integer and
    // touch no memory of ours.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UploadPath;
    use crate::uploads::UploadDir;
    use std::fs::{self, OpenOptions};
    use std::io::Write;
    use std::path::Path;
    use std::ptr;

    fn open(root: &Path, name: &str) -> OpenFile {
        let root = UploadDir::new(root.to_owned()).open().unwrap();
        root.open(&UploadPath::parse(name).unwrap()).unwrap()
    }

    /// A directory on the disk of the project and one in memory.
    fn on_each_file_system() -> [tempfile::TempDir; 2] {
        [
            tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR").to_owned() + "/target").unwrap(),
            tempfile::tempdir_in("/dev/shm").unwrap(),
        ]
    }

    #[test]
    fn growth_is_noticed_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), "12345").unwrap();
        let mut file = open(dir.path(), "f");
        let mut bytes = Vec::new();
        assert_eq!(file.read_to(&mut bytes).unwrap(), 5);
        assert_eq!(bytes, b"12345");
        assert_eq!(file.restat().unwrap(), *file.stat());

        let mut file = open(dir.path(), "f");
        fs::write(dir.path().join("f"), "1234567890").unwrap();
        bytes.clear();
        assert_eq!(file.read_to(&mut bytes).unwrap(), 6);
        assert_ne!(file.restat().unwrap(), *file.stat());
    }

    #[test]
    fn a_writer_is_seen_for_as_long_as_it_is_there() {
        for dir in on_each_file_system() {
            fs::write(dir.path().join("f"), "x").unwrap();
            let file = open(dir.path(), "f");
            assert_eq!(file.writers(), Writers::None);
            let mut writer = OpenOptions::new().append(true).open(dir.path().join("f")).unwrap();
            writer.write_all(b"y").unwrap();
            assert_eq!(file.writers(), Writers::Some);
            let reader = File::open(dir.path().join("f")).unwrap();
            drop(writer);
            assert_eq!(file.writers(), Writers::None, "another reader is no writer");
            drop(reader);
        }
    }

    #[test]
    fn a_writable_mapping_is_a_writer() {
        for dir in on_each_file_system() {
            let name = dir.path().join("f");
            fs::write(&name, "x").unwrap();
            let file = open(dir.path(), "f");
            let writer = OpenOptions::new().read(true).write(true).open(&name).unwrap();
            // SAFETY: a fresh mapping at an address of the kernel's choice, taken away again below
            // and never looked into.
            let mapping = unsafe {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                libc::mmap(ptr::null_mut(), 1, access, libc::MAP_SHARED, writer.as_raw_fd(), 0)
            };
            assert_ne!(mapping, libc::MAP_FAILED);
            drop(writer);
            assert_eq!(file.writers(), Writers::Some);
            // SAFETY: the mapping made above, of the same length.
            assert_eq!(unsafe { libc::munmap(mapping, 1) }, 0);
            assert_eq!(file.writers(), Writers::None);
        }
    }

    #[test]
    fn a_writer_that_is_kept_out_waits_for_the_end_of_reading() {
        use std::time::Duration;
        for dir in on_each_file_system() {
            let name = dir.path().join("f");
            fs::write(&name, "whole").unwrap();
            let mut file = open(dir.path(), "f");
            assert_eq!(file.keep_writers_out(), Writers::None);
            let (opened, is_open) = std::sync::mpsc::channel();
            let writer = std::thread::spawn(move || {
                let mut file = OpenOptions::new().write(true).truncate(true).open(name).unwrap();
                opened.send(()).unwrap();
                file.write_all(b"half").unwrap();
            });
            let while_read = is_open.recv_timeout(Duration::from_millis(300));
            assert!(while_read.is_err(), "it was let in");
            let mut bytes = Vec::new();
            assert_eq!(file.read_to(&mut bytes).unwrap(), 5);
            assert_eq!((bytes.as_slice(), file.restat().unwrap()), (&b"whole"[..], *file.stat()));
            drop(file);
            is_open.recv_timeout(Duration::from_secs(30)).expect("it is let in at once");
            writer.join().unwrap();
            assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"half");
        }
    }

    /// Opens for writing and asks for writers at the same time, many times: a lease break in
    /// between must neither kill this process (SIGIO) nor fail the writer's open.
    #[test]
    fn asking_does_not_disturb_a_writer() {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().join("f");
        fs::write(&name, "x").unwrap();
        let file = open(dir.path(), "f");
        let writer = std::thread::spawn(move || {
            for _ in 0..2_000 {
                OpenOptions::new().append(true).open(&name).unwrap();
            }
        });
        while !writer.is_finished() {
            assert_ne!(file.writers(), Writers::Unknown);
        }
        writer.join().unwrap();
        assert_eq!(file.writers(), Writers::None);
    }
}
