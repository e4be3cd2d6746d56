//! What the line of waiting files costs when a flood of 100,000 has come: to note each, to hand it out in a fair
//! order, and to take it back.
//!
//!     cargo bench --bench settle

use std::time::{Duration, Instant};

use divan::Bencher;
use divan::counter::ItemsCount;
use imagecached::model::UploadPath;
use imagecached::model::settle::{Outcome, Rules, Settle, Sign};

const FILES: usize = 100_000;
const RULES: Rules = Rules { quiet: Duration::from_secs(2), held_open: Duration::from_secs(60) };

fn main() {
    divan::main();
}

/// Into so many directories: one archive, a year's days, or a directory each.
const DIRECTORIES: [usize; 3] = [1, 365, FILES];

fn paths(directories: usize) -> Vec<UploadPath> {
    let path = |n: usize| format!("import/{}/picture-{n}.jpg", n % directories);
    (0..FILES).map(|n| UploadPath::parse(&path(n)).expect("a sound path")).collect()
}

fn noted(paths: &[UploadPath], sign: Sign, now: Instant) -> Settle {
    let mut settle = Settle::new(RULES, FILES, 2);
    for path in paths {
        assert!(settle.note(path.clone(), sign, now), "there is room");
    }
    settle
}

#[divan::bench(args = DIRECTORIES)]
fn noted_and_handed_out(bencher: Bencher<'_, '_>, directories: usize) {
    let (paths, now) = (paths(directories), Instant::now());
    bencher.counter(ItemsCount::new(FILES)).bench_local(|| {
        let mut settle = noted(&paths, Sign::Closed, now);
        while let Some(due) = settle.next(now) {
            settle.report(&due.path, Outcome::Done, now);
        }
        assert_eq!(settle.unsaved(), 0);
    });
}

/// An event of each file, again and again, while all wait: a copy that goes on.
#[divan::bench(args = DIRECTORIES)]
fn noted_again(bencher: Bencher<'_, '_>, directories: usize) {
    let (paths, now) = (paths(directories), Instant::now());
    let mut settle = noted(&paths, Sign::Closed, now);
    bencher.counter(ItemsCount::new(FILES)).bench_local(|| {
        for path in &paths {
            settle.note(path.clone(), Sign::Touched, now);
        }
    });
}

/// One new file at a time, while a backlog has to wait for its pace.
#[divan::bench]
fn new_ones_beside_a_backlog_that_rests(bencher: Bencher<'_, '_>) {
    let (paths, now) = (paths(365), Instant::now());
    let mut settle = Settle::new(RULES, 2 * FILES, 2);
    for path in &paths {
        settle.note(path.clone(), Sign::Scanned, now);
    }
    let new = UploadPath::parse("new/upload.jpg").expect("a sound path");
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        settle.note(new.clone(), Sign::Closed, now);
        let due = settle.next_new(now).expect("it is due");
        settle.report(&due.path, Outcome::Done, now);
    });
}
