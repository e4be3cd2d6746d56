//! A story that every test begins with: one path with five contents, each in another place, and a neighbour
//! that came and went meanwhile.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use imagecached::model::entry::{ChunkSet, NewEntry, NewPayload};
use imagecached::model::version::Trash;
use imagecached::model::{Digest, FileStat, Timestamp, UploadPath, base64};
use imagecached::remote::NewObject;
use imagecached::store::{Content, Store};
use serde_json::Value;

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::noise::noise;
use crate::support::program::Sandbox;

/// The path of the five contents.
pub const CHANGED: &str = "shop/red shoe.jpg";
/// Stored after the second of them, in the trash after the fourth.
pub const DELETED: &str = "shop/deleted.txt";
/// Stored last.
pub const LATER: &str = "later.txt";

const MIB: usize = 1 << 20;

pub struct Story {
    pub sandbox: Sandbox,
    pub place: Place,
    pub store: Arc<dyn Store>,
    /// The contents of [`CHANGED`], oldest first.
    pub contents: Vec<Vec<u8>>,
}

pub fn path(text: &str) -> UploadPath {
    UploadPath::parse(text).expect("a path")
}

/// The look that the file had with its n-th content.
pub fn look(number: usize) -> (i64, u32) {
    let modes = [0o600, 0o640, 0o644, 0o604, 0o444];
    (1_600_000_000_000_000_000 + number as i64 * 1_000_000_007, modes[number])
}

impl Story {
    pub fn tell(kind: Kind) -> Self {
        let place = Place::directory();
        let sandbox = place.sandbox(kind);
        sandbox.ok(&["migrate"]);
        let store = sandbox.block_on(async { sandbox.database.open_keeping(20) });
        let lengths = [700, MIB / 2, 2 * MIB + 5, 30_000, 900];
        let contents = (1..).zip(lengths).map(|(seed, length)| noise(seed, length)).collect();
        let story = Self { sandbox, place, store, contents };
        for number in 0..story.contents.len() {
            story.store(CHANGED, number, &story.contents[number]);
            match number {
                1 => story.store(DELETED, 4, b"deleted"),
                3 => story.delete(DELETED),
                _ => {}
            }
        }
        story.store(LATER, 4, b"later");
        story
    }

    /// Stores a content as the n-th: each number is another place.
    pub fn store(&self, at: &str, number: usize, bytes: &[u8]) {
        // A database that counts milliseconds must not take two contents for those of one moment.
        std::thread::sleep(Duration::from_millis(3));
        self.sandbox.block_on(async {
            let payload = self.payload(number, bytes).await;
            let (mtime_ns, mode) = look(number);
            let size = bytes.len() as u64;
            let stat = FileStat { size, mtime_ns, ctime_ns: 0, inode: 1, mode };
            let entry = NewEntry {
                path: path(at),
                owner: None,
                rewrite: false,
                mime: "image/jpeg".into(),
                sha256: Digest::of(bytes),
                stat,
                payload,
            };
            self.store.put(&[entry]).await.expect("it is stored");
        });
    }

    async fn payload(&self, number: usize, bytes: &[u8]) -> NewPayload {
        static SETS: AtomicI64 = AtomicI64::new(1);
        let set = ChunkSet(SETS.fetch_add(1, Ordering::Relaxed));
        match number {
            1 => NewPayload::OneChunk(set, bytes.to_vec()),
            2 => {
                let chunks: Vec<_> = bytes.chunks(MIB).map(<[u8]>::to_vec).collect();
                self.store.write_chunks(set, 0, &chunks).await.expect("chunks");
                NewPayload::Chunks(set)
            }
            3 => {
                let object = NewObject {
                    sha256: Digest::of(bytes),
                    length: bytes.len() as u64,
                    mime: "image/jpeg".into(),
                    name: "shoe.jpg".into(),
                };
                let source = &mut Some(Bytes::copy_from_slice(bytes));
                let uploaded = self.place.open().upload(&object, source).await;
                NewPayload::Url(uploaded.expect("an object").url)
            }
            _ => NewPayload::Inline(base64::encode(bytes)),
        }
    }

    /// Moves a path's entry to the trash.
    pub fn delete(&self, at: &str) {
        std::thread::sleep(Duration::from_millis(3));
        self.sandbox.block_on(async {
            let stored = self.store.stored(&[path(at)]).await.expect("an answer");
            let id = stored[&path(at)].id;
            assert_eq!(self.store.trash(&[id.into()], Trash::Deleted).await.expect("trash"), 1);
        });
    }

    /// All that is kept of a path, newest first.
    pub fn kept(&self, at: &str) -> Vec<Content> {
        let timeline = self.sandbox.block_on(self.store.timeline(&path(at)));
        timeline.expect("a timeline").contents
    }

    /// Since when [`CHANGED`] had its n-th content.
    pub fn since(&self, number: usize) -> Timestamp {
        let kept = self.kept(CHANGED);
        kept[self.contents.len() - 1 - number].entry.updated_at
    }

    /// What a command prints to standard output, its exit code, and what it says besides.
    pub fn run(&self, args: &[&str]) -> (i32, Vec<u8>, String) {
        let output = self.sandbox.output(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().expect("an exit code"), output.stdout, said)
    }

    /// The same for `restore --as-of`, which prints JSON.
    pub fn restore(&self, time: Timestamp, to: &str) -> (i32, Value, String) {
        let args = ["restore", "--json", "--as-of", &time.exact(), "--to", to];
        let (code, told, said) = self.run(&args);
        (code, serde_json::from_slice(&told).unwrap_or_default(), said)
    }

    /// A path beside the upload directory, where nothing is yet.
    pub fn beside(&self, name: &str) -> (PathBuf, String) {
        let directory = self.sandbox.beside().join(name);
        let text = directory.to_str().expect("UTF-8").to_owned();
        (directory, text)
    }

    pub fn end(self) {
        self.sandbox.block_on(self.store.close());
        self.sandbox.remove();
    }
}

/// A microsecond earlier.
pub fn before(time: Timestamp) -> Timestamp {
    Timestamp(time.0 - 1)
}
