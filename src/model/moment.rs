//! A past moment as people write it: a date, a date and a time, or how long ago.

use std::time::Duration;

use crate::model::Timestamp;
use crate::model::calendar::{Date, day_of};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// This machine's clock and the database's may differ by so much: a moment that one of them has given is not
/// in the future of the other.
const CLOCKS_DIFFER: i64 = 3_600 * SECOND;

/// Why a text is no past moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It is written in no way that is known.
    #[error(
        "{0:?} is no time: write 2026-11-20, \"2026-11-20 14:00\", 2026-11-20T14:00:05Z, or how long ago, \
         such as 3d; times are in UTC unless they say otherwise"
    )]
    Unknown(String),
    /// Such a day or time of the day does not exist.
    #[error("{0:?} is no time: there is no such day, or no such time of the day")]
    Impossible(String),
    /// Long before anything was stored.
    #[error("{0:?} lies before 1970; years are those of the Gregorian calendar")]
    TooOld(String),
    /// Nobody knows what will be.
    #[error("{0:?} lies in the future; now it is {1}")]
    Future(String, Timestamp),
}

/// Reads a moment. A date alone is its first moment; without a zone, times are in UTC.
///
/// # Errors
/// With what can be written instead.
pub fn parse(text: &str, now: Timestamp) -> Result<Timestamp, MomentError> {
    let shown = || text.to_owned();
    let trimmed = text.trim();
    let moment = if is_date(trimmed) {
        let (date, rest) = trimmed.split_at(10);
        let day = day(date).ok_or_else(|| MomentError::Impossible(shown()))?;
        let of_day = match rest.strip_prefix([' ', 'T', 't']) {
            None if rest.is_empty() => 0,
            None => return Err(MomentError::Unknown(shown())),
            Some(rest) => {
                let (time, zone) = split_zone(rest.trim_start());
                let zone = offset(zone).ok_or_else(|| MomentError::Unknown(shown()))?;
                let time = time_of_day(time).ok_or_else(|| MomentError::Unknown(shown()))?;
                time.ok_or_else(|| MomentError::Impossible(shown()))? - zone
            }
        };
        day * DAY + of_day
    } else {
        let length = trimmed.strip_suffix("ago").unwrap_or(trimmed).trim_end();
        let length =
            humantime::parse_duration(length).map_err(|_| MomentError::Unknown(shown()))?;
        now.0.saturating_sub(micros(length))
    };
    if moment < 0 {
        Err(MomentError::TooOld(shown()))
    } else if moment > now.0.saturating_add(CLOCKS_DIFFER) {
        Err(MomentError::Future(shown(), now))
    } else {
        Ok(Timestamp(moment))
    }
}

/// Whether a text begins as `2026-11-20` does.
fn is_date(text: &str) -> bool {
    let form = b"dddd-dd-dd";
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    text.len() >= form.len() && text.as_bytes().iter().zip(form).all(fits)
}

/// The number of a day.
fn day(text: &str) -> Option<i64> {
    let year = text[..4].parse().ok()?;
    day_of(Date { year, month: text[5..7].parse().ok()?, day: text[8..].parse().ok()? })
}

/// A time of the day, and its zone.
fn split_zone(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.');
    let (time, zone) = text.split_at(at.unwrap_or(text.len()));
    (time, zone.trim())
}

/// `14:00`, `14:00:05`, `14:00:05.25`: microseconds since midnight. `None` when it is written otherwise,
/// `Some(None)` when no day has such a time.
fn time_of_day(text: &str) -> Option<Option<i64>> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, micros_of(fraction)?),
        None => (text, 0),
    };
    let mut parts = whole.split(':').map(two_digits);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = match parts.next() {
        Some(second) => second?,
        None if text.contains('.') => return None,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    let exists = hour < 24 && minute < 60 && second < 60;
    Some(exists.then(|| ((hour * 60 + minute) * 60 + second) * SECOND + fraction))
}

