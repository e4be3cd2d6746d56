//! Database URLs, as people and platforms write them. What is understood, the driver understands as well;
//! and no password is ever shown.
//!
//! The text is taken as it is. If it has three lines or more, a URL is also made of the first ones: scheme,
//! user and the rest.

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use imagecached::model::Target;
use imagecached::settings::{database_place, parse_database_url, redact};
use imagecached::store::{self, Options};
use tokio::runtime::{Builder, Runtime};

use super::SECRET;

/// Pools want one, even while they connect to nothing.
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().expect("a runtime"));

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    understood(text);
    let mut lines = text.lines();
    if let (Some(scheme), Some(user), Some(rest)) = (lines.next(), lines.next(), lines.next()) {
        // Otherwise what follows is not where a URL has its password.
        let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let in_its_place = is_scheme && !user.contains(['/', '?', '#', ':', '@']);
        if !in_its_place || [scheme, user, rest].iter().any(|part| part.contains(SECRET)) {
            return;
        }
        for password in [SECRET.to_owned(), format!("%41{SECRET}@#/?"), format!("{SECRET}%zz")] {
            shows_no_password(&format!("{scheme}://{user}:{password}@{rest}"));
        }
    }
}

fn understood(text: &str) {
    let _ = redact(text);
    let understood = match parse_database_url(text, Path::new("/app")) {
        Ok(understood) => understood,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = match &understood.target {
        Target::Sqlite(path) => return assert!(path.is_absolute(), "{path:?}"),
        Target::Postgres(url) | Target::MySql(url) => {
            parse_database_url(url, Path::new("/elsewhere"))
        }
    };
    let again =
        again.unwrap_or_else(|error| panic!("what we made of {text:?} is refused: {error}"));
    assert_eq!(database_place(&again.target), database_place(&understood.target), "{text:?}");
    let options = Options {
        connections: 1,
        acquire_timeout: Duration::from_secs(1),
        call_timeout: Duration::from_secs(1),
        versions: 0,
    };
    let _guard = RUNTIME.enter();
    if let Err(error) = store::open(&understood.target, &options) {
        panic!("{text:?} is understood, but not by the driver: {error}");
    }
}

fn shows_no_password(url: &str) {
    let hides = |shown: &str, by: &str| {
        assert!(!shown.contains(SECRET), "the password is in {by} of {url:?}: {shown}");
    };
    hides(&redact(url), "redact");
    match parse_database_url(url, Path::new("/app")) {
        // A file's name is no secret.
        Ok(understood) if matches!(understood.target, Target::Sqlite(_)) => {}
        Ok(understood) => {
            hides(&format!("{:?}", understood.target), "Debug");
            hides(&understood.notes.join("\n"), "the notes");
            hides(&database_place(&understood.target), "the place");
        }
        Err(error) => hides(&error.to_string(), "the refusal"),
    }
}
