//! The brake: deletes that look like an accident are not taken for anybody's wish.
//!
//! A volume that is unmounted, a cleaning script in the wrong directory, a deploy that empties the disk:
//! to the kernel all of them are deletes like any other. What tells them apart is that there are many.

use std::fmt;

/// As many may vanish whatever share of all they are: in a cache of five files, two deletes are no
/// accident, and nobody is helped by a brake that always holds.
pub const FEW: u64 = 10;

/// How much may vanish within the grace time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Brake {
    /// Of all files that the cache holds, 0 to 1. [`FEW`] are never too many.
    pub share: f64,
    /// Files, however many the cache holds.
    pub count: u64,
}

/// What made the brake hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Braked {
    /// More than it lets through.
    TooMany { vanished: u64, all: u64 },
    /// More than can be remembered, files that are not stored among them.
    TooManyNames,
    /// The upload directory is not as it was; why.
    UploadDir(String),
    /// Not everything that happened was heard; why.
    Unheard(String),
}

impl Brake {
    /// Whether it lets these deletes pass; `all` is how many files the cache holds, they included.
    #[must_use]
    pub fn passes(&self, vanished: u64, all: u64) -> bool {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let share = (all as f64 * self.share) as u64;
        vanished <= share.max(FEW).min(self.count)
    }
}

impl fmt::Display for Braked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany { vanished, all } => {
                write!(f, "{vanished} of {all} files vanished at once")
            }
            Self::TooManyNames => f.write_str("more files vanished at once than can be remembered"),
            Self::UploadDir(why) => f.write_str(why),
            Self::Unheard(why) => write!(f, "the watcher has missed events: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_and_a_number_hold_and_a_few_always_pass() {
        let brake = Brake { share: 0.1, count: 1_000 };
        for (vanished, all, passes) in [
            (2, 5, true),
            (10, 10, true),
            (11, 50, false),
            (50, 500, true),
            (51, 500, false),
            (1_000, 1_000_000, true),
            (1_001, 1_000_000, false),
        ] {
            assert_eq!(brake.passes(vanished, all), passes, "{vanished} of {all}");
        }
    }

    #[test]
    fn the_number_alone_can_be_set() {
        let brake = Brake { share: 1.0, count: 3 };
        assert!(brake.passes(3, 4));
        assert!(!brake.passes(4, 4));
    }
}
