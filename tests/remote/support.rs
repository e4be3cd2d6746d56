//! What the cases need: stores as the settings make them, contents of any size, and both ways.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use imagecached::model::{Digest, Hasher, ObjectStore};
use imagecached::remote::{self, Limits, Mark, NewObject, Remote, RemoteError, Source, Uploaded};
use imagecached::settings::{Sources, load};

pub const BUCKET: &str = "imagecached-test";
pub const KEY_ID: &str = "imagecached-test-key";
pub const SECRET: &str = "imagecached-test-s3cret";

/// A server that the tests need, by the variable that names it.
pub fn server(variable: &str) -> String {
    std::env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} is not set: run this by tests/with-services"))
}

/// A store as the settings make it of an environment.
pub fn store(environment: &[(&str, &str)]) -> ObjectStore {
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let sources = Sources { environment, working_dir: "/".into(), ..Sources::default() };
    let loaded = load(&sources).unwrap_or_else(|error| panic!("{error}"));
    loaded.settings.remote.store.expect("a store is set")
}

/// A bucket on a server, below a prefix that no other test has.
pub fn bucket(endpoint: &str) -> ObjectStore {
    let prefix = unique();
    store(&[
        ("IMAGECACHED_OBJECT_STORE", &format!("s3://{BUCKET}/{prefix}")),
        ("AWS_ENDPOINT", endpoint),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
    ])
}

pub fn unique() -> String {
    format!("t{:016x}", getrandom::u64().unwrap())
}

/// Less patience than on the internet.
pub fn limits() -> Limits {
    Limits {
        connect: Duration::from_secs(5),
        stalled: Duration::from_secs(2),
        answer: Duration::from_secs(20),
        silence: Duration::from_secs(2),
        in_silence: Duration::from_secs(10),
        slowest: (64 << 10, Duration::from_secs(10)),
        tries: 3,
        first_wait: Duration::from_millis(20),
        longest_wait: Duration::from_secs(2),
    }
}

pub fn open(store: &ObjectStore) -> Arc<dyn Remote> {
    remote::open_with(store, limits()).unwrap()
}

/// As [`open`], for what is asked of real servers: they may be busy with other tests.
pub fn open_patiently(store: &ObjectStore) -> Arc<dyn Remote> {
    let long = Duration::from_secs(30);
    let limits = Limits { stalled: long, silence: long, in_silence: 3 * long, ..limits() };
    remote::open_with(store, limits).unwrap()
}

/// A content that is made while it is read.
pub struct Noise {
    left: u64,
    state: u64,
}

impl Noise {
    pub fn new(length: u64, seed: u64) -> Self {
        Self { left: length, state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    fn piece(&mut self) -> Option<Bytes> {
        let length = self.left.min(1 << 20) as usize;
        self.left -= length as u64;
        let mut piece = vec![0; length.next_multiple_of(8)];
        for word in piece.chunks_exact_mut(8) {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            word.copy_from_slice(&self.state.to_le_bytes());
        }
        piece.truncate(length);
        (length > 0).then(|| piece.into())
    }

    /// What to announce for it.
    pub fn object(length: u64, seed: u64) -> NewObject {
        let (mut noise, mut hasher) = (Self::new(length, seed), Hasher::default());
        while let Some(piece) = noise.piece() {
            hasher.update(&piece);
        }
        NewObject {
            sha256: hasher.finish(),
            length,
            mime: "image/jpeg".into(),
            name: "a b.jpg".into(),
        }
    }
}

#[async_trait]
impl Source for Noise {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.piece())
    }
}

pub async fn upload(remote: &dyn Remote, length: u64, seed: u64) -> Result<Uploaded, RemoteError> {
    remote.upload(&Noise::object(length, seed), &mut Noise::new(length, seed)).await
}

/// Downloads, and gives length and sha256 of what came.
pub async fn download(
    remote: &dyn Remote,
    url: &str,
    most: u64,
) -> Result<(u64, Digest), RemoteError> {
    let mut hasher = Hasher::default();
    let length = remote
        .download(url, most, &mut |piece| {
            hasher.update(piece);
            Ok(())
        })
        .await?;
    Ok((length, hasher.finish()))
}

/// Both ways, and what else there is to ask.
pub async fn round_trip(remote: &dyn Remote, length: u64, seed: u64) {
    let object = Noise::object(length, seed);
    let uploaded = upload(remote, length, seed).await.unwrap();
    assert!(!uploaded.was_there);
    assert_eq!(remote.content(&uploaded.url), Some(object.sha256));
    assert_eq!(remote.size(&uploaded.url).await.unwrap(), Some(length));
    let back = download(remote, &uploaded.url, length).await.unwrap();
    assert_eq!(back, (length, object.sha256));
    let again = upload(remote, length, seed).await.unwrap();
    assert_eq!(again, Uploaded { was_there: true, ..uploaded });
}

pub async fn listed(remote: &dyn Remote) -> Vec<(String, Digest, u64)> {
    let mut listed = Vec::new();
    remote
        .list(&mut |object| listed.push((object.url, object.content, object.size)))
        .await
        .unwrap();
    listed.sort_by_key(|(url, ..)| url.clone());
    listed
}

/// Marks are made once, told with their notes, and are no objects.
pub async fn marks_come_and_go(remote: &dyn Remote) {
    let mark = |name: &str, note: &str| Mark { name: name.into(), note: note.into() };
    assert_eq!(remote.marks().await.unwrap(), []);
    let ours = mark("0a1b-2c", "PostgreSQL db.example:5432/shop");
    let theirs = mark("ffff_Z", "MariaDB 10.0.0.7:3306/عکس");
    let since = remote.mark(&ours).await.unwrap();
    remote.mark(&theirs).await.unwrap();
    // A later one is not written.
    let again = remote.mark(&mark("0a1b-2c", "another note")).await.unwrap();
    assert_eq!(again, since);
    assert_eq!(remote.marks().await.unwrap(), [ours.clone(), theirs.clone()]);
    upload(remote, 100, 77).await.unwrap();
    assert_eq!(listed(remote).await.len(), 1);
    assert_eq!(remote.marks().await.unwrap().len(), 2);

    remote.unmark(&ours.name).await.unwrap();
    remote.unmark(&ours.name).await.unwrap();
    assert_eq!(remote.marks().await.unwrap(), [theirs]);
    assert_eq!(listed(remote).await.len(), 1);
    for name in ["", "..", "a/b", "../ab", "a.b"] {
        assert!(remote.mark(&mark(name, "x")).await.is_err(), "{name}");
        assert!(remote.unmark(name).await.is_err(), "{name}");
    }
    // A note that is empty is one, and many marks are known by their names.
    for n in 0..30 {
        remote.mark(&mark(&format!("m{n:02}"), "")).await.unwrap();
    }
    assert_eq!(remote.marks().await.unwrap().len(), 31);
}

/// Most memory that this process has had so far, bytes.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() << 10
}
