//! The order in which waiting files are handed out, once they are due.
//!
//! A flood (an archive unpacked, a bulk import, the first scan of a full disk) must not make the one
//! picture wait that a customer uploads meanwhile. Nothing tells the two apart for certain, but two
//! rules do well enough:
//!
//! - **Directories take turns.** Who writes many files at a time mostly writes them into few directories,
//!   and an upload anywhere else is handed out after one file of each.
//! - **Newest and oldest take turns**, of the files in a directory and of the directories that have not
//!   had a turn. So what has just been uploaded comes at once, beside a flood in its own directory or one
//!   that makes a directory for each file.
//!
//! The oldest always has a share of the turns (a half within its directory, a third among the
//! directories), so nobody is passed over for ever.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use crate::model::UploadPath;

/// Where a file stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// It is not handed out before.
    pub due: Instant,
    /// When it was noticed: its age, which it keeps through failures and retries.
    since: Instant,
    /// No two files have the same.
    number: u64,
}

/// The files of one directory that are due, by age.
#[derive(Debug, Default)]
struct Directory {
    by_age: BTreeMap<(Instant, u64), UploadPath>,
    newest_is_next: bool,
}

/// Whose turn it is. Every directory that has files is in one of the two.
#[derive(Debug, Default)]
struct Turns {
    /// Those that have not had a turn, in the order in which they came.
    fresh: VecDeque<String>,
    /// Those that have, in the order of their next.
    seen: VecDeque<String>,
    taken: usize,
}

impl Turns {
    fn next(&mut self) -> Option<String> {
        // Where one of the three has nobody, the next one has the turn.
        (0..3).find_map(|_| {
            self.taken += 1;
            match self.taken % 3 {
                1 => self.fresh.pop_back(),
                2 => self.seen.pop_front(),
                _ => self.fresh.pop_front(),
            }
        })
    }

    fn forget(&mut self, name: &str) {
        self.fresh.retain(|other| other != name);
        self.seen.retain(|other| other != name);
    }
}

/// The line of waiting files.
#[derive(Debug, Default)]
pub struct Line {
    /// Files that were not due when it was last looked.
    later: BTreeMap<(Instant, u64), (Instant, UploadPath)>,
    due: HashMap<String, Directory>,
    turns: Turns,
    /// When it was last looked: what is in `due` was due by then.
    looked: Option<Instant>,
    length: usize,
    next_number: u64,
}

impl Line {
    /// How many files wait.
    pub fn len(&self) -> usize {
        self.length
    }

    /// A file joins the line.
    pub fn join(&mut self, path: UploadPath, since: Instant, due: Instant) -> Place {
        let place = Place { due, since, number: self.next_number };
        self.next_number += 1;
        self.length += 1;
        self.later.insert((due, place.number), (since, path));
        place
    }

    /// A file leaves the line without having been handed out.
    pub fn leave(&mut self, path: &UploadPath, place: Place) {
        let left = match self.later.remove(&(place.due, place.number)) {
            Some(_) => true,
            None => self.leave_directory(path, place),
        };
        self.length -= usize::from(left);
    }

    fn leave_directory(&mut self, path: &UploadPath, place: Place) -> bool {
        let Some(directory) = self.due.get_mut(path.parent()) else { return false };
        let left = directory.by_age.remove(&(place.since, place.number)).is_some();
        if directory.by_age.is_empty() {
            self.due.remove(path.parent());
            self.turns.forget(path.parent());
        }
        left
    }

    /// Hands out the file whose turn it is, of those that are due by `now`.
    pub fn next(&mut self, now: Instant) -> Option<UploadPath> {
        self.look(now);
        let name = self.turns.next()?;
        let directory = self.due.get_mut(&name)?;
        let taken = match directory.newest_is_next {
            true => directory.by_age.pop_last(),
            false => directory.by_age.pop_first(),
        };
        directory.newest_is_next = !directory.newest_is_next;
        if directory.by_age.is_empty() {
            self.due.remove(&name);
        } else {
            self.turns.seen.push_back(name);
        }
        self.length -= usize::from(taken.is_some());
        taken.map(|(_, path)| path)
    }

    /// Puts the files that have become due into their directories.
    fn look(&mut self, now: Instant) {
        self.looked = Some(now);
        while let Some(first) = self.later.first_entry() {
            if first.key().0 > now {
                return;
            }
            let ((_, number), (since, path)) = first.remove_entry();
            if let Some(directory) = self.due.get_mut(path.parent()) {
                directory.by_age.insert((since, number), path);
                continue;
            }
            let name = path.parent().to_owned();
            let mut directory = Directory { newest_is_next: true, ..Directory::default() };
            directory.by_age.insert((since, number), path);
            self.due.insert(name.clone(), directory);
            self.turns.fresh.push_back(name);
        }
    }

