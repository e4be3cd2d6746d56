//! The index: what the cache holds for each upload path, small enough to keep in memory.
//!
//! A scan and the watcher ask it one question: has this file to be read? The answer must never be a
//! wrong "no". Paths and looks are kept as hashes (128 bits of sha256 for the path, 64 bits for each
//! look): 32 bytes an entry, and in the tree that holds them 52 to 56, so a million entries fit into the
//! memory of a small container. A hash table would take up to 72, and half as much again while it grows.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher as _, RandomState};

use crate::model::{Digest, FileStat, IndexRow, UploadPath};

/// A file whose inode changed within this time before it was read may change again without a new
/// timestamp: kernels before 6.13 stamp files with the time of the last tick (1 to 10 ms ago).
pub const TIMESTAMP_GRAIN_NS: i64 = 20_000_000;

/// A file whose inode changed in the future was stamped by a clock ahead of ours: by that of a file server, which
/// may do so again, or, beyond this, by our own before it was set back. That one has gone on from another time, so
/// the next change looks different.
const CLOCKS_APART_NS: i64 = 3_600_000_000_000;

/// What is known about the inode behind an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InodeLook {
    /// The entry came from the database; its file has not been looked at in this process.
    Unseen,
    /// The file was read so soon after its last change that the next change may look the same.
    Racy,
    /// Hash of inode number and ctime, when the content was the stored one.
    Seen(u64),
    /// As [`InodeLook::Seen`], but nobody has read the file: size and mtime are the stored ones.
    Assumed(u64),
}

#[derive(Debug, Clone, Copy)]
struct Known {
    /// Hash of size and mtime, but for its lowest two bits: [`ACCESS_OLD`] and [`NOTED`].
    content: u64,
    inode: u64,
}

/// `last_accessed` is old.
const ACCESS_OLD: u64 = 1;
/// Noted since the database's entries are being read again.
const NOTED: u64 = 2;
/// What is no hash.
const MARKS: u64 = ACCESS_OLD | NOTED;

const UNSEEN: u64 = 0;
const RACY: u64 = 1;
/// Lowest bit of the hash of an inode that is assumed.
const ASSUMED: u64 = 1;

impl Known {
    fn inode(self) -> InodeLook {
        match self.inode {
            UNSEEN => InodeLook::Unseen,
            RACY => InodeLook::Racy,
            hash if hash & ASSUMED != 0 => InodeLook::Assumed(hash & !ASSUMED),
            hash => InodeLook::Seen(hash),
        }
    }

    fn is_content(self, look: u64) -> bool {
        self.content & !MARKS == look
    }
}

/// The answer to "has this file to be read?".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Nothing is stored under this path.
    New,
    /// Something is stored, and the file may have another content now.
    Changed,
    /// The stored content is the file's.
    Same,
}

/// Upload path to what is known of its stored content.
#[derive(Debug, Default)]
pub struct Index {
    known: BTreeMap<u128, Known>,
    hash: RandomState,
    /// The database's entries are being read again: what is noted meanwhile is marked.
    refreshing: bool,
}

impl Index {
    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Notes an entry that the database has; what this process has seen of its file is kept as long
    /// as the content is the one that was seen.
    pub fn note_stored(&mut self, row: &IndexRow) {
        let key = key(&row.original_path);
        if !row.has_data {
            // Its bytes are not safe: the file has to be stored as if it were new.
            self.known.remove(&key);
            return;
        }
        let content = self.content_look(row.file_size, row.mtime_ns);
        let mark = self.mark();
        let known = self.known.entry(key).or_insert(Known { content, inode: UNSEEN });
        if !known.is_content(content) {
            known.inode = UNSEEN;
        }
        known.content = content | mark | if row.access_is_old { ACCESS_OLD } else { 0 };
    }

    /// Notes a file that was just restored from its entry. Its mtime is that of long ago, so any
    /// change after this moment shows, whatever the grain of the file system's clock.
    pub fn note_restored(&mut self, path: &UploadPath, stat: &FileStat) {
        self.note(path, stat, self.inode_look(stat));
    }

    /// Whether `last_accessed` of this path is old; answers yes once.
    pub fn take_old_access(&mut self, path: &UploadPath) -> bool {
        self.known.get_mut(&key(path.as_str())).is_some_and(|known| {
            let old = known.content & ACCESS_OLD != 0;
            known.content &= !ACCESS_OLD;
            old
        })
    }

