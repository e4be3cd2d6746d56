//! A past moment, as a command is given it.

use std::time::SystemTime;

use crate::model::moment::{self, MomentError};
use crate::model::{Timestamp, UploadPath};
use crate::store::Timeline;

/// Reads the argument of `--as-of`.
pub fn parse(text: &str) -> Result<Timestamp, MomentError> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    moment::parse(text, Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
}

/// That a path has no version of this number.
pub fn no_version(path: &UploadPath, number: i64) -> String {
    format!(
        "{path} has no version {number}; `imagecached versions {path}` shows those that are kept"
    )
}

/// For people: nothing is kept of a path.
pub fn never_stored(path: &UploadPath) -> String {
    format!(
        "{path} is not in the cache, and no former content of it is kept; `imagecached list` shows what is \
         there"
    )
}

/// For people: why a path has no content of this time.
pub fn none_at(path: &UploadPath, time: Timestamp, timeline: &Timeline) -> String {
    let time = time.exact();
    let first = timeline.contents.iter().map(|content| content.entry.created_at).min();
    match first {
        None => never_stored(path),
        Some(first) if first.exact() > time => {
            format!("{path} had no content at {time}: it was stored first at {}", first.exact())
        }
        Some(_) => format!(
            "{path} had no content at {time}, as far as is known; `imagecached versions {path}` shows what it \
             had, and when"
        ),
    }
}
