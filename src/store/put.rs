//! What a put has to do for one entry, decided from what is stored: pure, and the same for all databases.

use std::collections::{HashMap, HashSet};

use crate::model::Digest;
use crate::model::entry::{CHUNK_BYTES, ChunkSet, NewEntry, NewPayload, PayloadKind};
use crate::store::Stored;

/// Chunk rows that one statement removes: 16 MiB, a fraction of a second of the database's time.
pub(super) const CHUNKS_AT_ONCE: u32 = 16;

/// Rows in one statement: beyond that a statement is no faster.
const ROWS_PER_STATEMENT: usize = 64;

/// Bytes in one statement: about 1 MB is as fast as 4 MB and takes less memory on both sides. A batch of the capture,
/// which may be one row too heavy, fits in.
const BYTES_PER_STATEMENT: usize = 3 << 19;

/// Whether one of these rows is larger than a statement of several. The connection is to forget its buffer then: it
/// keeps for good what the largest message took.
pub(super) fn are_bulky(rows: &[&NewEntry]) -> bool {
    rows.iter().any(|row| row.weight() > BYTES_PER_STATEMENT)
}

/// What is stored under a path, and for whom.
pub(super) struct Known {
    pub stored: Stored,
    pub owner: (String, String),
    pub file_size: u64,
    /// Empty when no object store has the bytes.
    pub image_url: String,
}

/// What rows that are removed referred to.
#[derive(Default)]
pub(super) struct LetGo {
    pub sets: Vec<ChunkSet>,
    /// Those of them with more rows than are removed at once.
    pub large: Vec<ChunkSet>,
    pub objects: Vec<(Digest, String)>,
}

/// What a put writes.
#[derive(Default)]
pub(super) struct Plan<'a> {
    /// Entries whose whole row is written: those whose paths have no row.
    pub new: Vec<&'a NewEntry>,
    /// Entries whose whole row is written: those whose paths have one.
    pub rows: Vec<&'a NewEntry>,
    /// Entries whose content is the stored one: only mtime and mode are written.
    pub looks: Vec<&'a NewEntry>,
    /// The rows whose content becomes a version before it is replaced, and their paths.
    pub former: Vec<(i64, &'a str)>,
    /// Chunk sets that may have no entry any more once this is written: those of the entries from
    /// before, and new ones that turned out not to be needed. Who removes them looks first.
    pub loose: Vec<ChunkSet>,
    /// Those of them with more rows than are removed at once.
    pub large: Vec<ChunkSet>,
    /// The objects that the entries referred to before.
    pub objects: Vec<(Digest, String)>,
}

/// Decides what to do with `entries`, in the order given; `keeps` when contents that are replaced become
/// versions.
pub(super) fn plan<'a>(
    entries: &[&'a NewEntry],
    known: &HashMap<String, Known>,
    keeps: bool,
) -> Plan<'a> {
    let mut plan = Plan::default();
    for &entry in entries {
        let known = known.get(entry.path.as_str());
        let new_set = set_of(&entry.payload);
        let written = match known.map(|known| compare(entry, known)) {
            None => {
                plan.new.push(entry);
                true
            }
            Some(Change::Row) => {
                plan.rows.push(entry);
                true
            }
            Some(Change::Look) => {
                plan.looks.push(entry);
                false
            }
            Some(Change::Nothing) => false,
        };
        if written {
            if let Some(known) = known {
                if keeps && is_replaced(entry, known) {
                    plan.former.push((known.stored.id, entry.path.as_str()));
                    continue;
                }
                if let Some(old) = known.stored.chunk_set
                    && Some(old) != new_set
                {
                    plan.let_go(old, known.file_size);
                }
                let new_url = url_of(&entry.payload);
                plan.objects.extend(object_of(known.stored.sha256, &known.image_url, new_url));
            }
        } else if let Some(set) = new_set
            && known.and_then(|known| known.stored.chunk_set) != Some(set)
        {
            plan.let_go(set, entry.stat.size);
        }
    }
    plan
}

/// A put that is done.
pub struct Done {
    /// Of each entry, in the order given: whether its content was written.
    pub written: Vec<bool>,
    /// The chunk sets that are still to be discarded.
    pub large: Vec<ChunkSet>,
}

impl<'a> Plan<'a> {
    /// All entries whose row is written.
    pub fn written(&self) -> impl Iterator<Item = &'a NewEntry> {
        self.new.iter().chain(&self.rows).copied()
    }

    /// What to tell of it once it is committed.
    pub fn done(self, entries: &[NewEntry]) -> Done {
        let rows: HashSet<&str> = self.written().map(|entry| entry.path.as_str()).collect();
        let written = entries.iter().map(|entry| rows.contains(entry.path.as_str())).collect();
        Done { written, large: self.large }
    }

    /// The paths of what becomes a version.
    pub fn former_paths(&self) -> Vec<&str> {
        self.former.iter().map(|(_, path)| *path).collect()
    }

    /// The rows of what becomes a version.
    pub fn former_ids(&self) -> Vec<i64> {
        self.former.iter().map(|(id, _)| *id).collect()
    }

    /// Lets go of what versions referred to that were too many.
    pub fn let_go_of(&mut self, versions: LetGo) {
        self.loose.extend(versions.sets);
        self.large.extend(versions.large);
        self.objects.extend(versions.objects);
    }

    fn let_go(&mut self, set: ChunkSet, file_size: u64) {
        self.loose.push(set);
        if is_large(file_size) {
            self.large.push(set);
        }
    }
}

