//! Cookies: read from a request, and written for an answer.

use axum::http::{HeaderMap, HeaderValue, header};

/// The value of a cookie.
pub fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// A cookie for the pages below `prefix`, kept for some seconds; for none, it goes.
///
/// No script reads it, and no other site makes a browser send it.
pub fn write(
    headers: &HeaderMap,
    prefix: &str,
    name: &str,
    value: &str,
    seconds: u64,
) -> HeaderValue {
    // A proxy in front that speaks TLS says so; then the cookie never travels without it.
    let secure = match headers.get("x-forwarded-proto") {
        Some(protocol) if protocol.as_bytes().eq_ignore_ascii_case(b"https") => "; Secure",
        _ => "",
    };
    let text = format!(
        "{name}={value}; Path={prefix}/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::try_from(text).expect("names and values of ours, and a checked prefix, are ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let value = "a=1; language=fa;b=".parse().unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, value)]);
        assert_eq!(read(&headers, "language"), Some("fa"));
        assert_eq!(read(&headers, "b"), Some(""));
        assert_eq!(read(&headers, "lang"), None);
    }

    #[test]
    fn a_cookie_is_for_us_alone() {
        let mut headers = HeaderMap::new();
        let plain = write(&headers, "/p", "a", "b", 9);
        assert_eq!(plain, "a=b; Path=/p/; Max-Age=9; HttpOnly; SameSite=Strict");
        headers.insert("x-forwarded-proto", "https".parse().unwrap());
        assert!(write(&headers, "", "a", "b", 9).to_str().unwrap().ends_with("; Secure"));
    }
}
