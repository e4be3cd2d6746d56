//! The stock: which names there are on the disk, in little memory and quickly asked.
//!
//! A million names are kept as half a sha256 each ([`key`]), sorted: 16 bytes a name. In a hash table they
//! would take up to 38, and half as much again while it grows. A table of where each part of the range of keys
//! begins makes the answer one look into that table, and one at a few keys that lie together.

use crate::model::index::key;

/// Keys in each part of the range, about: what fits into two lines of a processor's cache.
const IN_A_PART: usize = 8;

/// A set of names that stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Stock {
    keys: Vec<u128>,
    /// Where the keys of each part begin, and at last where all end.
    starts: Vec<u32>,
    /// What is left of a key when this many bits are taken off is its part.
    shift: u32,
}

impl Stock {
    /// The stock of these keys.
    #[must_use]
    pub fn new(mut keys: Vec<u128>) -> Self {
        keys.sort_unstable();
        let parts = (keys.len() / IN_A_PART).next_power_of_two().max(2);
        let shift = u128::BITS - parts.ilog2();
        let mut starts = Vec::with_capacity(parts + 1);
        for (at, key) in keys.iter().enumerate() {
            let part = (key >> shift) as usize;
            // A directory tree with so many names would not fit into the memory as keys.
            let at = u32::try_from(at).expect("fewer than four thousand million names");
            starts.resize(starts.len().max(part + 1), at);
        }
        starts.resize(parts + 1, u32::try_from(keys.len()).unwrap_or(u32::MAX));
        Self { keys, starts, shift }
    }

    /// Whether there is this name.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        self.contains_key(key(path))
    }

    /// How many names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn contains_key(&self, key: u128) -> bool {
        if self.is_empty() {
            return false;
        }
        let part = (key >> self.shift) as usize;
        let (start, end) = (self.starts[part] as usize, self.starts[part + 1] as usize);
        self.keys[start..end].binary_search(&key).is_ok()
    }
}

impl FromIterator<u128> for Stock {
    fn from_iter<I: IntoIterator<Item = u128>>(keys: I) -> Self {
        Self::new(keys.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_there_is_found_and_nothing_else() {
        for count in [0, 1, 2, 7, 8, 9, 100, 5_000] {
            let name = |n: u32| format!("products/{n}.jpg");
            let stock: Stock = (0..count).map(|n| key(&name(n))).collect();
            assert_eq!(stock.is_empty(), count == 0);
            assert!((0..count).all(|n| stock.contains(&name(n))), "{count}");
            assert!(!(count..count + 1_000).any(|n| stock.contains(&name(n))), "{count}");
        }
    }

    proptest! {
        /// Wherever the keys lie: all in one part, at the ends of the range, twice.
        #[test]
        fn any_keys_are_found(
            keys in prop::collection::vec(prop_oneof![0..9_u128, any::<u128>(), u128::MAX - 9..], 0..99),
            other: u128,
        ) {
            let stock = Stock::new(keys.clone());
            for key in &keys {
                prop_assert!(stock.contains_key(*key));
            }
            prop_assert_eq!(stock.contains_key(other), keys.contains(&other));
        }
    }
}
