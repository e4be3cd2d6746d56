//! Reads, while everything goes on, what the database holds and what a restore has put on the disk.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use imagecached::payload::{ReadError, Reader};
use imagecached::store::{self, Options, Store, Target};

use crate::content::{Seal, seal_of};
use crate::random::Random;

/// A content that was seen under a path.
pub type Sight = (String, Option<Seal>);

/// What a sampler has seen.
#[derive(Debug, Default)]
pub struct Seen {
    pub samples: u64,
    pub sights: HashSet<Sight>,
    /// Entries whose bytes were not what their row says.
    pub damaged: Vec<String>,
}

/// A thread that looks until it is asked for what it has seen.
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
}

impl Sampler {
    /// Looks into the database, not through the proxy.
    pub fn of_database(target: Target, mut random: Random) -> Self {
        Self::spawn(move |stop| {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let limit = Duration::from_secs(1);
                let options = Options {
                    connections: 1,
                    acquire_timeout: limit,
                    call_timeout: limit,
                    versions: 0,
                };
                let store = store::open(&target, &options).expect("the URL is understood");
                let mut seen = Seen::default();
                while !stop.load(Ordering::SeqCst) {
                    // A database that is away is what this is about: the next look will tell.
                    let _ = look(store.as_ref(), &mut random, &mut seen).await;
                    tokio::time::sleep(Duration::from_millis(30)).await;
                }
                store.close().await;
                seen
            })
        })
    }

    /// Looks at all files beneath a directory.
    pub fn of_directory(root: PathBuf) -> Self {
        Self::spawn(move |stop| {
            let mut seen = Seen::default();
            while !stop.load(Ordering::SeqCst) {
                for entry in walkdir::WalkDir::new(&root).into_iter().flatten() {
                    let Ok(content) = fs::read(entry.path()) else { continue };
                    let path = entry.path().strip_prefix(&root).expect("beneath it");
                    seen.samples += 1;
                    seen.sights.insert((path.to_string_lossy().into_owned(), seal_of(&content)));
                }
                thread::sleep(Duration::from_millis(10));
            }
            seen
        })
    }

    fn spawn(look: impl FnOnce(&AtomicBool) -> Seen + Send + 'static) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let asked = stop.clone();
        Self { stop, thread: thread::spawn(move || look(&asked)) }
    }

    pub fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("a sampler does not panic")
    }
}

/// Reads some entries, chosen at random.
async fn look(store: &dyn Store, random: &mut Random, seen: &mut Seen) -> Result<(), ReadError> {
    let mut entries = Vec::new();
    store
        .index(&mut |row| {
            if row.has_data {
                entries.push((row.id, row.original_path));
            }
        })
        .await?;
    for _ in 0..entries.len().min(12) {
        let (id, path) = entries.swap_remove(random.index(entries.len()));
        match read(store, id).await {
            Ok(content) => {
                seen.samples += 1;
                seen.sights.insert((path, seal_of(&content)));
            }
            Err(ReadError::Removed | ReadError::Replaced) => {}
            Err(ReadError::Damaged(why)) => seen.damaged.push(format!("{path}: {why}")),
            Err(away) => return Err(away),
        }
    }
    Ok(())
}

async fn read(store: &dyn Store, id: i64) -> Result<Vec<u8>, ReadError> {
    let mut reader = Reader::open(store, None, id).await?;
    let mut content = Vec::new();
    while let Some(piece) = reader.next().await? {
        content.extend_from_slice(&piece);
    }
    Ok(content)
}