/// The digits behind the point; those beyond microseconds are left out.
fn micros_of(digits: &str) -> Option<i64> {
    let is_number = (1..=9).contains(&digits.len()) && digits.bytes().all(|d| d.is_ascii_digit());
    is_number.then(|| format!("{digits:0<6}")[..6].parse().ok()).flatten()
}

/// Microseconds that a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.is_empty() || ["z", "utc", "gmt"].contains(&zone.to_ascii_lowercase().as_str()) {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    (hours < 24 && minutes < 60).then(|| sign * (hours * 60 + minutes) * 60 * SECOND)
}

fn two_digits(text: &str) -> Option<i64> {
    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22, 20:00.
    const NOW: Timestamp = Timestamp(1_795_377_600 * SECOND);

    #[test]
    fn what_people_write_is_read() {
        for (text, exact) in [
            ("2026-11-20", "2026-11-20T00:00:00.000000Z"),
            (" 2026-11-20 14:00 ", "2026-11-20T14:00:00.000000Z"),
            ("2026-11-20 14:00:05", "2026-11-20T14:00:05.000000Z"),
            ("2026-11-20T14:00:05Z", "2026-11-20T14:00:05.000000Z"),
            ("2026-11-20t14:00:05.25z", "2026-11-20T14:00:05.250000Z"),
            ("2026-11-20T14:00:05.123456789Z", "2026-11-20T14:00:05.123456Z"),
            ("2026-11-20T14:00:05+03:30", "2026-11-20T10:30:05.000000Z"),
            ("2026-11-20 14:00 -0800", "2026-11-20T22:00:00.000000Z"),
            ("2026-11-20 14:00 +01", "2026-11-20T13:00:00.000000Z"),
            ("2026-11-20 14:00 UTC", "2026-11-20T14:00:00.000000Z"),
            ("2024-02-29", "2024-02-29T00:00:00.000000Z"),
            ("1970-01-01", "1970-01-01T00:00:00.000000Z"),
            ("3d", "2026-11-19T20:00:00.000000Z"),
            ("3 days ago", "2026-11-19T20:00:00.000000Z"),
            ("1h 30m", "2026-11-22T18:30:00.000000Z"),
            ("0s", "2026-11-22T20:00:00.000000Z"),
            ("2026-11-22 20:30", "2026-11-22T20:30:00.000000Z"),
        ] {
            assert_eq!(parse(text, NOW).map(Timestamp::exact).as_deref(), Ok(exact), "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for micros in [0, 1_700_000_000_123_456, NOW.0] {
            assert_eq!(parse(&Timestamp(micros).exact(), NOW), Ok(Timestamp(micros)));
        }
    }

    #[test]
    fn what_is_no_moment_is_told() {
        for text in [
            "",
            "now",
            "yesterday",
            "3",
            "20.11.2026",
            "2026-11",
            "2026-11-20x",
            "2026-11-20 14",
            "2026-11-20 14:00:05:06",
            "2026-11-20 14:00.5",
            "2026-11-20 2:00",
            "2026-11-20 14:00 Tehran",
            "2026-11-20 14:00+3",
            "2026-11-20T14:00:05.Z",
            "-3d",
            "۲۰۲۶",
        ] {
            assert_eq!(parse(text, NOW), Err(MomentError::Unknown(text.into())), "{text}");
        }
        for text in ["2026-02-29", "2026-13-01", "2026-11-20 24:00", "2026-11-20 12:60"] {
            assert_eq!(parse(text, NOW), Err(MomentError::Impossible(text.into())), "{text}");
        }
        for text in ["1405-08-29", "1969-12-31", "60y"] {
            assert_eq!(parse(text, NOW), Err(MomentError::TooOld(text.into())), "{text}");
        }
        let future = parse("2062-11-20", NOW).unwrap_err().to_string();
        assert_eq!(future, "\"2062-11-20\" lies in the future; now it is 2026-11-22T20:00:00Z");
    }
}
