//! Which of a path's rows was its content at a past moment: pure, and the same for all databases.

use crate::model::version::{Past, PastContent, PastRow, Version, Why};
use crate::model::{Entry, Timestamp};

/// All that is kept of one path, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    pub contents: Vec<Content>,
}

/// A content that a path has, or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub row: PastRow,
    /// The entry as it is, or was last. It has had this content since its `updated_at`.
    pub entry: Entry,
    /// When it ceased, and why; `None` for the present one.
    pub ended: Option<(Timestamp, Why)>,
}

/// What a path had at a past moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then<'t> {
    Content(&'t Content),
    /// It had a content, which nobody has kept.
    NotKept,
    /// As far as anything of it is kept, it had none.
    Nothing,
}

impl Timeline {
    /// Of a path's entry, and its former ones.
    #[must_use]
    pub fn new(present: Option<Entry>, former: Vec<Version>) -> Self {
        let present = present.map(|entry| {
            let row = PastRow::Entry(entry.id);
            Content { row, entry, ended: None }
        });
        let former = former.into_iter().map(|version| Content {
            row: PastRow::Version(version.entry.id),
            entry: version.entry,
            ended: Some((version.ended_at, version.why)),
        });
        Self { contents: present.into_iter().chain(former).collect() }
    }

    /// What the path had at this moment: as [`History::state_at`](super::History::state_at) tells it.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Then<'_> {
        let mut then = None;
        let mut note = |past| then = Some(past);
        let mut choice = Choice::new(time, &mut note);
        for content in &self.contents {
            if content.ended.is_none_or(|(ended, _)| ended > time) {
                choice.take(content.candidate());
            }
        }
        choice.tell();
        let Some(past) = then else { return Then::Nothing };
        let found = past.content.map(|found| found.row);
        match self.contents.iter().find(|content| Some(content.row) == found) {
            Some(content) => Then::Content(content),
            None => Then::NotKept,
        }
    }
}

impl Content {
    fn candidate(&self) -> PastCandidate {
        let entry = &self.entry;
        PastCandidate {
            original_path: entry.original_path.clone(),
            created_at: entry.created_at,
            content: PastContent {
                row: self.row,
                since: entry.updated_at,
                file_size: entry.file_size,
                sha256: entry.sha256.clone(),
                mtime_ns: entry.mtime_ns,
                mode: entry.mode,
                payload: entry.payload,
            },
        }
    }
}

/// A row that may have been its path's content at the moment: it had not ceased by then.
pub(super) struct PastCandidate {
    pub original_path: String,
    /// When the path was stored first, as this row knows it.
    pub created_at: Timestamp,
    pub content: PastContent,
}

/// Chooses one row for each path. The rows of a path come one after another.
pub(super) struct Choice<'e> {
    time: Timestamp,
    each: &'e mut (dyn FnMut(Past) + Send),
    path: Option<Past>,
}

impl<'e> Choice<'e> {
    pub fn new(time: Timestamp, each: &'e mut (dyn FnMut(Past) + Send)) -> Self {
        Self { time, each, path: None }
    }

    /// Takes the next row.
    pub fn take(&mut self, row: PastCandidate) {
        let had_it = row.content.since <= self.time;
        if !had_it && row.created_at > self.time {
            return;
        }
        let content = had_it.then_some(row.content);
        match &mut self.path {
            Some(path) if path.original_path == row.original_path => {
                // Two rows can claim one moment when the database's clock went back: the later word counts.
                let since = |content: &Option<PastContent>| content.as_ref().map(|it| it.since);
                if since(&content) >= since(&path.content) {
                    path.content = content;
                }
            }
            _ => {
                self.tell();
                self.path = Some(Past { original_path: row.original_path, content });
            }
        }
    }

    /// Tells of the path that all rows have come of.
    pub fn tell(&mut self) {
        if let Some(path) = self.path.take() {
            (self.each)(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::entry::PayloadKind;
    use crate::model::version::PastRow;

    fn row(path: &str, created: i64, since: i64, row: PastRow) -> PastCandidate {
        PastCandidate {
            original_path: path.into(),
            created_at: Timestamp(created),
            content: PastContent {
                row,
                since: Timestamp(since),
                file_size: 1,
                sha256: String::new(),
                mtime_ns: 0,
                mode: 0o644,
                payload: PayloadKind::Inline,
            },
        }
    }

    fn chosen(time: i64, rows: Vec<PastCandidate>) -> Vec<(String, Option<PastRow>)> {
        let mut told = Vec::new();
        let mut each = |past: Past| {
            told.push((past.original_path, past.content.map(|content| content.row)));
        };
        let mut choice = Choice::new(Timestamp(time), &mut each);
        rows.into_iter().for_each(|row| choice.take(row));
        choice.tell();
        told
    }

    #[test]
    fn each_path_has_the_content_that_began_last_before_the_moment() {
        use PastRow::{Entry, Version};
        let rows = || {
            vec![
                row("a", 1, 9, Entry(1)),
                row("a", 1, 1, Version(1)),
                row("a", 1, 5, Version(2)),
                row("b", 7, 7, Entry(2)),
            ]
        };
        assert_eq!(chosen(0, rows()), []);
        assert_eq!(chosen(4, rows()), [("a".to_owned(), Some(Version(1)))]);
        assert_eq!(chosen(5, rows()), [("a".to_owned(), Some(Version(2)))]);
        let now = [("a".to_owned(), Some(Entry(1))), ("b".to_owned(), Some(Entry(2)))];
        assert_eq!(chosen(9, rows()), now);
    }

    #[test]
    fn what_is_not_kept_is_told() {
        let rows = vec![row("a", 1, 9, PastRow::Entry(1)), row("b", 6, 9, PastRow::Entry(2))];
        assert_eq!(chosen(5, rows), [("a".to_owned(), None)]);
        // Whichever comes first.
        let kept = || row("a", 1, 3, PastRow::Version(1));
        let later = || row("a", 1, 9, PastRow::Entry(1));
        for rows in [vec![kept(), later()], vec![later(), kept()]] {
            assert_eq!(chosen(5, rows), [("a".to_owned(), Some(PastRow::Version(1)))]);
        }
    }
}
