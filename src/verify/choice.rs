//! Which entries are verified: pure, but for reading the index.

use crate::model::IndexRow;
use crate::model::names::Names;
use crate::model::scratch::is_scratch;
use crate::store::{Store, StoreError};

/// An entry that is to be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    pub id: i64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Which entries are meant.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Paths and patterns; `None` for all.
    pub names: Option<Names>,
    /// A part of them; `None` for the whole.
    pub sample: Option<Sample>,
}

/// A part of all entries, at random: an entry is in it by its id alone, so that nothing need be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Makes another choice of the same size.
    pub seed: u64,
    /// Of the numbers that ids are hashed to, those from here on …
    pub from: u64,
    /// … up to here, this one included.
    pub to: u64,
}

impl Sample {
    /// A share of all entries, above 0 and up to 1.
    #[must_use]
    pub fn share(share: f64, seed: u64) -> Self {
        // Rounded at the end of the range, where `as` takes the nearest number that there is.
        Self { seed, from: 0, to: (share * u64::MAX as f64) as u64 }
    }

    /// One of `parts` equal parts, counted from 0; together they are everything.
    #[must_use]
    pub fn part(part: u64, parts: u64) -> Self {
        let size = u64::MAX / parts;
        let to = if part + 1 == parts { u64::MAX } else { size * (part + 1) - 1 };
        Self { seed: 0, from: size * part, to }
    }

    /// Whether a row of this id is in it.
    pub(super) fn takes_id(&self, id: i64) -> bool {
        self.takes(hash(id, self.seed))
    }

    fn takes(&self, hash: u64) -> bool {
        (self.from..=self.to).contains(&hash)
    }
}

/// What an id is hashed to: evenly, and for neighbours far apart (the finisher of splitmix64).
fn hash(id: i64, seed: u64) -> u64 {
    let mut hash = (id as u64).wrapping_add(seed).wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Collects what a selection takes.
struct Choice<'s> {
    selection: &'s Selection,
    chosen: Vec<Chosen>,
    /// The entry that is nearest to a sample that would have none.
    nearest: Option<(u64, Chosen)>,
}

impl Choice<'_> {
    fn consider(&mut self, row: &IndexRow) {
        let names = &self.selection.names;
        // What a doctor or a self-test has in the tables at this moment is no upload.
        if is_scratch(&row.original_path)
            || names.as_ref().is_some_and(|names| !names.takes(&row.original_path))
        {
            return;
        }
        let entry = Chosen { id: row.id, bytes: row.file_size };
        let Some(sample) = &self.selection.sample else {
            self.chosen.push(entry);
            return;
        };
        let hash = hash(row.id, sample.seed);
        if sample.takes(hash) {
            self.chosen.push(entry);
        } else if self.nearest.is_none_or(|(nearest, _)| hash < nearest) {
            self.nearest = Some((hash, entry));
        }
    }
}

/// Reads the index and chooses; of a share at least one, where there is any.
pub async fn choose(store: &dyn Store, selection: &Selection) -> Result<Vec<Chosen>, StoreError> {
    let mut choice = Choice { selection, chosen: Vec::new(), nearest: None };
    store.index(&mut |row| choice.consider(&row)).await?;
    let is_share = selection.sample.is_some_and(|sample| sample.from == 0);
    if let (true, true, Some((_, nearest))) = (is_share, choice.chosen.is_empty(), choice.nearest) {
        choice.chosen.push(nearest);
    }
    Ok(choice.chosen)
}

/// Parts of at most so many bytes and entries; an entry that is larger comes alone.
pub fn batches(chosen: &[Chosen], (bytes, entries): (u64, usize)) -> Vec<&[Chosen]> {
    let mut batches = Vec::new();
    let (mut start, mut weight) = (0, 0);
    for (at, entry) in chosen.iter().enumerate() {
        if at > start && (weight + entry.bytes > bytes || at - start >= entries) {
            batches.push(&chosen[start..at]);
            (start, weight) = (at, 0);
        }
        weight = entry.bytes.saturating_add(weight);
    }
    if start < chosen.len() {
        batches.push(&chosen[start..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose_of(ids: i64, selection: &Selection) -> Vec<i64> {
        let mut choice = Choice { selection, chosen: Vec::new(), nearest: None };
        for id in 1..=ids {
            choice.consider(&IndexRow {
                id,
                original_path: format!("{id}.jpg"),
                file_size: 1,
                mtime_ns: 0,
                access_is_old: false,
                has_data: true,
            });
        }
        choice.chosen.iter().map(|entry| entry.id).collect()
    }

    fn sampled(sample: Sample) -> Selection {
        Selection { sample: Some(sample), ..Selection::default() }
    }

    #[test]
    fn a_share_is_about_as_large_as_it_says() {
        for seed in 0..5 {
            let one = choose_of(20_000, &sampled(Sample::share(0.01, seed))).len();
            assert!((140..=260).contains(&one), "1% of 20,000 gave {one}");
        }
        let other = |seed| choose_of(20_000, &sampled(Sample::share(0.01, seed)));
        assert_ne!(other(1), other(2));
        assert_eq!(choose_of(500, &sampled(Sample::share(1.0, 3))).len(), 500);
    }

    #[test]
    fn the_parts_are_disjoint_and_together_everything() {
        let parts = (0..64).map(|part| choose_of(10_000, &sampled(Sample::part(part, 64))));
        let mut all: Vec<i64> = parts.inspect(|part| assert!(part.len() < 300)).flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (1..=10_000).collect::<Vec<_>>());
        assert_eq!(choose_of(10, &sampled(Sample::part(0, 1))).len(), 10);
    }

    #[test]
    fn batches_keep_their_bounds() {
        let chosen = [4, 4, 4, 100, 1, 1, 1].map(|bytes| Chosen { id: 1, bytes });
        let sizes: Vec<_> = batches(&chosen, (8, 2)).iter().map(|batch| batch.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 2, 1]);
    }
}
