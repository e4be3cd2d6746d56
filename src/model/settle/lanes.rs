//! Two lanes for the waiting files: one for large files, and one for all others.
//!
//! A large file is streamed for as long as the way to the database takes, which may be minutes. So only a
//! few of them are out at a time, and the others of their kind wait in a lane of their own, where they are in
//! nobody's way. That a file is large shows when it is first opened: until then it waits with all others.

use std::time::Instant;

use crate::model::UploadPath;
use crate::model::settle::line::{Coming, Line, Place};

/// Where a file waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    pub place: Place,
    pub is_large: bool,
}

/// The files that wait, in their lanes, and how many large ones are out.
#[derive(Debug)]
pub struct Lanes {
    ordinary: Line,
    large: Line,
    /// As many large files may be out at a time, and as many are.
    most_streamed: usize,
    streamed: usize,
    /// The lanes take turns, where both have somebody to hand out.
    turn_of_large: bool,
}

impl Lanes {
    pub fn new(most_streamed: usize) -> Self {
        Self {
            ordinary: Line::default(),
            large: Line::default(),
            most_streamed: most_streamed.max(1),
            streamed: 0,
            turn_of_large: false,
        }
    }

    /// How many files wait.
    pub fn len(&self) -> usize {
        self.ordinary.len() + self.large.len()
    }

    /// A file joins its lane.
    pub fn join(&mut self, path: UploadPath, coming: Coming, is_large: bool) -> Spot {
        let place = self.lane(is_large).join(path, coming);
        Spot { place, is_large }
    }

    /// A file leaves its lane without having been handed out.
    pub fn leave(&mut self, spot: Spot) {
        self.lane(spot.is_large).leave(spot.place);
    }

    /// Hands out the file whose turn it is, of those that are due by `now`; and whether it has one of the
    /// places of large files, which is to be given back with [`Lanes::end_stream`].
    pub fn next(&mut self, now: Instant) -> Option<(UploadPath, bool)> {
        self.take_turns(|line| line.next(now))
    }

    /// As [`Lanes::next`], while backlog has to wait.
    pub fn next_new(&mut self, now: Instant) -> Option<(UploadPath, bool)> {
        self.take_turns(|line| line.next_new(now))
    }

    fn take_turns(
        &mut self,
        next: impl Fn(&mut Line) -> Option<UploadPath>,
    ) -> Option<(UploadPath, bool)> {
        self.turn_of_large = !self.turn_of_large;
        let first = self.turn_of_large;
        self.next_of(first, &next).or_else(|| self.next_of(!first, &next))
    }

    fn next_of(
        &mut self,
        is_large: bool,
        next: impl Fn(&mut Line) -> Option<UploadPath>,
    ) -> Option<(UploadPath, bool)> {
        if is_large && self.streamed >= self.most_streamed {
            return None;
        }
        let path = next(self.lane(is_large))?;
        self.streamed += usize::from(is_large);
        Some((path, is_large))
    }

    /// Takes one of the places of large files, if one is free, for a file that has turned out to be large.
    pub fn begin_stream(&mut self) -> bool {
        let is_free = self.streamed < self.most_streamed;
        self.streamed += usize::from(is_free);
        is_free
    }

    /// Gives such a place back.
    pub fn end_stream(&mut self) {
        self.streamed = self.streamed.saturating_sub(1);
    }

    /// When the next file can be handed out; in the past when one can. Nobody knows when a place for a large
    /// file will be free: whoever gives it back asks again.
    pub fn next_due(&self) -> Option<Instant> {
        let large = self.large.next_due().filter(|_| self.streamed < self.most_streamed);
        self.ordinary.next_due().into_iter().chain(large).min()
    }

    /// When the next file will be due that was not yet when it was last looked.
    pub fn next_later(&self) -> Option<Instant> {
        self.ordinary.next_later().into_iter().chain(self.large.next_later()).min()
    }

    /// The files that are due only after `now`.
    pub fn after(&self, now: Instant) -> impl Iterator<Item = &UploadPath> {
        self.ordinary.after(now).chain(self.large.after(now))
    }

    fn lane(&mut self, is_large: bool) -> &mut Line {
        if is_large { &mut self.large } else { &mut self.ordinary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(lanes: &mut Lanes, name: &str, now: Instant, is_large: bool) -> Spot {
        let coming = Coming { since: now, due: now, is_backlog: false };
        lanes.join(UploadPath::parse(name).unwrap(), coming, is_large)
    }

    #[test]
    fn large_files_wait_for_a_place_and_let_the_others_pass() {
        let (mut lanes, now) = (Lanes::new(2), Instant::now());
        for n in 0..4 {
            joined(&mut lanes, &format!("large/{n}"), now, true);
        }
        for n in 0..6 {
            joined(&mut lanes, &format!("small/{n}"), now, false);
        }
        let out: Vec<bool> =
            std::iter::from_fn(|| lanes.next(now)).map(|(_, large)| large).collect();
        assert_eq!(out.iter().filter(|large| **large).count(), 2, "{out:?}");
        assert_eq!((out.len(), lanes.len(), lanes.next_due()), (8, 2, None));
        assert!(!lanes.begin_stream(), "both places are taken");
        lanes.end_stream();
        assert_eq!(lanes.next_due(), Some(now));
        assert!(lanes.next(now).is_some_and(|(_, large)| large));
        assert!(lanes.next(now).is_none());
    }

    #[test]
    fn the_lanes_take_turns_and_leaving_finds_the_right_one() {
        let (mut lanes, now) = (Lanes::new(100), Instant::now());
        let gone = [true, false].map(|is_large| joined(&mut lanes, "gone", now, is_large));
        for n in 0..3 {
            joined(&mut lanes, &format!("large/{n}"), now, true);
            joined(&mut lanes, &format!("small/{n}"), now, false);
        }
        for spot in gone {
            lanes.leave(spot);
        }
        let out: Vec<bool> =
            std::iter::from_fn(|| lanes.next(now)).map(|(_, large)| large).collect();
        assert_eq!(out, [true, false, true, false, true, false]);
    }
}