/// Whether the chunks of a file are more than are removed at once.
pub(super) fn is_large(file_size: u64) -> bool {
    file_size > u64::from(CHUNKS_AT_ONCE) * CHUNK_BYTES as u64
}

/// The object that an entry of this content and URL lets go of when its URL becomes `new_url`. Without a digest
/// nobody could name it.
pub(super) fn object_of(
    content: Option<Digest>,
    url: &str,
    new_url: &str,
) -> Option<(Digest, String)> {
    let content = content.filter(|_| !url.is_empty() && url != new_url)?;
    Some((content, url.to_owned()))
}

/// Whether an entry takes the place of bytes that are another content.
fn is_replaced(entry: &NewEntry, known: &Known) -> bool {
    known.stored.payload != PayloadKind::None && known.stored.sha256 != Some(entry.sha256)
}

enum Change {
    Nothing,
    Look,
    Row,
}

fn compare(entry: &NewEntry, known: &Known) -> Change {
    let stored = &known.stored;
    let owner_stays = entry.owner.as_ref().is_none_or(|owner| *owner == known.owner);
    if entry.rewrite
        || stored.sha256 != Some(entry.sha256)
        || stored.payload != entry.payload.kind()
        || !owner_stays
    {
        Change::Row
    } else if stored.mtime_ns != entry.stat.mtime_ns || stored.mode != entry.stat.kept_mode() {
        Change::Look
    } else {
        Change::Nothing
    }
}

/// The chunk set that a payload refers to.
pub(super) fn set_of(payload: &NewPayload) -> Option<ChunkSet> {
    match payload {
        NewPayload::OneChunk(set, _) | NewPayload::Chunks(set) => Some(*set),
        NewPayload::Inline(_) | NewPayload::Url(_) | NewPayload::Nothing => None,
    }
}

/// The owner to write; empty keeps the stored one.
pub(super) fn owner(entry: &NewEntry) -> (&str, &str) {
    entry.owner.as_ref().map_or(("", ""), |(kind, id)| (kind, id))
}

/// The text that goes into `image_data`.
pub(super) fn text_of(payload: &NewPayload) -> Option<&str> {
    match payload {
        NewPayload::Inline(text) => Some(text),
        _ => None,
    }
}

/// The URL that goes into `image_url`.
pub(super) fn url_of(payload: &NewPayload) -> &str {
    match payload {
        NewPayload::Url(url) => url,
        _ => "",
    }
}

/// The one chunk that is written together with an entry.
pub(super) fn chunk_of(payload: &NewPayload) -> Option<(ChunkSet, &[u8])> {
    match payload {
        NewPayload::OneChunk(set, bytes) => Some((*set, bytes)),
        _ => None,
    }
}

/// Bytes of a payload that go to the database together with its entry.
pub(super) fn bytes_of(payload: &NewPayload) -> usize {
    text_of(payload).map_or(0, str::len) + chunk_of(payload).map_or(0, |(_, bytes)| bytes.len())
}

