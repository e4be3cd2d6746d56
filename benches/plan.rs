//! What is decided at a start, without a disk and without a database: the plan of a restore of 100,000 entries, and
//! what a scan asks the index about as many files.
//!
//!     cargo bench --bench plan

use divan::Bencher;
use divan::counter::ItemsCount;
use imagecached::model::plan::Plan;
use imagecached::model::{FileStat, Index, IndexRow, Look, Stock, UploadPath, index};

const ENTRIES: usize = 100_000;

fn main() {
    divan::main();
}

fn rows() -> Vec<IndexRow> {
    let row = |n: usize| IndexRow {
        id: n as i64,
        original_path: format!("products/{:03}/a-picture-as-people-name-it-{n}.jpg", n % 500),
        file_size: 80_000 + n as u64,
        mtime_ns: n as i64,
        access_is_old: false,
        has_data: true,
    };
    (0..ENTRIES).map(row).collect()
}

fn on_disk(rows: &[IndexRow]) -> Stock {
    rows.iter().map(|row| index::key(&row.original_path)).collect()
}

fn planned(rows: &[IndexRow], on_disk: &Stock) -> Plan {
    let mut plan = Plan::default();
    for row in rows {
        plan.consider(row, |path| on_disk.contains(path));
    }
    plan
}

#[divan::bench]
fn nothing_is_missing(bencher: Bencher<'_, '_>) {
    let rows = rows();
    let disk = on_disk(&rows);
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(|| {
        let plan = planned(&rows, &disk);
        assert_eq!((plan.present, plan.missing.len()), (ENTRIES as u64, 0));
        plan
    });
}

#[divan::bench]
fn everything_is_missing(bencher: Bencher<'_, '_>) {
    let (rows, disk) = (rows(), Stock::default());
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(|| {
        let plan = planned(&rows, &disk);
        assert!(!plan.batches(4 << 20, 256).is_empty());
        plan
    });
}

/// The index as it is filled from the database.
#[divan::bench]
fn index_is_filled(bencher: Bencher<'_, '_>) {
    let rows = rows();
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(|| {
        let mut index = Index::default();
        rows.iter().for_each(|row| index.note_stored(row));
        assert_eq!(index.len(), ENTRIES);
        index
    });
}

/// A scan that finds every file as it is stored.
#[divan::bench]
fn scan_asks_the_index(bencher: Bencher<'_, '_>) {
    let rows = rows();
    let mut index = Index::default();
    rows.iter().for_each(|row| index.note_stored(row));
    let files: Vec<(UploadPath, FileStat)> = rows
        .iter()
        .map(|row| {
            let (size, mtime_ns) = (row.file_size, row.mtime_ns);
            let stat = FileStat { size, mtime_ns, ctime_ns: 1, inode: row.id as u64, mode: 0o644 };
            (UploadPath::parse(&row.original_path).expect("a sound path"), stat)
        })
        .collect();
    bencher.counter(ItemsCount::new(ENTRIES)).bench_local(|| {
        let same = files.iter().filter(|(path, stat)| index.scanned(path, stat) == Look::Same);
        assert_eq!(same.count(), ENTRIES);
    });
}