    /// Notes that `stat` is how a file looked when its content was the stored one, and that the
    /// look was taken at `now_ns` (nanoseconds since 1970, the clock that stamps files).
    pub fn note_seen(&mut self, path: &UploadPath, stat: &FileStat, now_ns: i64) {
        let age = now_ns.saturating_sub(stat.ctime_ns);
        let racy = (-CLOCKS_APART_NS..TIMESTAMP_GRAIN_NS).contains(&age);
        let inode = if racy { RACY } else { self.inode_look(stat) };
        self.note(path, stat, inode);
    }

    /// Begins to read the database's entries again: [`Index::note_stored`] for each, then
    /// [`Index::end_refresh`].
    pub fn begin_refresh(&mut self) {
        self.known.values_mut().for_each(|known| known.content &= !NOTED);
        self.refreshing = true;
    }

    /// Forgets what the database no longer has: its files are to be stored again. A database may have
    /// lost entries by a restored backup, a failover, or somebody's hand.
    pub fn end_refresh(&mut self) {
        if std::mem::take(&mut self.refreshing) {
            self.known.retain(|_, known| known.content & NOTED != 0);
        }
    }

    /// Breaks a refresh off: nothing is forgotten.
    pub fn abandon_refresh(&mut self) {
        self.refreshing = false;
    }

    fn mark(&self) -> u64 {
        if self.refreshing { NOTED } else { 0 }
    }

    fn note(&mut self, path: &UploadPath, stat: &FileStat, inode: u64) {
        let content = self.content_look(stat.size, stat.mtime_ns) | self.mark();
        self.known.insert(key(path.as_str()), Known { content, inode });
    }

    /// What a walk over the tree may conclude from `stat`. A file that this process has not looked
    /// at yet is taken for the stored one if size and mtime agree, as every backup program does.
    pub fn scanned(&mut self, path: &UploadPath, stat: &FileStat) -> Look {
        let (content, inode) = (self.content_look(stat.size, stat.mtime_ns), self.inode_look(stat));
        let Some(known) = self.known.get_mut(&key(path.as_str())) else {
            return Look::New;
        };
        match known.inode() {
            _ if !known.is_content(content) => Look::Changed,
            InodeLook::Unseen => {
                known.inode = inode | ASSUMED;
                Look::Same
            }
            InodeLook::Seen(hash) | InodeLook::Assumed(hash) if hash == inode => Look::Same,
            InodeLook::Seen(_) | InodeLook::Assumed(_) | InodeLook::Racy => Look::Changed,
        }
    }

    /// What an event allows to conclude from `stat`: something happened to this file, so only an
    /// inode that is known in every respect is passed over. That is the echo of our own restore.
    #[must_use]
    pub fn notified(&self, path: &UploadPath, stat: &FileStat) -> Look {
        let Some(known) = self.known.get(&key(path.as_str())) else {
            return Look::New;
        };
        let same = known.is_content(self.content_look(stat.size, stat.mtime_ns))
            && known.inode() == InodeLook::Seen(self.inode_look(stat));
        if same { Look::Same } else { Look::Changed }
    }

    /// Whether anything is stored under this path.
    #[must_use]
    pub fn contains(&self, path: &UploadPath) -> bool {
        self.known.contains_key(&key(path.as_str()))
    }

    /// Forgets what is stored under this path: it no longer is.
    pub fn forget(&mut self, path: &UploadPath) {
        self.known.remove(&key(path.as_str()));
    }

    fn content_look(&self, size: u64, mtime_ns: i64) -> u64 {
        let mut hasher = self.hash.build_hasher();
        hasher.write_u64(size);
        hasher.write_i64(mtime_ns);
        hasher.finish() & !MARKS
    }

    fn inode_look(&self, stat: &FileStat) -> u64 {
        let mut hasher = self.hash.build_hasher();
        hasher.write_u64(stat.inode);
        hasher.write_i64(stat.ctime_ns);
        (hasher.finish() & !ASSUMED).max(RACY + 1)
    }
}

