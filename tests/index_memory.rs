//! What the index of a million entries takes: a process of its own, so that its memory is that of the index.

use imagecached::model::index::Index;
use imagecached::model::{IndexRow, Timestamp};

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
            updated_at: Timestamp(0),
            access_is_old: false,
            has_data: true,
        });
    }
}

#[test]
fn an_entry_takes_64_bytes_at_most_and_no_more_while_all_are_read_again() {
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
