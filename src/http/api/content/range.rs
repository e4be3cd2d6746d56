//! Conditions and ranges, as RFC 9110 has them. One range; more, and what is no range at all, mean all.

use std::ops::Range;

use axum::http::{HeaderMap, header};

/// Which bytes are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    All,
    /// Never empty.
    Part(Range<u64>),
    /// Only such as are not there.
    Nothing,
}

/// Whether the client has this content already (`If-None-Match`).
pub fn has(headers: &HeaderMap, etag: &str) -> bool {
    let told =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    told.flat_map(|list| list.split(',')).any(|one| {
        let one = one.trim();
        one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag
    })
}

/// The bytes that `Range` asks for, of a content of this size; all of them where `If-Range` has another.
pub fn wanted(headers: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let same =
        headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let mut ranges = headers.get_all(header::RANGE).iter();
    match (ranges.next().and_then(|value| value.to_str().ok()), ranges.next()) {
        (Some(range), None) if same => parse(range, size),
        _ => Wanted::All,
    }
}

fn parse(text: &str, size: u64) -> Wanted {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than a number takes are a position beyond every end.
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((unit, range)) = text.split_once('=') else { return Wanted::All };
    let Some((first, last)) = range.trim().split_once('-') else { return Wanted::All };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Wanted::All;
    }
    let (start, end) = match (first.is_empty(), last.is_empty()) {
        (true, true) => return Wanted::All,
        (true, false) => match number(last) {
            Some(count) => (size.saturating_sub(count), size),
            None => return Wanted::All,
        },
        (false, _) => {
            let Some(start) = number(first) else { return Wanted::All };
            let end = match number(last) {
                Some(last) if last >= start => last.saturating_add(1).min(size),
                None if last.is_empty() => size,
                _ => return Wanted::All,
            };
            (start, end)
        }
    };
    if start < end { Wanted::Part(start..end) } else { Wanted::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read() {
        for (text, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("Bytes=3-5", Wanted::Part(3..6)),
            ("bytes=-4", Wanted::Part(6..10)),
            ("bytes=-40", Wanted::Part(0..10)),
            ("bytes=9-99999999999999999999999", Wanted::Part(9..10)),
            ("bytes=10-", Wanted::Nothing),
            ("bytes=99999999999999999999999-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=5-3", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=a-b", Wanted::All),
            ("bytes=+1-2", Wanted::All),
            ("bytes=-", Wanted::All),
            ("lines=0-1", Wanted::All),
            ("0-1", Wanted::All),
        ] {
            assert_eq!(parse(text, 10), wanted, "{text}");
        }
        assert_eq!(parse("bytes=0-", 0), Wanted::Nothing);
    }

    #[test]
    fn conditions_are_heeded() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=0-1".parse().unwrap());
        assert_eq!(wanted(&headers, "\"a\"", 9), Wanted::Part(0..2));
        headers.insert(header::IF_RANGE, "\"b\"".parse().unwrap());
        assert_eq!(wanted(&headers, "\"a\"", 9), Wanted::All);
        assert!(!has(&headers, "\"a\""));
        headers.insert(header::IF_NONE_MATCH, "\"x\", W/\"a\"".parse().unwrap());
        assert!(has(&headers, "\"a\"") && !has(&headers, "\"c\""));
    }
}