/// What stands for a path where a million of them have to be kept: half of its sha256. Two paths with
/// one key would hide a file from every scan: hence a cryptographic hash.
#[must_use]
pub fn key(path: &str) -> u128 {
    let (half, _) = Digest::of(path.as_bytes())
        .as_bytes()
        .split_first_chunk::<16>()
        .map(|(half, rest)| (*half, rest.len()))
        .expect("a sha256 has 32 bytes");
    u128::from_ne_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: i64 = 1_000_000_000_000;

    fn path() -> UploadPath {
        UploadPath::parse("a/b.jpg").unwrap()
    }

    fn stat() -> FileStat {
        FileStat { size: 10, mtime_ns: 5, ctime_ns: 6, inode: 7, mode: 0o644 }
    }

    fn row(file_size: u64, mtime_ns: i64) -> IndexRow {
        IndexRow {
            id: 1,
            original_path: path().to_string(),
            file_size,
            mtime_ns,
            access_is_old: true,
            has_data: true,
        }
    }

    #[test]
    fn an_old_access_is_told_once() {
        let mut index = Index::default();
        index.note_stored(&row(10, 5));
        assert_eq!(index.scanned(&path(), &stat()), Look::Same);
        assert!(index.take_old_access(&path()));
        assert!(!index.take_old_access(&path()));
        assert_eq!(index.scanned(&path(), &stat()), Look::Same);
    }

    #[test]
    fn the_echo_of_a_restore_is_passed_over() {
        let mut index = Index::default();
        index.note_restored(&path(), &stat());
        assert_eq!(index.notified(&path(), &stat()), Look::Same);
    }

    #[test]
    fn what_the_database_has_lost_is_stored_again() {
        let other = UploadPath::parse("other.jpg").unwrap();
        let mut index = Index::default();
        index.note_stored(&row(10, 5));
        index.note_seen(&path(), &stat(), LATER);
        index.begin_refresh();
        index.note_seen(&other, &stat(), LATER); // Stored while the entries were read.
        index.end_refresh();
        assert_eq!(index.scanned(&path(), &stat()), Look::New);
        assert_eq!(index.scanned(&other, &stat()), Look::Same);
        index.note_stored(&row(10, 5));
        index.note_stored(&IndexRow { has_data: false, ..row(10, 5) });
        assert_eq!(index.scanned(&path(), &stat()), Look::New);
    }

    #[test]
    fn a_new_path_is_read() {
        let mut index = Index::default();
        assert_eq!(index.scanned(&path(), &stat()), Look::New);
        assert_eq!(index.notified(&path(), &stat()), Look::New);
    }

    #[test]
    fn an_entry_of_the_database_is_trusted_by_a_scan_and_not_by_an_event() {
        let mut index = Index::default();
        index.note_stored(&row(10, 5));
        assert_eq!(index.notified(&path(), &stat()), Look::Changed);
        assert_eq!(index.scanned(&path(), &stat()), Look::Same);
        // From then on the inode is known, and a replaced file shows by it.
        assert_eq!(index.scanned(&path(), &stat()), Look::Same);
        let replaced = FileStat { inode: 8, ..stat() };
        assert_eq!(index.scanned(&path(), &replaced), Look::Changed);
        assert_eq!(index.scanned(&path(), &FileStat { size: 11, ..stat() }), Look::Changed);
    }

    #[test]
    fn a_file_replaced_before_the_first_scan_is_read_when_its_event_comes() {
        let mut index = Index::default();
        index.note_stored(&row(10, 5));
        let replaced = FileStat { inode: 8, ..stat() };
        // Size and mtime are the stored ones: a scan cannot know better, an event can.
        assert_eq!(index.scanned(&path(), &replaced), Look::Same);
        assert_eq!(index.notified(&path(), &replaced), Look::Changed);
        index.note_seen(&path(), &replaced, LATER);
        assert_eq!(index.notified(&path(), &replaced), Look::Same);
    }

    #[test]
    fn a_file_read_right_after_its_change_is_read_again() {
        let mut index = Index::default();
        index.note_seen(&path(), &stat(), stat().ctime_ns + TIMESTAMP_GRAIN_NS - 1);
        assert_eq!(index.notified(&path(), &stat()), Look::Changed);
        assert_eq!(index.scanned(&path(), &stat()), Look::Changed);
        index.note_seen(&path(), &stat(), LATER);
        assert_eq!(index.notified(&path(), &stat()), Look::Same);
        assert_eq!(index.scanned(&path(), &stat()), Look::Same);
    }

    #[test]
    fn a_file_of_before_its_clock_was_set_back_is_read_once() {
        let mut index = Index::default();
        // A file server's clock is a little ahead of ours.
        index.note_seen(&path(), &stat(), stat().ctime_ns - CLOCKS_APART_NS);
        assert_eq!(index.scanned(&path(), &stat()), Look::Changed);
        index.note_seen(&path(), &stat(), stat().ctime_ns - CLOCKS_APART_NS - 1);
        assert_eq!(index.scanned(&path(), &stat()), Look::Same);
    }

    #[test]
    fn reading_the_database_again_keeps_what_was_seen() {
        let mut index = Index::default();
        index.note_seen(&path(), &stat(), LATER);
        index.note_stored(&row(10, 5));
        assert_eq!(index.notified(&path(), &stat()), Look::Same);
        // Another instance has stored another content since.
        index.note_stored(&row(12, 9));
        assert_eq!(index.scanned(&path(), &stat()), Look::Changed);
    }
}
