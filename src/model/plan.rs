//! The plan of a restore: which entries become files. Pure: the disk and the rows come in as
//! arguments.

use crate::model::{IndexRow, UploadPath, upload_path::PathError};

/// As many refused entries are named.
const NAMED: usize = 20;

/// An entry whose file is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    pub id: i64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its `last_accessed` is due for renewal.
    pub access_is_old: bool,
}

/// What a restore will do, newest content first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub missing: Vec<Missing>,
    /// Bytes of all missing files.
    pub bytes: u64,
    /// Entries whose file is there.
    pub present: u64,
    /// Entries without bytes to restore from.
    pub without_data: u64,
    /// Entries that name something outside the upload directory, or nothing at all.
    pub refused: u64,
    /// Some of those, with the reason.
    pub refused_examples: Vec<(String, PathError)>,
}

impl Plan {
    /// Takes one entry into account. `is_on_disk` is asked for paths that are sound.
    pub fn consider(&mut self, row: &IndexRow, is_on_disk: impl FnOnce(&str) -> bool) {
        if let Err(why) = UploadPath::check(&row.original_path) {
            self.refused += 1;
            if self.refused_examples.len() < NAMED {
                self.refused_examples.push((row.original_path.clone(), why));
            }
        } else if is_on_disk(&row.original_path) {
            self.present += 1;
        } else if row.has_data {
            self.bytes += row.file_size;
            self.missing.push(Missing {
                id: row.id,
                bytes: row.file_size,
                access_is_old: row.access_is_old,
            });
        } else {
            self.without_data += 1;
        }
    }

    /// Parts of the plan, each of at most `bytes` and `rows`, in the plan's order. A file larger
    /// than `bytes` is a part of its own.
    #[must_use]
    pub fn batches(&self, bytes: u64, rows: usize) -> Vec<&[Missing]> {
        let mut batches = Vec::new();
        let mut start = 0;
        let mut weight = 0;
        for (at, missing) in self.missing.iter().enumerate() {
            if at > start && (weight + missing.bytes > bytes || at - start >= rows) {
                batches.push(&self.missing[start..at]);
                (start, weight) = (at, 0);
            }
            weight += missing.bytes;
        }
        if start < self.missing.len() {
            batches.push(&self.missing[start..]);
        }
        batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, path: &str, bytes: u64) -> IndexRow {
        IndexRow {
            id,
            original_path: path.into(),
            file_size: bytes,
            mtime_ns: 0,
            access_is_old: false,
            has_data: true,
        }
    }

    #[test]
    fn only_missing_files_with_bytes_are_planned() {
        let mut plan = Plan::default();
        plan.consider(&row(1, "a.jpg", 10), |_| false);
        plan.consider(&row(2, "b.jpg", 10), |_| true);
        plan.consider(&IndexRow { has_data: false, ..row(3, "c.jpg", 10) }, |_| false);
        for (id, path) in [(4, "../x"), (5, "/etc/x"), (6, "a\0b")] {
            plan.consider(&row(id, path, 10), |_| panic!("a hostile path was looked up"));
        }
        assert_eq!(plan.missing.iter().map(|m| m.id).collect::<Vec<_>>(), [1]);
        assert_eq!((plan.present, plan.without_data, plan.refused), (1, 1, 3));
        assert_eq!(plan.bytes, 10);
    }

    #[test]
    fn batches_keep_order_and_bounds() {
        let mut plan = Plan::default();
        for (id, bytes) in [(1, 4), (2, 4), (3, 4), (4, 100), (5, 1), (6, 1), (7, 1)] {
            plan.consider(&row(id, &format!("{id}.jpg"), bytes), |_| false);
        }
        let ids = |batches: Vec<&[Missing]>| {
            batches.iter().map(|b| b.iter().map(|m| m.id).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        let expected = [vec![1, 2], vec![3], vec![4], vec![5, 6], vec![7]];
        assert_eq!(ids(plan.batches(8, 2)), expected);
        assert!(Plan::default().batches(8, 2).is_empty());
    }
}
