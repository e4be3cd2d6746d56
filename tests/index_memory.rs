//! What the index of a million entries takes, and the stock of as many names on the disk: a process of its own, so
//! that its memory is that of the one or the other.

use imagecached::model::index::{Index, key};
use imagecached::model::{IndexRow, Stock};

const ENTRIES: i64 = 300_000;

/// Bytes that this process has in memory, now and at its peak.
fn resident() -> (u64, u64) {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    };
    (bytes("VmRSS:"), bytes("VmHWM:"))
}

fn note_all(index: &mut Index) {
    for id in 0..ENTRIES {
        index.note_stored(&IndexRow {
            id,
            original_path: format!("products/{:03x}/{id}.jpg", id % 1000),
            file_size: id as u64,
            mtime_ns: id,
            access_is_old: false,
            has_data: true,
        });
    }
}

/// Peak bytes for each name.
fn stock_takes(before: u64) -> f64 {
    let mut keys = Vec::new();
    // One by one, as a walk finds them.
    for id in 0..ENTRIES {
        keys.push(key(&format!("products/{:03x}/{id}.jpg", id % 1000)));
    }
    let stock = Stock::new(keys);
    assert_eq!(stock.len() as i64, ENTRIES);
    (resident().1 - before) as f64 / ENTRIES as f64
}

#[test]
fn an_entry_takes_64_bytes_at_most_and_no_more_while_all_are_read_again() {
    let (before, _) = resident();
    let stock = stock_takes(before);
    println!("{stock:.1} bytes a name in the stock");
    assert!(stock <= 24.0, "{stock:.1} bytes a name");
    let (before, _) = resident();
    let mut index = Index::default();
    note_all(&mut index);
    let (after, _) = resident();
    index.begin_refresh();
    note_all(&mut index);
    index.end_refresh();
    assert_eq!(index.len() as i64, ENTRIES);
    let (_, peak) = resident();
    let each = |bytes: u64| (bytes - before) as f64 / ENTRIES as f64;
    println!("{:.1} bytes an entry, {:.1} at the peak", each(after), each(peak));
    assert!(each(peak) <= 64.0, "{:.1} bytes an entry", each(peak));
}