    /// When the next file is due; in the past when one is.
    pub fn next_due(&self) -> Option<Instant> {
        let later = self.later.first_key_value().map(|((due, _), _)| *due);
        let now = self.looked.filter(|_| !self.due.is_empty());
        now.into_iter().chain(later).min()
    }

    /// The files that are due only after `now`.
    pub fn after(&self, now: Instant) -> impl Iterator<Item = &UploadPath> {
        self.later.range((now, u64::MAX)..).map(|(_, (_, path))| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn line(paths: impl IntoIterator<Item = String>) -> (Line, Instant) {
        let (mut line, now) = (Line::default(), Instant::now());
        for (n, path) in paths.into_iter().enumerate() {
            let since = now + Duration::from_millis(n as u64);
            line.join(UploadPath::parse(&path).unwrap(), since, now);
        }
        (line, now)
    }

    fn order(line: &mut Line, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| line.next(now)).map(|path| path.to_string()).collect()
    }

    #[test]
    fn directories_take_turns() {
        let flood = (0..1_000).map(|n| format!("import/{n}"));
        let (mut line, now) = line(flood.chain(["products/cat.jpg".into(), "top.jpg".into()]));
        let order = order(&mut line, now);
        let place = |path: &str| order.iter().position(|other| other == path).unwrap();
        assert!(place("products/cat.jpg") < 3 && place("top.jpg") < 3, "{:?}", &order[..5]);
        assert_eq!((order.len(), line.len()), (1_002, 0));
        assert_eq!(line.next_due(), None);
    }

    #[test]
    fn a_directory_for_each_file_wins_nothing() {
        let (mut line, now) = line((0..1_000).map(|n| format!("{n}/a.jpg")));
        let since = now + Duration::from_secs(60);
        line.next(now);
        line.join(UploadPath::parse("cat/a.jpg").unwrap(), since, now);
        let order = order(&mut line, now);
        assert!(order[..3].contains(&"cat/a.jpg".to_owned()), "{:?}", &order[..3]);
        assert!(order[..3].contains(&"0/a.jpg".to_owned()), "{:?}", &order[..3]);
    }

    #[test]
    fn within_a_directory_newest_and_oldest_take_turns() {
        let (mut line, now) = line((0..6).map(|n| n.to_string()));
        assert_eq!(order(&mut line, now), ["5", "0", "4", "1", "3", "2"]);
    }

    #[test]
    fn the_oldest_is_not_passed_over_by_a_stream_of_new_ones() {
        let (mut line, now) = line((0..10).map(|n| format!("old-{n}")));
        let mut new = 0;
        let mut taken = Vec::new();
        while line.len() > 0
            && taken.iter().filter(|path: &&String| path.starts_with("old")).count() < 10
        {
            // One comes for each that is handed out.
            let since = now + Duration::from_secs(1 + new);
            line.join(UploadPath::parse(&format!("new-{new}")).unwrap(), since, now);
            new += 1;
            taken.push(line.next(now).unwrap().to_string());
        }
        assert!(taken.len() <= 20, "{taken:?}");
    }

    #[test]
    fn what_leaves_is_not_handed_out_and_ends_no_turn_of_others() {
        let now = Instant::now();
        let mut line = Line::default();
        let path = |name: &str| UploadPath::parse(name).unwrap();
        let a = line.join(path("a/1"), now, now);
        line.join(path("b/1"), now, now);
        let later = line.join(path("c/1"), now, now + Duration::from_secs(1));
        line.join(path("b/2"), now, now);
        assert_eq!(line.next(now), Some(path("b/2")));
        line.leave(&path("a/1"), a);
        line.join(path("a/1"), now, now);
        line.leave(&path("a/1"), a); // Nobody stands at the place of before.
        assert_eq!(line.len(), 3);
        line.leave(&path("c/1"), later);
        let rest = order(&mut line, now + Duration::from_secs(2));
        assert_eq!((rest.len(), line.len()), (2, 0), "{rest:?}");
    }

    #[test]
    fn a_file_is_not_handed_out_before_it_is_due_and_keeps_its_age() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut line = Line::default();
        let path = |name: &str| UploadPath::parse(name).unwrap();
        line.join(path("old"), now - second, now + second);
        line.join(path("new"), now, now);
        line.join(path("newer"), now + second, now);
        assert_eq!(line.next_due(), Some(now));
        assert_eq!(line.after(now).collect::<Vec<_>>(), [&path("old")]);
        assert_eq!(line.next(now), Some(path("newer")));
        assert_eq!(line.next(now + second), Some(path("old")), "it is the oldest");
        assert_eq!(line.next(now + second), Some(path("new")));
    }
}
