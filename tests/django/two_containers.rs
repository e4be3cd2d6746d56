//! During a deploy the old and the new container run side by side on one database.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::samples::{Sample, samples};
use crate::shop::{Shop, Uploaded};
use crate::support::database::Kind;
use crate::support::program::wait_until;

on_each_database!(old_and_new_container_lose_nothing);

fn old_and_new_container_lose_nothing(kind: Kind) {
    let shop = Shop::new(kind);
    let old = shop.open();
    let mut uploads: Vec<_> = samples().iter().map(|sample| old.site.upload(sample)).collect();
    shop.sandbox.wait_for_entries(uploads.len());

    let (during, closing) = (Mutex::new(Vec::<Uploaded>::new()), AtomicBool::new(false));
    let new = thread::scope(|scope| {
        let (site, during, closing) = (old.site.clone(), &during, &closing);
        scope.spawn(move || {
            for n in 0.. {
                if closing.load(Ordering::Relaxed) {
                    return;
                }
                let sample = Sample::document(&format!("to the old {n}.txt"), 20_000);
                during.lock().unwrap().push(site.upload(&sample));
            }
        });
        wait_until("uploads to the old one", || during.lock().unwrap().len() >= 5);
        let new = shop.open_on(&shop.empty_disk("new"));
        new.assert_serves(&uploads);
        uploads.push(new.site.upload(&Sample::document("to the new.txt", 20_000)));
        let now = during.lock().unwrap().len();
        wait_until("more uploads", || during.lock().unwrap().len() >= now + 5);
        closing.store(true, Ordering::Relaxed);
        new
    });
    uploads.extend(during.into_inner().unwrap());
    let (status, log) = old.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.lines().last().is_some_and(|last| last.contains("unsaved=0")), "{log}");
    let (status, log) = new.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.lines().last().is_some_and(|last| last.contains("unsaved=0")), "{log}");

    let next = shop.open_on(&shop.empty_disk("next"));
    next.assert_serves(&uploads);
    assert_eq!(next.found.len(), uploads.len());
    let (status, log) = next.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    shop.sandbox.remove();
}
