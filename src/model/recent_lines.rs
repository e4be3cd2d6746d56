//! The last lines of the log, for the panel.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::model::Timestamp;

/// As many lines are kept.
pub const KEPT: usize = 200;

/// Characters of a text in a line; more are cut off.
const LONGEST: usize = 2_000;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Importance {
    Info,
    Warn,
    Error,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Counts up from 1, for as long as the process runs.
    pub number: u64,
    /// By this machine's clock.
    #[serde(serialize_with = "as_text")]
    pub at: Timestamp,
    pub level: Importance,
    /// The stable name, as docs/logs.md lists it; empty for lines of other crates.
    pub event: String,
    /// For people.
    pub message: String,
    /// The other fields, as text.
    pub fields: Vec<(String, String)>,
}

/// The last lines of importance `info` and above: the same that go to standard error, so no secret is in
/// them.
#[derive(Debug, Default)]
pub struct RecentLines(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<Line>,
    count: u64,
}

impl RecentLines {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a line, which gets its number here.
    pub fn push(&self, mut line: Line) {
        let texts = line.fields.iter_mut().map(|(_, value)| value);
        for text in texts.chain([&mut line.message]) {
            if let Some((end, _)) = text.char_indices().nth(LONGEST) {
                text.truncate(end);
                text.push('…');
            }
        }
        let mut kept = self.kept();
        kept.count += 1;
        line.number = kept.count;
        if kept.lines.len() == KEPT {
            kept.lines.pop_front();
        }
        kept.lines.push_back(line);
    }

    /// The number of the last line; 0 before the first. Cheap, for who waits for the next one.
    #[must_use]
    pub fn last_number(&self) -> u64 {
        self.kept().count
    }

    /// The lines after this number that are still kept, oldest first; all for 0.
    #[must_use]
    pub fn after(&self, number: u64) -> Vec<Line> {
        let kept = self.kept();
        kept.lines.iter().filter(|line| line.number > number).cloned().collect()
    }
}

fn as_text<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_numbered() {
        let lines = RecentLines::default();
        for n in 0..KEPT + 5 {
            lines.push(Line {
                number: 0,
                at: Timestamp(0),
                level: Importance::Info,
                event: "captured".into(),
                message: format!("{n}"),
                fields: vec![("path".into(), "پ".repeat(3_000))],
            });
        }
        assert_eq!(lines.last_number(), KEPT as u64 + 5);
        let all = lines.after(0);
        assert_eq!((all.len(), all[0].number, &*all[0].message), (KEPT, 6, "5"));
        assert_eq!(all[0].fields[0].1.chars().count(), LONGEST + 1);
        assert_eq!(lines.after(KEPT as u64 + 3).len(), 2);
        assert!(lines.after(u64::MAX).is_empty());
    }
}
