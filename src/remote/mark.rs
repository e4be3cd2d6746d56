//! Marks: what databases leave in a store, so that each can see who else keeps objects there.
//!
//! A key names a content and not its owner, so that databases which share a store share its objects. A
//! mark is a small object of its own, `databases/NAME` below the store's prefix, and in no list of objects.

/// What the keys of all marks begin with, below the store's prefix. No key of a content does: there are
/// letters in it that are no hexadecimal digits.
pub(super) const FOLDER: &str = "databases/";

/// Most bytes of a note that are read: anybody who may write to the store may have written it.
pub(super) const MOST_NOTE: u64 = 4 << 10;

/// Most characters of a note that are shown.
const MOST_SHOWN: usize = 200;

/// Of so many marks the notes are read. Each costs a request, and beyond these nobody reads on.
pub(super) const MOST_NOTES: usize = 20;

/// The mark of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Which database it is, for programs: nobody else's mark has this name.
    pub name: String,
    /// Which database it is, for people; one line, may be empty.
    pub note: String,
}

/// Whether a text can be the name of a mark: then it leads nowhere else, and reads the same everywhere.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !text.is_empty() && text.len() <= 100 && text.bytes().all(plain)
}

/// A note as it may be shown.
pub(super) fn shown(note: &[u8]) -> String {
    let text = String::from_utf8_lossy(note);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|c| !c.is_control()).take(MOST_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word() {
        assert!(is_name("3f2a-9b") && is_name("a_B9"));
        for text in ["", ".", "..", "a/b", "a.b", "a b", "é", &"a".repeat(101)] {
            assert!(!is_name(text), "{text}");
        }
    }

    #[test]
    fn a_note_is_one_line_whoever_wrote_it() {
        assert_eq!(shown(b"PostgreSQL  db:5432/shop\n"), "PostgreSQL db:5432/shop");
        assert_eq!(shown(b"a\n\x1b[2Jb\xff"), "a [2Jb\u{fffd}");
        assert_eq!(shown("é".repeat(900).as_bytes()).chars().count(), 200);
    }
}
