//! The disk is thrown away, and every upload is there again before the app is.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;

use imagecached::store::ListQuery;

use crate::samples::{Sample, samples};
use crate::shop::{Container, Shop, Uploaded, snapshot};
use crate::support::database::Kind;
use crate::support::program::wait_until;

on_each_database!(
    uploads_survive_a_deploy,
    uploads_survive_a_kill,
    uploads_under_way_at_a_stop_survive_if_they_were_answered,
);

fn uploads_survive_a_deploy(kind: Kind) {
    let shop = Shop::new(kind);
    let container = shop.open();
    assert!(container.found.is_empty());
    let uploads: Vec<_> = samples().iter().map(|sample| container.site.upload(sample)).collect();
    let before = snapshot(&shop.sandbox.uploads);
    assert_eq!(before.len(), uploads.len());

    let (status, log) = container.stop();
    assert_eq!(status.code(), Some(0), "gunicorn ends with 0 after a TERM:\n{log}");
    let last = log.lines().last().unwrap_or_default();
    assert!(last.contains("event=drained") && last.contains("unsaved=0"), "{log}");

    shop.sandbox.wipe();
    assert_all_back(&shop, &uploads, &before, &log);
    shop.sandbox.remove();
}

fn uploads_survive_a_kill(kind: Kind) {
    let mut shop = Shop::new(kind);
    shop.unfinished = "/dev/shm".into();
    let container = shop.open();
    let uploads: Vec<_> = samples().iter().map(|sample| container.site.upload(sample)).collect();
    let before = snapshot(&shop.sandbox.uploads);
    // What is in the database can no longer be lost. Django gives a file its time and its rights when it has closed it,
    // and that may be stored later than its bytes.
    let looks =
        before.iter().map(|(path, (_, mtime_ns, mode))| (path.clone(), *mtime_ns, mode & 0o7777));
    let looks: Vec<_> = looks.collect();
    wait_until("all files as they are", || stored_looks(&shop) == looks);
    container.running.signal_group(9);
    let (status, log) = container.running.wait();
    assert_eq!(status.code(), None, "killed");

    shop.sandbox.wipe();
    assert_all_back(&shop, &uploads, &before, &log);
    shop.sandbox.remove();
}

/// Of each entry, by their paths: the path, the time and the rights that a restore gives the file.
fn stored_looks(shop: &Shop) -> Vec<(String, i64, u32)> {
    let store = shop.sandbox.store();
    let entries = shop.sandbox.block_on(async {
        let entries = store.list(&ListQuery::default()).await.unwrap_or_default();
        store.close().await;
        entries
    });
    let looks = entries.into_iter().map(|it| (it.original_path, it.mtime_ns, it.mode));
    BTreeMap::from_iter(looks.map(|look| (look.0.clone(), look))).into_values().collect()
}

/// Starts a container on the emptied disk: the app finds everything as it was, and serves it.
/// `stored` is the log of the container before it.
fn assert_all_back(
    shop: &Shop,
    uploads: &[Uploaded],
    before: &BTreeMap<String, (Vec<u8>, i64, u32)>,
    stored: &str,
) {
    let mut container = shop.open();
    let paths: Vec<_> = before.keys().cloned().collect();
    let restored = container.running.log();
    assert_eq!(container.found, paths, "at its start\n{stored}\n\nthen\n\n{restored}");
    container.assert_serves(uploads);
    let after = snapshot(&shop.sandbox.uploads);
    for (path, (bytes, mtime_ns, mode)) in before {
        let (bytes_now, mtime_now, mode_now) = &after[path];
        assert!(bytes_now == bytes, "{path} has other bytes");
        assert_eq!((mtime_now, mode_now), (mtime_ns, mode), "{path}");
    }
    assert_eq!(after.len(), before.len());
    let cache = container.site.get("/image-cache/");
    let cache: serde_json::Value = serde_json::from_slice(&cache).expect("the shop speaks JSON");
    assert_eq!(cache["count"], before.len(), "as the app itself sees the image cache");
    let (status, log) = container.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("event=captured"), "a restored file is not an upload:\n{log}");
}

/// Heroku sends TERM to all processes at once, in the middle of whatever they do.
fn uploads_under_way_at_a_stop_survive_if_they_were_answered(kind: Kind) {
    let shop = Shop::new(kind);
    let Container { running, site, .. } = shop.open();
    let answered = Mutex::new(Vec::new());
    let (status, log) = thread::scope(|scope| {
        for visitor in 0..4 {
            let (site, answered) = (site.clone(), &answered);
            scope.spawn(move || {
                for n in 0.. {
                    let size = [300, 30_000, 300_000][n % 3];
                    let sample = Sample::document(&format!("visitor {visitor} file {n}.txt"), size);
                    match site.try_upload(&sample) {
                        Ok(uploaded) => answered.lock().unwrap().push(uploaded),
                        Err(_) => return, // The shop has closed.
                    }
                }
            });
        }
        wait_until("uploads under way", || answered.lock().unwrap().len() >= 40);
        running.signal_group(15);
        running.wait()
    });
    assert_eq!(status.code(), Some(0), "{log}");
    let last = log.lines().last().unwrap_or_default();
    assert!(last.contains("event=drained") && last.contains("unsaved=0"), "{log}");

    shop.sandbox.wipe();
    let container = shop.open();
    container.assert_serves(&answered.into_inner().unwrap());
    let (status, log) = container.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    shop.sandbox.remove();
}

#[test]
fn the_exit_code_is_gunicorn_s() {
    let shop = Shop::new(Kind::Sqlite);
    let mut app = vec![crate::shop::python()];
    app.extend(["-m", "gunicorn", "no_such.wsgi", "--bind", "127.0.0.1:0"].map(Into::into));
    let output = shop.run_command(&shop.sandbox.uploads, &app).output().expect("it starts");
    assert_eq!(output.status.code(), Some(3), "gunicorn's code for a worker that cannot boot");
    shop.sandbox.remove();
}
