//! A moment as the database's clock gave it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970, UTC; shown as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl From<Timestamp> for SystemTime {
    fn from(moment: Timestamp) -> Self {
        let distance = Duration::from_micros(moment.0.unsigned_abs());
        let moved = if moment.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        moved.unwrap_or(UNIX_EPOCH)
    }
}

impl Timestamp {
    /// RFC 3339 with microseconds: whoever gives it back means this very moment.
    #[must_use]
    pub fn exact(self) -> String {
        if SHOWN.contains(&self.0) {
            humantime::format_rfc3339_micros(self.into()).to_string()
        } else {
            self.to_string()
        }
    }
}

/// humantime refuses years outside 1970..=9999: such a moment is shown as its number.
const SHOWN: std::ops::RangeInclusive<i64> = 0..=253_402_300_799_999_999;

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if SHOWN.contains(&self.0) {
            humantime::format_rfc3339_seconds((*self).into()).fmt(f)
        } else {
            write!(f, "{}us", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_as_rfc_3339() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(1_700_000_000_123_456).to_string(), "2023-11-14T22:13:20Z");
        assert_eq!(Timestamp(1_700_000_000_123_456).exact(), "2023-11-14T22:13:20.123456Z");
        assert_eq!(Timestamp(-1).exact(), "-1us");
        assert_eq!(Timestamp(-1).to_string(), "-1us");
        assert_eq!(Timestamp(i64::MAX).to_string(), format!("{}us", i64::MAX));
    }
}
