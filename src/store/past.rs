//! Which of a path's rows was its content at a past moment: pure, and the same for all databases.

use crate::model::Timestamp;
use crate::model::version::{Past, PastContent};

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