/// Cuts `items` into statements of up to 64 rows and 1.5 MiB, or `most_bytes` where the server takes less;
/// a larger item goes alone.
pub(super) fn statements<T>(
    items: &[T],
    most_bytes: usize,
    weight: impl Fn(&T) -> usize,
) -> Vec<&[T]> {
    let most_bytes = most_bytes.min(BYTES_PER_STATEMENT);
    let mut cuts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, item) in items.iter().enumerate() {
        let weight = weight(item);
        if at > start && (at - start == ROWS_PER_STATEMENT || bytes + weight > most_bytes) {
            cuts.push(&items[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += weight;
    }
    if start < items.len() {
        cuts.push(&items[start..]);
    }
    cuts
}

/// No arguments yet, and room for so many of so many bytes altogether. A buffer that doubles whenever it is full copies
/// every payload once more, and leaves the smaller ones behind.
pub(super) fn room_for<A: sqlx::Arguments>(arguments: usize, bytes: usize) -> A {
    let mut room = A::default();
    room.reserve(arguments, bytes);
    room
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Digest, FileStat, UploadPath};

    fn entry(mtime_ns: i64, payload: NewPayload) -> NewEntry {
        NewEntry {
            path: UploadPath::parse("a.jpg").unwrap(),
            owner: None,
            rewrite: false,
            mime: "image/jpeg".into(),
            sha256: Digest::of(b"a"),
            stat: FileStat { size: 1, mtime_ns, ctime_ns: 0, inode: 1, mode: 0o644 },
            payload,
        }
    }

    fn known(payload: PayloadKind, chunk_set: Option<ChunkSet>) -> HashMap<String, Known> {
        let stored = Stored {
            id: 1,
            sha256: Some(Digest::of(b"a")),
            mtime_ns: 5,
            mode: 0o644,
            payload,
            chunk_set,
        };
        let owner = (String::new(), String::new());
        HashMap::from([(
            "a.jpg".to_owned(),
            Known { stored, owner, file_size: 17 << 20, image_url: String::new() },
        )])
    }

    #[test]
    fn the_same_content_is_not_written() {
        let same = entry(5, NewPayload::Inline("YQ==".into()));
        let plan = plan(&[&same], &known(PayloadKind::Inline, None), false);
        assert!(plan.rows.is_empty() && plan.looks.is_empty() && plan.loose.is_empty());
    }

    #[test]
    fn another_mtime_writes_the_look_only() {
        let touched = entry(6, NewPayload::Inline("YQ==".into()));
        let plan = plan(&[&touched], &known(PayloadKind::Inline, None), false);
        assert!(plan.rows.is_empty());
        assert_eq!(plan.looks.len(), 1);
    }

    #[test]
    fn a_payload_that_is_missing_or_moves_is_written() {
        let same = entry(5, NewPayload::Inline("YQ==".into()));
        for place in [PayloadKind::None, PayloadKind::Url, PayloadKind::Chunks] {
            assert_eq!(plan(&[&same], &known(place, None), false).rows.len(), 1, "{place:?}");
        }
    }

    #[test]
    fn the_chunk_set_that_loses_is_let_go() {
        let (old, new) = (ChunkSet(1), ChunkSet(2));
        let same = entry(5, NewPayload::Chunks(new));
        let kept = plan(&[&same], &known(PayloadKind::Chunks, Some(old)), false);
        assert_eq!((kept.loose, kept.large), (vec![new], vec![]));
        let again = plan(&[&same], &known(PayloadKind::Chunks, Some(new)), false);
        assert!(again.loose.is_empty(), "a retry would remove what it has stored");
        let moved = entry(5, NewPayload::Inline("YQ==".into()));
        let moved = plan(&[&moved], &known(PayloadKind::Chunks, Some(old)), false);
        assert_eq!((moved.loose, moved.large), (vec![old], vec![old]));
    }

    #[test]
    fn the_object_that_loses_is_let_go() {
        let url = "s3://shop/ca/978112".to_owned();
        let at_url = |sha256| {
            let mut known = known(PayloadKind::Url, None);
            let row = known.get_mut("a.jpg").unwrap();
            (row.image_url, row.stored.sha256) = (url.clone(), sha256);
            known
        };
        let content = Some(Digest::of(b"a"));
        let let_go = |entry: NewEntry, sha256| plan(&[&entry], &at_url(sha256), false).objects;
        let gone = vec![(Digest::of(b"a"), url.clone())];
        let moved = entry(5, NewPayload::Inline("YQ==".into()));
        assert_eq!(let_go(moved.clone(), content), gone);
        let other = NewEntry { sha256: Digest::of(b"b"), ..moved.clone() };
        assert_eq!(let_go(other, content), gone);
        assert_eq!(let_go(moved, None), [], "what has no name cannot be let go of");
        let same = NewEntry { rewrite: true, ..entry(5, NewPayload::Url(url.clone())) };
        assert_eq!(let_go(same, content), []);
        assert_eq!(
            let_go(entry(6, NewPayload::Url("s3://other".into())), content),
            [],
            "not written"
        );
    }

    #[test]
    fn another_content_makes_the_former_one_a_version() {
        let entry = entry(5, NewPayload::Inline("Yg==".into()));
        let other = NewEntry { sha256: Digest::of(b"b"), ..entry.clone() };
        let stored = || known(PayloadKind::Chunks, Some(ChunkSet(1)));
        let kept = plan(&[&other], &stored(), true);
        assert_eq!((kept.former, kept.rows.len()), (vec![(1, "a.jpg")], 1));
        assert!(kept.loose.is_empty() && kept.large.is_empty(), "a version refers to it");
        assert!(plan(&[&other], &stored(), false).former.is_empty());
        let moved = plan(&[&entry], &stored(), true);
        assert_eq!((moved.former, moved.loose), (vec![], vec![ChunkSet(1)]));
        let without_data = plan(&[&other], &known(PayloadKind::None, None), true);
        assert!(without_data.former.is_empty() && without_data.rows.len() == 1);
    }

    #[test]
    fn statements_are_cut_by_rows_and_bytes() {
        let cut = |weights: &[usize]| {
            statements(weights, usize::MAX, |w| *w).iter().map(|s| s.len()).collect::<Vec<_>>()
        };
        assert_eq!(cut(&[]), Vec::<usize>::new());
        assert_eq!(cut(&[5 << 20]), [1]);
        assert_eq!(cut(&[10; 130]), [64, 64, 2]);
        assert_eq!(cut(&[900_000, 900_000, 10, 5 << 20, 10]), [1, 2, 1, 1]);
    }
}
