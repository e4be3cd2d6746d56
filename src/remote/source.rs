//! Where the content of a new object comes from, and how it is cut into parts.

use std::io::{self, Read};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;

use crate::model::{Digest, Hasher};
use crate::remote::NewObject;
use crate::remote::error::{Failure, Trouble};

/// The content of a new object, read once from its start to its end. What has to be sent again is kept
/// by whoever sends it.
#[async_trait]
pub trait Source: Send {
    /// The next piece, of any size that is kind to memory (up to 1 MiB); `None` at the end.
    ///
    /// # Errors
    /// What is read from says no, or is no longer what it was.
    async fn next(&mut self) -> io::Result<Option<Bytes>>;
}

/// Bytes in memory.
#[async_trait]
impl Source for Option<Bytes> {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        Ok(self.take())
    }
}

/// How much is read from a blocking source at a time.
const PIECE: u64 = 1 << 20;

/// A file, or anything else whose reading blocks: it is read on a thread that may.
#[derive(Debug)]
pub struct Blocking<R>(State<R>);

#[derive(Debug)]
enum State<R> {
    Idle(R),
    /// Kept here, so that nothing is lost when whoever waits for it gives up.
    Reading(JoinHandle<(R, io::Result<Vec<u8>>)>),
    /// Reading has panicked.
    Dead,
}

impl<R: Read + Send + 'static> Blocking<R> {
    /// Reads on from where `inner` stands.
    pub fn new(inner: R) -> Self {
        Self(State::Idle(inner))
    }

    /// Gives back what was read from; `None` when reading it has panicked.
    pub async fn into_inner(self) -> Option<R> {
        match self.0 {
            State::Idle(inner) => Some(inner),
            State::Reading(reading) => reading.await.ok().map(|(inner, _)| inner),
            State::Dead => None,
        }
    }
}

#[async_trait]
impl<R: Read + Send + 'static> Source for Blocking<R> {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if let State::Idle(mut inner) = std::mem::replace(&mut self.0, State::Dead) {
            self.0 = State::Reading(tokio::task::spawn_blocking(move || {
                // A buffer that grows ends with up to twice the room that it needs.
                let mut piece = Vec::with_capacity(PIECE as usize);
                let outcome = (&mut inner).take(PIECE).read_to_end(&mut piece);
                piece.shrink_to_fit();
                (inner, outcome.map(|_| piece))
            }));
        }
        let State::Reading(reading) = &mut self.0 else {
            return Err(io::Error::other("reading has failed before"));
        };
        let read = reading.await;
        self.0 = State::Dead;
        let (inner, outcome) = read.map_err(io::Error::other)?;
        self.0 = State::Idle(inner);
        let piece = outcome?;
        Ok(if piece.is_empty() { None } else { Some(piece.into()) })
    }
}

/// Cuts a source into parts, and makes sure that it is what was announced.
pub(super) struct Parts<'s> {
    source: &'s mut dyn Source,
    part_bytes: usize,
    length: u64,
    sha256: Digest,
    /// Read, and not yet handed out.
    rest: Bytes,
    taken: u64,
    hasher: Hasher,
}

/// A part of the content: its pieces in their order, where it starts, and whether it is the last one.
#[derive(Debug)]
pub(super) struct Part {
    pub pieces: Vec<Bytes>,
    pub start: u64,
    pub length: u64,
    pub last: bool,
}

impl<'s> Parts<'s> {
    pub fn new(object: &NewObject, source: &'s mut dyn Source, part_bytes: usize) -> Self {
        Self {
            source,
            part_bytes,
            length: object.length,
            sha256: object.sha256,
            rest: Bytes::new(),
            taken: 0,
            hasher: Hasher::default(),
        }
    }

