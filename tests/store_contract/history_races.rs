//! Former entries where instances meet, and where connections are cut.

use super::history::{bytes_of, history_rows, listed, trash, versions};
use super::*;

pub async fn instances_that_meet_lose_no_content(_: &dyn Store, database: &Database) {
    let instances = [database.open_keeping(50), database.open_keeping(50)];
    let mut tasks = tokio::task::JoinSet::new();
    for (task, store) in instances.iter().cloned().enumerate() {
        tasks.spawn(async move {
            for round in 0..8_u64 {
                // In two of three rounds the paths are new to both.
                let at = |n: u64| format!("{}/{n}", round - round % 3 / 2);
                let bytes = |n: u64| format!("{task} {round} {n}").into_bytes();
                let mut batch: Vec<_> = (0..6).map(|n| entry(&at(n), &bytes(n), 1)).collect();
                if task == 1 {
                    batch.reverse();
                }
                store.put(&batch).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let store = &*instances[0];
    let mut found: Vec<String> = listed(store).await.into_iter().map(|it| it.sha256).collect();
    let former = store.history(&HistoryQuery::default()).await.unwrap().versions;
    found.extend(former.into_iter().map(|version| version.entry.sha256));
    assert_eq!(found.len(), 2 * 8 * 6, "a content was lost, or kept twice");
    assert_eq!(HashSet::<String>::from_iter(found).len(), 2 * 8 * 6);
    for instance in instances {
        instance.close().await;
    }
}

pub async fn only_one_of_two_undeletes_it(store: &dyn Store, database: &Database) {
    let other = database.open();
    let all: Vec<UploadPath> = (0..40).map(|n| path(&format!("{n}.jpg"))).collect();
    let batch: Vec<_> = all.iter().map(|at| entry(at.as_str(), b"bytes", 1)).collect();
    store.put(&batch).await.unwrap();
    let leaving: Vec<Leaving> = index(store).await.iter().map(|row| row.id.into()).collect();
    store.trash(&leaving, Trash::Deleted).await.unwrap();
    let backwards: Vec<UploadPath> = all.iter().rev().cloned().collect();
    let (one, two) = tokio::join!(store.undelete(&all), other.undelete(&backwards));
    for (one, two) in one.unwrap().iter().zip(two.unwrap().iter().rev()) {
        let both = [one, two];
        let restored = both.iter().filter(|it| matches!(it, Undeleted::Restored(_))).count();
        assert_eq!((restored, both.contains(&&Undeleted::Occupied)), (1, true), "{both:?}");
    }
    assert_eq!((index(store).await.len(), history_rows(database).await), (40, 0));
    other.close().await;
}

pub async fn a_cut_makes_no_second_version(_: &dyn Store, database: &Database) {
    let store = &*database.open_keeping(50);
    let bytes = |n: u64| noise(n, 1_000);
    store.put(&[entry("a", &bytes(0), 1)]).await.unwrap();
    for n in 1..6 {
        database.cut_connections().await;
        store.put(&[entry("a", &bytes(n), 1)]).await.unwrap();
        // As after an answer that was lost on its way.
        assert_eq!(store.put(&[entry("a", &bytes(n), 1)]).await.unwrap(), [false]);
    }
    let kept = bytes_of(store, &versions(store, "a").await).await;
    assert!(kept == (0..5).rev().map(bytes).collect::<Vec<_>>());
    database.cut_connections().await;
    trash(store, "a", Trash::Removed).await;
    database.cut_connections().await;
    let back = store.undelete(&[path("a")]).await.unwrap();
    assert_eq!(back, [Undeleted::Restored(id(store, "a").await)]);
    assert!(contents(store).await["a"] == bytes(5));
    store.close().await;
}
