//! Which payloads are moved where: pure.

use crate::model::entry::{Entry, PayloadKind};
use crate::model::places::{Place, Places};
use crate::model::{names::Names, patterns::PatternError, scratch::is_scratch};

/// Where payloads are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Where the settings want files of each size.
    pub places: Places,
    /// All to this place instead. [`Place::Nowhere`] is no place.
    pub to: Option<Place>,
}

/// What is to become of one payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It is where it is wanted.
    Stays,
    Moves(Place),
    /// It stays although it is wanted elsewhere.
    Skipped(Why),
}

/// Why a payload stays although it is wanted elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// The entry has no data.
    NoData,
    /// It is over the inline limit and was wanted in the row.
    TooLarge,
    /// The settings keep no data of large files, and a move throws nothing away.
    NotKept,
}

impl Wish {
    /// Decides about a payload. `is_ours` says whether its URL, where it has one, is the configured
    /// store's.
    #[must_use]
    pub fn choose(&self, payload: PayloadKind, size: u64, is_ours: bool) -> Choice {
        let to = match self.to {
            _ if payload == PayloadKind::None => return Choice::Skipped(Why::NoData),
            None => self.places.of(size),
            // There is nothing to upload.
            Some(Place::Remote) if size == 0 => return Choice::Stays,
            Some(Place::Inline) if size > self.places.inline_limit => {
                return match payload {
                    PayloadKind::Inline => Choice::Stays,
                    _ => Choice::Skipped(Why::TooLarge),
                };
            }
            Some(place) => place,
        };
        match (to, payload) {
            (Place::Inline, PayloadKind::Inline) | (Place::Chunks, PayloadKind::Chunks) => {
                Choice::Stays
            }
            (Place::Remote, PayloadKind::Url) if is_ours => Choice::Stays,
            (Place::Nowhere, _) => Choice::Skipped(Why::NotKept),
            (to, _) => Choice::Moves(to),
        }
    }
}

/// Which entries are looked at.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Where the bytes are now.
    pub from: Option<PayloadKind>,
    names: Option<Names>,
}

impl Selection {
    /// Entries in one place or in any, and of these paths or patterns in gitignore syntax; of all when
    /// none is given.
    ///
    /// # Errors
    /// Names the first pattern that cannot be read.
    pub fn new(from: Option<PayloadKind>, names: &[String]) -> Result<Self, PatternError> {
        let names = if names.is_empty() { None } else { Some(Names::new(names)?) };
        Ok(Self { from, names })
    }

    /// Whether everything is looked at.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.from.is_none() && self.names.is_none()
    }

    /// Whether this entry is looked at. What a doctor or a self-test has in the tables never is.
    #[must_use]
    pub fn takes(&self, entry: &Entry) -> bool {
        let path = entry.original_path.as_str();
        !is_scratch(path)
            && self.from.is_none_or(|from| entry.payload == from)
            && self.names.as_ref().is_none_or(|names| names.takes(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::model::places::Large;

    const PLACES: Places = Places { inline_limit: 10, large: Large::Remote, all_remote: false };

    #[test]
    fn only_what_is_not_where_it_is_wanted_moves() {
        let wish = Wish { places: PLACES, to: None };
        let choose = |payload, size| wish.choose(payload, size, true);
        assert_eq!(choose(PayloadKind::Inline, 10), Choice::Stays);
        assert_eq!(choose(PayloadKind::Chunks, 10), Choice::Moves(Place::Inline));
        assert_eq!(choose(PayloadKind::Chunks, 11), Choice::Moves(Place::Remote));
        assert_eq!(choose(PayloadKind::Url, 11), Choice::Stays);
        assert_eq!(choose(PayloadKind::Url, 10), Choice::Moves(Place::Inline));
        assert_eq!(choose(PayloadKind::None, 11), Choice::Skipped(Why::NoData));
        let elsewhere = wish.choose(PayloadKind::Url, 11, false);
        assert_eq!(elsewhere, Choice::Moves(Place::Remote), "another store's URL");
        let skip = Wish { places: Places { large: Large::Skip, ..PLACES }, to: None };
        assert_eq!(skip.choose(PayloadKind::Chunks, 11, true), Choice::Skipped(Why::NotKept));
    }

    #[test]
    fn a_place_by_name_beats_the_settings() {
        let choose =
            |to, payload, size| Wish { places: PLACES, to: Some(to) }.choose(payload, size, true);
        assert_eq!(choose(Place::Chunks, PayloadKind::Inline, 1), Choice::Moves(Place::Chunks));
        assert_eq!(choose(Place::Remote, PayloadKind::Inline, 1), Choice::Moves(Place::Remote));
        assert_eq!(choose(Place::Remote, PayloadKind::Inline, 0), Choice::Stays);
        assert_eq!(choose(Place::Inline, PayloadKind::Chunks, 11), Choice::Skipped(Why::TooLarge));
        assert_eq!(choose(Place::Inline, PayloadKind::Inline, 11), Choice::Stays);
        assert_eq!(choose(Place::Chunks, PayloadKind::None, 1), Choice::Skipped(Why::NoData));
    }

    fn entry(path: &str, payload: PayloadKind) -> Entry {
        Entry {
            id: 1,
            content_type: String::new(),
            object_id: String::new(),
            original_path: path.into(),
            payload,
            chunk_set: None,
            image_url: None,
            file_size: 1,
            content_type_header: String::new(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            last_accessed: Timestamp(0),
            sha256: String::new(),
            mtime_ns: 0,
            mode: 0o644,
        }
    }

    #[test]
    fn paths_and_patterns_choose_entries() {
        let takes = |names: &[&str], path: &str| {
            let names: Vec<_> = names.iter().map(ToString::to_string).collect();
            let selection = Selection::new(Some(PayloadKind::Chunks), &names).unwrap();
            assert!(!selection.takes(&entry(path, PayloadKind::Inline)));
            selection.takes(&entry(path, PayloadKind::Chunks))
        };
        assert!(takes(&[], "a/b.jpg"));
        assert!(!takes(&[], ".imagecached-doctor-00ff"));
        assert!(takes(&["a/b.jpg"], "a/b.jpg"));
        assert!(takes(&["x", "*.mp4"], "a/b.mp4"));
        assert!(takes(&["products/"], "products/1/b.mp4"));
        assert!(!takes(&["/b.jpg"], "a/b.jpg"));
        assert!(takes(&["a[1].jpg"], "a[1].jpg"), "a path may look like a pattern");
        assert!(takes(&["../x"], "../x"), "even one that no file may have");
        assert!(Selection::new(None, &["a{b".into()]).is_err());
    }
}
