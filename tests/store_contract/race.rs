//! Uploads against removals of the same objects.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::*;

/// Contents that all tasks quarrel about.
const CONTENTS: u64 = 2;

/// A pretended object store, and what the tasks have met.
#[derive(Default)]
struct Scene {
    objects: Mutex<HashSet<u64>>,
    /// Granted claims that have not been given back, for each content.
    granted: Mutex<HashMap<u64, u64>>,
    refused: AtomicU64,
    begun: AtomicU64,
    uploads_are_done: AtomicBool,
}

impl Scene {
    fn has(&self, content: u64) -> bool {
        self.objects.lock().unwrap().contains(&content)
    }

    fn claimed(&self, content: u64) -> u64 {
        *self.granted.lock().unwrap().entry(content).or_default()
    }
}

fn bytes(content: u64) -> Vec<u8> {
    content.to_le_bytes().to_vec()
}

/// Uploads and removes, again and again: while its entry stands, the object must be there.
async fn upload(store: Arc<dyn Store>, scene: Arc<Scene>, task: u64) {
    for round in 0..12 {
        let content = (task + round) % CONTENTS;
        let bytes = bytes(content);
        let Some(claim) = store.claim(Digest::of(&bytes)).await.unwrap() else {
            scene.refused.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            continue;
        };
        *scene.granted.lock().unwrap().entry(content).or_default() += 1;
        scene.objects.lock().unwrap().insert(content);
        let at = format!("{task}/{round}");
        store.put(&[remote(&at, &bytes)]).await.unwrap();
        *scene.granted.lock().unwrap().entry(content).or_default() -= 1;
        store.release(&[claim]).await.unwrap();
        assert!(scene.has(content), "an entry without its object");
        let id = id(&*store, &at).await;
        assert!(scene.has(content), "an entry without its object");
        store.remove(&[id]).await.unwrap();
    }
}

/// Removes what is loose, until there is nothing more to come.
async fn clear(store: Arc<dyn Store>, scene: Arc<Scene>) {
    loop {
        let last = scene.uploads_are_done.load(Ordering::Relaxed);
        let loose = store.loose(10).await.unwrap();
        if last && loose.is_empty() {
            return;
        }
        for object in loose {
            if store.begin_removal(&object).await.unwrap() != Removal::Begun {
                continue;
            }
            scene.begun.fetch_add(1, Ordering::Relaxed);
            let is_it = |content: &u64| Digest::of(&bytes(*content)) == object.content;
            let content = (0..CONTENTS).find(is_it).unwrap();
            assert_eq!(scene.claimed(content), 0, "begun in spite of a claim");
            let query = ListQuery { payload: Some(PayloadKind::Url), ..ListQuery::default() };
            let entries = store.list(&query).await.unwrap();
            let digest = object.content.to_string();
            assert!(entries.iter().all(|entry| entry.sha256 != digest), "begun under an entry");
            scene.objects.lock().unwrap().remove(&content);
            assert_eq!(scene.claimed(content), 0, "claimed in spite of a removal");
            store.end_removal(&object).await.unwrap();
        }
    }
}

pub async fn claims_and_removals_exclude_each_other(_: &dyn Store, database: &Database) {
    let instances = [database.open(), database.open()];
    let scene = Arc::new(Scene::default());
    let instance = |task: u64| Arc::clone(&instances[task as usize % 2]);
    let mut removers = tokio::task::JoinSet::new();
    for task in 0..2 {
        removers.spawn(clear(instance(task), Arc::clone(&scene)));
    }
    let mut uploaders = tokio::task::JoinSet::new();
    for task in 0..3 {
        uploaders.spawn(upload(instance(task), Arc::clone(&scene), task));
    }
    uploaders.join_all().await;
    scene.uploads_are_done.store(true, Ordering::Relaxed);
    removers.join_all().await;
    assert!(scene.objects.lock().unwrap().is_empty(), "an object was forgotten");
    assert_ne!(scene.begun.load(Ordering::Relaxed), 0, "the test removes nothing");
    println!("{:?} removals, {:?} claims refused", scene.begun, scene.refused);
    for instance in instances {
        instance.close().await;
    }
}