    /// The next part: all of `part_bytes` but the last one. It is handed out only when the whole content
    /// up to there can be the announced one; so whoever needs the last part to finish an object never
    /// finishes a wrong one.
    pub async fn next(&mut self) -> Result<Part, Failure> {
        let start = self.taken;
        let mut part = Part { pieces: Vec::new(), start, length: 0, last: false };
        while (part.length as usize) < self.part_bytes {
            if self.rest.is_empty() {
                match self.source.next().await.map_err(|error| Failure::local(&error))? {
                    Some(piece) => self.rest = piece,
                    None => break,
                }
            }
            let room = self.part_bytes - part.length as usize;
            let piece = self.rest.split_to(room.min(self.rest.len()));
            self.hasher.update(&piece);
            part.length += piece.len() as u64;
            part.pieces.push(piece);
        }
        self.taken += part.length;
        let whole_part = part.length as usize == self.part_bytes;
        if self.taken > self.length || (self.taken < self.length && !whole_part) {
            return Err(self.changed());
        }
        if self.taken == self.length {
            self.at_end().await?;
            part.last = true;
        }
        Ok(part)
    }

    /// The announced length has come: nothing more may follow, and it must have been the right bytes.
    async fn at_end(&mut self) -> Result<(), Failure> {
        while self.rest.is_empty() {
            match self.source.next().await.map_err(|error| Failure::local(&error))? {
                Some(piece) => self.rest = piece,
                None if self.hasher.clone().finish() == self.sha256 => return Ok(()),
                None => break,
            }
        }
        Err(self.changed())
    }

    fn changed(&self) -> Failure {
        Failure::new(
            Trouble::Local,
            "the content is not the announced one: it has changed meanwhile",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pieces(Vec<&'static [u8]>);

    #[async_trait]
    impl Source for Pieces {
        async fn next(&mut self) -> io::Result<Option<Bytes>> {
            Ok((!self.0.is_empty()).then(|| Bytes::from_static(self.0.remove(0))))
        }
    }

    fn object(bytes: &[u8]) -> NewObject {
        NewObject {
            sha256: Digest::of(bytes),
            length: bytes.len() as u64,
            mime: "image/png".into(),
            name: "a.png".into(),
        }
    }

    /// The parts' contents, or why not.
    async fn cut(announced: &[u8], pieces: &[&'static [u8]]) -> Result<Vec<String>, Failure> {
        let mut source = Pieces(pieces.to_vec());
        let mut parts = Parts::new(&object(announced), &mut source, 4);
        let mut cut = Vec::new();
        loop {
            let part = parts.next().await?;
            assert_eq!(part.start, cut.iter().map(String::len).sum::<usize>() as u64);
            cut.push(String::from_utf8(part.pieces.concat()).unwrap());
            if part.last {
                return Ok(cut);
            }
        }
    }

    #[tokio::test]
    async fn pieces_of_any_size_become_parts_of_one_size() {
        assert_eq!(
            cut(b"abcdefghij", &[b"a", b"bcdefg", b"", b"hij"]).await.unwrap(),
            ["abcd", "efgh", "ij"]
        );
        assert_eq!(cut(b"abcdefgh", &[b"abcdefgh"]).await.unwrap(), ["abcd", "efgh"]);
        assert_eq!(cut(b"", &[]).await.unwrap(), [""]);
    }

    #[tokio::test]
    async fn the_last_part_of_a_changed_content_is_never_handed_out() {
        for pieces in [
            &[b"abcdefg" as &[u8]] as &[&[u8]],
            &[b"abcdefghi"],
            &[b"abcdefgX"],
            &[b"abcdefgh", b"i"],
            &[],
        ] {
            let pieces: Vec<&'static [u8]> = pieces.to_vec();
            let failure = cut(b"abcdefgh", &pieces).await.unwrap_err();
            assert_eq!(failure.trouble, Trouble::Local);
        }
    }

    #[tokio::test]
    async fn a_blocking_reader_is_given_back() {
        let mut source = Blocking::new(io::Cursor::new(vec![7; (PIECE + 1) as usize]));
        assert_eq!(source.next().await.unwrap().unwrap().len() as u64, PIECE);
        assert_eq!(source.next().await.unwrap().unwrap().len(), 1);
        assert_eq!(source.next().await.unwrap(), None);
        assert_eq!(source.into_inner().await.unwrap().position(), PIECE + 1);
    }
}
