//! Sizes as people write and read them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes: `5MiB` (1,024 based), `5MB` (1,000 based), `0`, `1.5 GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

/// A text that is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a size: write a number and a unit, such as 512KiB, 5MiB or 1GB (or 0)")]
pub struct SizeError;

const UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
];

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit = unit.trim().to_ascii_lowercase();
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(SizeError)?;
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(*factor).map(Self).ok_or(SizeError);
        }
        let number: f64 = number.parse().map_err(|_| SizeError)?;
        let bytes = number * (*factor as f64);
        // 2^53: from there on a float no longer tells single bytes apart.
        if bytes.is_finite() && (0.0..9_007_199_254_740_992.0).contains(&bytes) {
            Ok(Self(bytes.round() as u64))
        } else {
            Err(SizeError)
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        for (name, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if bytes >= factor {
                let value = bytes as f64 / factor as f64;
                return if bytes.is_multiple_of(factor) {
                    write!(f, "{} {name}", bytes / factor)
                } else {
                    write!(f, "{value:.1} {name}")
                };
            }
        }
        write!(f, "{bytes} B")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [
            ("0", 0),
            ("5MiB", 5 << 20),
            ("5 mib", 5 << 20),
            ("1.5KiB", 1_536),
            ("10MB", 10_000_000),
            ("77", 77),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in [
            "",
            "MiB",
            "5 apples",
            "-1",
            "1..2KiB",
            "99999999999999999999",
            "1e9",
            "99999999999GiB",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text:?} was read");
        }
    }

    #[test]
    fn sizes_are_shown_short() {
        for (bytes, text) in [(0, "0 B"), (1_023, "1023 B"), (5 << 20, "5 MiB"), (1_600, "1.6 KiB")]
        {
            assert_eq!(ByteSize(bytes).to_string(), text);
        }
    }
}
