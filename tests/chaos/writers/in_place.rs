//! Files that are written where they are.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::thread;

use super::Writer;
use super::patience::{part_of, patiently, write_all, write_slowly};
use crate::content::seal;

impl Writer {
    /// Opened once, and closed after the last bit.
    pub(super) fn append_slowly(&mut self) {
        let path = self.fresh_path();
        let (content, seal) = self.begin(&[&path]);
        let file =
            patiently(|| OpenOptions::new().append(true).create_new(true).open(self.file(&path)));
        for _ in 0..self.random.between(1..4) {
            // Somebody else who closes the file does not make it finished.
            drop(OpenOptions::new().append(true).open(self.file(&path)));
            thread::sleep(self.random.millis(0..60));
        }
        write_slowly(&file, &content, &mut self.random);
        drop(file);
        self.done(&path, seal);
    }

    /// As a log is written: opened, one bit more, closed. Each of these contents is whole.
    pub(super) fn append_again(&mut self) {
        let path = self.fresh_path();
        let mut content = Vec::new();
        for _ in 0..self.random.between(2..6) {
            let before = content.len();
            let length = self.random.between(1..20_000);
            content.extend(self.random.bytes(usize::try_from(length).expect("a few kilobytes")));
            let whole = seal(std::mem::take(&mut content));
            content = whole.0;
            self.scene.model.begin(&path, whole.1);
            let mut open = OpenOptions::new();
            let file = patiently(|| open.append(true).create(true).open(self.file(&path)));
            write_all(&file, &content[before..]);
            drop(file);
            self.done(&path, whole.1);
            thread::sleep(self.random.millis(0..80));
        }
    }

    /// Often with the size of before. With its mtime too, only where the daemon stays the same: one that
    /// is started anew goes by size and mtime, as every backup program does.
    pub(super) fn truncate_and_rewrite(&mut self) {
        let path = self.any_path();
        let target = self.file(&path);
        let before = std::fs::metadata(&target).ok();
        let (mut content, mut whole) = self.begin(&[&path]);
        let length = before.as_ref().map_or(0, |before| before.len() as usize);
        if length > 32 && self.random.chance(50) {
            (content, whole) = seal(self.random.bytes(length - 32));
            self.scene.model.begin(&path, whole);
        }
        let file = patiently(|| File::create(&target));
        write_slowly(&file, &content, &mut self.random);
        if let Some(mtime) = before.and_then(|before| before.modified().ok())
            && self.scene.daemon_stays
            && self.random.chance(40)
        {
            file.set_modified(mtime).expect("it is ours");
        }
        drop(file);
        self.done(&path, whole);
    }

    /// Through a shared mapping, whose descriptor may be closed long before the last byte.
    pub(super) fn mmap(&mut self) {
        let path = self.any_path();
        let (content, seal) = self.begin(&[&path]);
        let target = self.file(&path);
        let mut open = OpenOptions::new();
        open.read(true).write(true).create(true).truncate(false);
        let file = patiently(|| open.open(&target));
        patiently(|| file.set_len(content.len() as u64));
        // Where there is no room for a page, writing to it would be the end of the process.
        let flags = rustix::fs::FallocateFlags::empty();
        patiently(|| Ok(rustix::fs::fallocate(&file, flags, 0, content.len() as u64)?));
        let mut mapping = Mapping::new(&file, content.len()).expect("a mapping");
        if self.random.chance(50) {
            drop(file);
        }
        let length = part_of(&content, &mut self.random);
        for (number, part) in content.chunks(length).enumerate() {
            mapping.write(number * length, part);
            thread::sleep(self.random.millis(0..50));
        }
        drop(mapping);
        self.done(&path, seal);
    }
}

/// A file's bytes as memory, shared with the file.
struct Mapping {
    start: *mut libc::c_void,
    length: usize,
}

impl Mapping {
    fn new(file: &File, length: usize) -> io::Result<Self> {
        // SAFETY: a fresh mapping at an address of the kernel's choice; it is only ever written to, by
        // `write`, and ends with this value. The file is as long and nobody shortens it.
        let start = unsafe {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(ptr::null_mut(), length, access, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if start == libc::MAP_FAILED {
            Err(io::Error::last_os_error())
        } else {
            Ok(Self { start, length })
        }
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.length, "beyond the mapping");
        // SAFETY: within the mapping, as was just made sure, and `bytes` is no part of it.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.start.cast::<u8>().add(at), bytes.len())
        };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`, of the same length, which nobody uses any more.
        let done = unsafe {
            libc::msync(self.start, self.length, libc::MS_SYNC)
                | libc::munmap(self.start, self.length)
        };
        assert_eq!(done, 0, "msync or munmap failed");
    }
}
