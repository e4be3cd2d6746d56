//! What stores say when they refuse: status, headers and body, in one reading for all of them.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;

use crate::remote::error::{Failure, Trouble};

/// Most of a refusal's body that is read.
pub(super) const MOST_BYTES: usize = 16 << 10;

/// Most characters of a store's words that are passed on.
const MOST_CHARACTERS: usize = 300;

/// Puts a refusal into our terms.
pub(super) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let said = said(headers, body);
    let trouble = trouble(status, &said);
    let words = [&said.code, &said.message].map(|words| tidy(words));
    let words: Vec<&str> =
        words.iter().map(String::as_str).filter(|words| !words.is_empty()).collect();
    let cause = match (&*words.join(": "), status.is_redirection()) {
        ("", true) => format!("{status}: it sends us elsewhere, as for a wrong region or address"),
        ("", false) => status.to_string(),
        (words, _) => format!("{}: {words}", status.as_u16()),
    };
    Failure { retry_after: retry_after(headers), ..Failure::new(trouble, cause) }
}

/// What a refusal says beside its status.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    code: String,
    message: String,
}

/// S3, Google and Azure answer in XML, Cloudinary in JSON or, where it delivers, in a header.
fn said(headers: &HeaderMap, body: &[u8]) -> Said {
    let text = String::from_utf8_lossy(body);
    if let Ok(json) = serde_json::from_str::<Value>(&text) {
        let error = &json["error"];
        let message = error["message"].as_str().or_else(|| error.as_str()).unwrap_or_default();
        return Said { code: String::new(), message: message.to_owned() };
    }
    if let Some(error) = headers.get("x-cld-error").and_then(|error| error.to_str().ok()) {
        return Said { code: String::new(), message: error.to_owned() };
    }
    Said { code: element(&text, "Code"), message: element(&text, "Message") }
}

/// The text of the first element of this name.
fn element(xml: &str, name: &str) -> String {
    let inside = |xml: &str| {
        let (_, rest) = xml.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once("</")?;
        Some(
            text.replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&amp;", "&"),
        )
    };
    inside(xml).unwrap_or_default()
}

fn trouble(status: StatusCode, said: &Said) -> Trouble {
    match (status.as_u16(), said.code.as_str()) {
        // A bucket that is not there is an operator's matter; an object that is not there is not.
        (_, "NoSuchBucket" | "ContainerNotFound") => Trouble::Denied,
        (_, "SlowDown" | "RequestLimitExceeded" | "ServerBusy") => Trouble::Throttled,
        (_, "EntityTooLarge" | "MaxMessageLengthExceeded") => Trouble::TooLarge,
        (413, _) => Trouble::TooLarge,
        (400, "") if names_a_size(&said.message) => Trouble::TooLarge,
        // S3 says 400 to a wrong key or region too, and to a clock that is wrong.
        (
            400 | 403,
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "InvalidToken"
            | "ExpiredToken"
            | "RequestTimeTooSkewed"
            | "AuthorizationHeaderMalformed",
        )
        | (401 | 403, _) => Trouble::Denied,
        (400, "RequestTimeout") | (408, _) => Trouble::Away,
        (404 | 410, _) => Trouble::Missing,
        (420 | 429, _) => Trouble::Throttled,
        (500..=599, _) => Trouble::Away,
        _ => Trouble::Other,
    }
}

/// Cloudinary: `File size too large. Got 104857601. Maximum is 10485760.`
fn names_a_size(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("file size") || message.contains("too large")
}

/// How long the store wants to be left alone: `Retry-After` in seconds or as a date (RFC 9110), or
/// Cloudinary's `X-FeatureRateLimit-Reset`, a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let until = |date: &str| {
        let moment = http_date(date)?;
        Some(moment.duration_since(SystemTime::now()).unwrap_or_default())
    };
    let given = value(RETRY_AFTER.as_str());
    given
        .and_then(|text| text.parse().ok().map(Duration::from_secs).or_else(|| until(text)))
        .or_else(|| until(value("x-featureratelimit-reset")?))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7), or the same moment as RFC 3339 has it.
fn http_date(text: &str) -> Option<SystemTime> {
    if let Ok(moment) = humantime::parse_rfc3339_weak(text.trim_end_matches(" UTC")) {
        return Some(moment);
    }
    let [_, day, month, year, time, _] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = MONTHS.find(month).filter(|_| month.len() == 3)? / 3 + 1;
    let text = format!("{year}-{month:02}-{day:0>2}T{time}Z");
    humantime::parse_rfc3339(&text).ok()
}

/// A store's words, fit for one line of a log: short, and without what was signed.
fn tidy(words: &str) -> String {
    // Cloudinary repeats the string that it wanted signed, and the signature that it got.
    let words = match words.find("Invalid Signature") {
        Some(at) => &words[..at + "Invalid Signature".len()],
        None => words,
    };
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    match line.char_indices().nth(MOST_CHARACTERS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Failure {
        refusal(StatusCode::from_u16(status).unwrap(), &HeaderMap::new(), body.as_bytes())
    }

    fn s3(code: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>a &lt;b&gt;</Message></Error>"
        )
    }

    #[test]
    fn refusals_become_kinds_of_trouble() {
        let plan =
            r#"{"error":{"message":"File size too large. Got 104857601. Maximum is 10485760."}}"#;
        for (status, body, trouble) in [
            (403, s3("SignatureDoesNotMatch"), Trouble::Denied),
            (403, s3("AccessDenied"), Trouble::Denied),
            (404, s3("NoSuchKey"), Trouble::Missing),
            (404, s3("NoSuchBucket"), Trouble::Denied),
            (503, s3("SlowDown"), Trouble::Throttled),
            (400, s3("EntityTooLarge"), Trouble::TooLarge),
            (400, s3("AuthorizationHeaderMalformed"), Trouble::Denied),
            (400, s3("InvalidPart"), Trouble::Other),
            (400, plan.to_owned(), Trouble::TooLarge),
            (
                400,
                r#"{"error":{"message":"Missing required parameter - file"}}"#.to_owned(),
                Trouble::Other,
            ),
            (401, String::new(), Trouble::Denied),
            (420, String::new(), Trouble::Throttled),
            (429, String::new(), Trouble::Throttled),
            (500, "<html>".to_owned(), Trouble::Away),
            (301, String::new(), Trouble::Other),
        ] {
            assert_eq!(read(status, &body).trouble, trouble, "{status} {body}");
        }
        assert_eq!(read(403, &s3("AccessDenied")).cause, "403: AccessDenied: a <b>");
        assert_eq!(read(500, "<html>").cause, "500 Internal Server Error");
    }

    #[test]
    fn what_was_signed_is_not_repeated() {
        let body = r#"{"error":{"message":"Invalid Signature 4ab1. String to sign - 'public_id=x&timestamp=1'."}}"#;
        assert_eq!(read(401, body).cause, "401: Invalid Signature");
        let long = format!("{{\"error\":{{\"message\":\"{}\"}}}}", "é\\n".repeat(900));
        assert!(read(400, &long).cause.chars().count() < 320);
    }

    #[test]
    fn the_wish_to_be_left_alone_is_read() {
        let asked = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(asked("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let far = asked("x-featureratelimit-reset", "Fri, 01 Jan 2100 00:00:00 GMT").unwrap();
        assert!(far > Duration::from_secs(86_400), "{far:?}");
        assert!(asked("x-featureratelimit-reset", "2100-01-01 00:00:00 UTC").is_some());
        assert_eq!(asked("retry-after", "soon"), None);
        let moment = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(moment.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 784_111_777);
    }
}
