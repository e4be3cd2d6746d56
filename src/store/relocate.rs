//! What the move of a payload has to do, decided from what is stored: pure, and the same for all databases.

use crate::model::Digest;
use crate::model::entry::{ChunkSet, NewPayload, PayloadKind};
use crate::store::put::{self, Known};
use crate::store::{PayloadPlace, Relocation};

/// What to do for a relocation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// The entry is gone, or another than the one that was read: nothing.
    Stale,
    /// The payload is in its new place already, as after an answer that was lost on its way: nothing.
    There,
    /// Write the new place into the row.
    Write {
        /// The chunk set that the entry lets go of.
        set: Option<ChunkSet>,
        /// It has more rows than are removed at once.
        large: bool,
        /// The object that the entry lets go of.
        object: Option<(Digest, String)>,
    },
}

/// A relocation that is done.
#[derive(Debug)]
pub struct Moved {
    /// The payload is in its new place.
    pub moved: bool,
    /// The chunk set that is still to be discarded.
    pub large: Option<ChunkSet>,
}

impl Plan {
    /// What to tell of it once it is committed.
    pub fn done(self) -> Moved {
        match self {
            Self::Stale => Moved { moved: false, large: None },
            Self::There => Moved { moved: true, large: None },
            Self::Write { set, large, .. } => Moved { moved: true, large: set.filter(|_| large) },
        }
    }
}

/// Decides, from the row as it is.
pub(super) fn plan(relocation: &Relocation, known: Option<&Known>) -> Plan {
    let same_content = |known: &&Known| known.stored.sha256 == Some(relocation.sha256);
    let Some(known) = known.filter(same_content) else {
        return Plan::Stale;
    };
    // A payload is never moved to nowhere.
    let Some(to) = place_of(&relocation.to) else {
        return Plan::Stale;
    };
    if is_at(known, &to) {
        return Plan::There;
    }
    if !is_at(known, &relocation.from) {
        return Plan::Stale;
    }
    let new_set = put::set_of(&relocation.to);
    let set = known.stored.chunk_set.filter(|set| Some(*set) != new_set);
    let new_url = put::url_of(&relocation.to);
    Plan::Write {
        set,
        large: set.is_some() && put::is_large(known.file_size),
        object: put::object_of(known.stored.sha256, &known.image_url, new_url),
    }
}

fn place_of(payload: &NewPayload) -> Option<PayloadPlace> {
    match payload {
        NewPayload::Inline(_) => Some(PayloadPlace::Inline),
        NewPayload::OneChunk(set, _) | NewPayload::Chunks(set) => Some(PayloadPlace::Chunks(*set)),
        NewPayload::Url(url) => Some(PayloadPlace::Url(url.clone())),
        NewPayload::Nothing => None,
    }
}

fn is_at(known: &Known, place: &PayloadPlace) -> bool {
    match (known.stored.payload, place) {
        (PayloadKind::Inline, PayloadPlace::Inline) => true,
        (PayloadKind::Chunks, PayloadPlace::Chunks(set)) => known.stored.chunk_set == Some(*set),
        (PayloadKind::Url, PayloadPlace::Url(url)) => known.image_url == *url,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Stored;

    const URL: &str = "s3://shop/ca/978112";

    fn known(payload: PayloadKind, set: Option<ChunkSet>, url: &str) -> Known {
        let stored = Stored {
            id: 1,
            sha256: Some(Digest::of(b"a")),
            mtime_ns: 5,
            mode: 0o644,
            payload,
            chunk_set: set,
        };
        let owner = (String::new(), String::new());
        Known { stored, owner, file_size: 17 << 20, image_url: url.into() }
    }

    fn relocation(from: PayloadPlace, to: NewPayload) -> Relocation {
        Relocation { id: 1, sha256: Digest::of(b"a"), from, to }
    }

    #[test]
    fn what_the_entry_referred_to_is_let_go() {
        let (old, new) = (ChunkSet(1), ChunkSet(2));
        let chunks = known(PayloadKind::Chunks, Some(old), "");
        let to_url = relocation(PayloadPlace::Chunks(old), NewPayload::Url(URL.into()));
        let wanted = Plan::Write { set: Some(old), large: true, object: None };
        assert_eq!(plan(&to_url, Some(&chunks)), wanted);
        assert_eq!(wanted.done().large, Some(old));
        let url = known(PayloadKind::Url, None, URL);
        let back = relocation(PayloadPlace::Url(URL.into()), NewPayload::Chunks(new));
        let object = Some((Digest::of(b"a"), URL.to_owned()));
        assert_eq!(plan(&back, Some(&url)), Plan::Write { set: None, large: false, object });
    }

    #[test]
    fn only_the_very_payload_that_was_read_is_moved() {
        let chunks = known(PayloadKind::Chunks, Some(ChunkSet(1)), "");
        let to = || NewPayload::Inline("YQ==".into());
        for from in
            [PayloadPlace::Inline, PayloadPlace::Chunks(ChunkSet(2)), PayloadPlace::Url(URL.into())]
        {
            assert_eq!(plan(&relocation(from, to()), Some(&chunks)), Plan::Stale);
        }
        let other = Relocation {
            sha256: Digest::of(b"b"),
            ..relocation(PayloadPlace::Chunks(ChunkSet(1)), to())
        };
        assert_eq!(plan(&other, Some(&chunks)), Plan::Stale);
        assert_eq!(plan(&other, None), Plan::Stale);
        let nowhere = relocation(PayloadPlace::Chunks(ChunkSet(1)), NewPayload::Nothing);
        assert_eq!(plan(&nowhere, Some(&chunks)), Plan::Stale);
    }

    #[test]
    fn a_second_time_finds_the_payload_there() {
        let chunks = known(PayloadKind::Chunks, Some(ChunkSet(2)), "");
        let again = relocation(PayloadPlace::Inline, NewPayload::Chunks(ChunkSet(2)));
        assert_eq!(plan(&again, Some(&chunks)), Plan::There);
        assert!(Plan::There.done().moved);
    }
}
