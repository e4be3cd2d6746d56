//! The order in which waiting files are handed out, once they are due.
//!
//! A flood (an archive unpacked, a bulk import, the first scan of a full disk) must not make the one
//! picture wait that a customer uploads meanwhile. Nothing tells the two apart for certain, but three
//! rules that take turns do well enough:
//!
//! 1. **The newest file.** What has just been uploaded comes at once, unless a flood is still coming in.
//! 2. **The next directory**, and its newest file. Who writes many files at a time mostly writes them into
//!    few directories; an upload anywhere else comes after one file of each, however long the flood
//!    goes on.
//! 3. **The oldest file.** So nobody is passed over for ever: a file waits at most three times as long as
//!    it would if all were handed out in the order in which they came.
//!
//! What only a scan of everything has found (*backlog*) is new to nobody: for the first two rules it is older
//! than all that was seen to come.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use crate::model::UploadPath;

/// When a file was noticed, which it keeps through failures and retries; and a number that no other has.
type Age = (Instant, u64);

/// How new a file is: backlog comes before what was seen to come, and both by age.
type Newness = (bool, Age);

/// A file that joins a line.
#[derive(Debug, Clone, Copy)]
pub struct Coming {
    /// When it was noticed.
    pub since: Instant,
    /// It is not handed out before.
    pub due: Instant,
    /// It was only found by a scan of everything.
    pub is_backlog: bool,
}

/// Where a file stands in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// It is not handed out before.
    pub due: Instant,
    /// It was only found by a scan of everything.
    is_backlog: bool,
    age: Age,
}

impl Place {
    fn newness(&self) -> Newness {
        (!self.is_backlog, self.age)
    }
}

/// The line of waiting files.
#[derive(Debug, Default)]
pub struct Line {
    /// Files that were not due when it was last looked, by when they will be.
    later: BTreeMap<(Instant, u64), (Place, UploadPath)>,
    /// Files that are due, the oldest first.
    due: BTreeMap<Age, (Place, UploadPath)>,
    /// Those of them that were seen to come.
    new: BTreeSet<Age>,
    /// The others.
    backlog: BTreeSet<Age>,
    /// The same by their directories.
    directories: HashMap<String, BTreeSet<Newness>>,
    /// Each of the directories once, in the order of their turns.
    turns: VecDeque<String>,
    handed_out: usize,
    /// When it was last looked: what is in `due` was due by then.
    looked: Option<Instant>,
    next_number: u64,
}

impl Line {
    /// How many files wait.
    pub fn len(&self) -> usize {
        self.later.len() + self.due.len()
    }

    /// A file joins the line.
    pub fn join(&mut self, path: UploadPath, Coming { since, due, is_backlog }: Coming) -> Place {
        let place = Place { due, is_backlog, age: (since, self.next_number) };
        self.next_number += 1;
        self.later.insert((due, place.age.1), (place, path));
        place
    }

    /// A file leaves the line without having been handed out.
    pub fn leave(&mut self, place: Place) {
        if self.later.remove(&(place.due, place.age.1)).is_none() {
            self.take(place.age);
        }
    }

    /// Hands out the file whose turn it is, of those that are due by `now`.
    pub fn next(&mut self, now: Instant) -> Option<UploadPath> {
        self.look(now);
        self.handed_out += 1;
        let age = match self.handed_out % 3 {
            1 => self.new.last().or(self.backlog.last()).copied(),
            2 => self.of_next_directory(),
            _ => self.due.first_key_value().map(|(age, _)| *age),
        };
        self.take(age?)
    }

    /// As [`Line::next`], while backlog has to wait: the newest of the others and the oldest take turns.
    pub fn next_new(&mut self, now: Instant) -> Option<UploadPath> {
        self.look(now);
        self.handed_out += 1;
        let age =
            if self.handed_out.is_multiple_of(2) { self.new.first() } else { self.new.last() };
        self.take(*age?)
    }

    fn take(&mut self, age: Age) -> Option<UploadPath> {
        let (place, path) = self.due.remove(&age)?;
        self.of_its_kind(place).remove(&age);
        // One that has no file left goes when it would have its turn.
        if let Some(directory) = self.directories.get_mut(path.parent()) {
            directory.remove(&place.newness());
        }
        Some(path)
    }

    fn of_its_kind(&mut self, place: Place) -> &mut BTreeSet<Age> {
        if place.is_backlog { &mut self.backlog } else { &mut self.new }
    }

    fn of_next_directory(&mut self) -> Option<Age> {
        loop {
            let name = self.turns.pop_front()?;
            if let Some((_, newest)) = self.directories.get(&name)?.last().copied() {
                self.turns.push_back(name);
                return Some(newest);
            }
            self.directories.remove(&name);
        }
    }

    /// Takes the files that have become due to the others that are.
    fn look(&mut self, now: Instant) {
        self.looked = Some(now);
        while let Some(first) = self.later.first_entry() {
            if first.key().0 > now {
                return;
            }
            let (place, path) = first.remove();
            match self.directories.get_mut(path.parent()) {
                Some(directory) => drop(directory.insert(place.newness())),
                None => {
                    let name = path.parent().to_owned();
                    self.directories.insert(name.clone(), BTreeSet::from([place.newness()]));
                    self.turns.push_back(name);
                }
            }
            self.of_its_kind(place).insert(place.age);
            self.due.insert(place.age, (place, path));
        }
    }

    /// When the next file is due; in the past when one is.
    pub fn next_due(&self) -> Option<Instant> {
        let later = self.next_later();
        let now = self.looked.filter(|_| !self.due.is_empty());
        now.into_iter().chain(later).min()
    }

    /// When the next file will be due that was not yet when it was last looked.
    pub fn next_later(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((due, _), _)| *due)
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
            join(&mut line, UploadPath::parse(&path).unwrap(), (since, now), false);
        }
        (line, now)
    }

    fn join(
        line: &mut Line,
        path: UploadPath,
        times: (Instant, Instant),
        is_backlog: bool,
    ) -> Place {
        let (since, due) = times;
        line.join(path, Coming { since, due, is_backlog })
    }

    fn order(line: &mut Line, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| line.next(now)).map(|path| path.to_string()).collect()
    }

    #[test]
    fn directories_take_turns() {
        let floods = (0..1_000).flat_map(|n| [format!("import/{n}"), format!("scans/{n}")]);
        // A stream of newer files hides it from the first rule.
        let hidden = ["products/cat.jpg".to_owned()].into_iter();
        let newer = (0..1_000).map(|n| format!("import/newer-{n}"));
        let (mut line, now) = line(floods.chain(hidden).chain(newer));
        let order = order(&mut line, now);
        let place = order.iter().position(|path| path == "products/cat.jpg").unwrap();
        assert!(place <= 9, "{:?}", &order[..9]);
        assert_eq!((order.len(), line.len(), line.next_due()), (3_001, 0, None));
    }

    #[test]
    fn what_has_just_come_is_next_whatever_its_directory() {
        for directory in ["0", "import"] {
            let many = (0..1_000).map(|n| format!("{n}/a.jpg"));
            let one = (0..1_000).map(|n| format!("import/{n}"));
            let (mut line, now) = line(many.chain(one));
            for _ in 0..100 {
                line.next(now);
            }
            let path = UploadPath::parse(&format!("{directory}/cat.jpg")).unwrap();
            join(&mut line, path.clone(), (now + Duration::from_secs(60), now), false);
            let next = [line.next(now), line.next(now), line.next(now)];
            assert!(next.contains(&Some(path)), "{next:?}");
        }
    }

    #[test]
    fn what_a_scan_goes_on_finding_is_not_new() {
        let (mut line, now) = (Line::default(), Instant::now());
        let path = |name: String| UploadPath::parse(&name).unwrap();
        let mut scan = 0;
        let mut find = |line: &mut Line| {
            scan += 1;
            let since = now + Duration::from_millis(scan);
            join(line, path(format!("import/{scan}")), (since, now), true);
        };
        for _ in 0..1_000 {
            find(&mut line);
        }
        for n in 0..100 {
            let cat = path(format!("import/cat-{n}"));
            join(&mut line, cat.clone(), (now + Duration::from_millis(n), now), false);
            let next = [(); 3].map(|()| {
                find(&mut line);
                line.next(now)
            });
            assert!(next.contains(&Some(cat)), "{next:?}");
        }
    }

    #[test]
    fn while_backlog_waits_the_others_take_turns_and_lose_nothing() {
        let (mut line, now) = (Line::default(), Instant::now());
        let second = Duration::from_secs(1);
        let path = |name: &str| UploadPath::parse(name).unwrap();
        for (name, is_backlog) in
            [("old", true), ("a", false), ("b", false), ("c", false), ("older", true)]
        {
            join(&mut line, path(name), (now, now), is_backlog);
        }
        join(&mut line, path("later"), (now, now + second), false);
        let new: Vec<_> = std::iter::from_fn(|| line.next_new(now)).collect();
        assert_eq!(new, ["c", "a", "b"].map(path), "the newest and the oldest take turns");
        assert_eq!(line.len(), 3);
        assert_eq!(line.next_later(), Some(now + second));
        assert_eq!(order(&mut line, now), ["older", "old"]);
    }

    #[test]
    fn the_oldest_is_not_passed_over_by_a_stream_of_new_ones() {
        let (mut line, now) = line((0..10).map(|n| format!("old/{n}")));
        let mut handed_out = Vec::new();
        for n in 0..30 {
            // One comes for each that is handed out.
            let path = UploadPath::parse(&format!("{n}/new")).unwrap();
            join(&mut line, path, (now + Duration::from_secs(1 + n), now), false);
            handed_out.push(line.next(now).unwrap().to_string());
        }
        let old = handed_out.iter().filter(|path| path.starts_with("old/"));
        assert_eq!(old.count(), 10, "{handed_out:?}");
    }

    #[test]
    fn what_leaves_is_not_handed_out_and_a_file_keeps_its_age() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let path = |name: &str| UploadPath::parse(name).unwrap();
        let mut line = Line::default();
        let gone = join(&mut line, path("a/gone"), (now, now), false);
        let later = join(&mut line, path("a/later"), (now, now + second), false);
        join(&mut line, path("old"), (now - second, now + second), false);
        join(&mut line, path("b/1"), (now, now), false);
        join(&mut line, path("b/2"), (now, now), false);
        assert_eq!(line.next_due(), Some(now));
        assert_eq!(line.after(now).count(), 2);
        assert_eq!(line.next(now), Some(path("b/2")));
        line.leave(gone);
        line.leave(gone); // Nobody stands there any more.
        line.leave(later);
        assert_eq!(line.len(), 2);
        assert_eq!(line.next(now), Some(path("b/1")), "its directory's turn");
        assert_eq!((line.next(now), line.next_due()), (None, Some(now + second)));
        assert_eq!(line.next(now + second), Some(path("old")));
        assert_eq!((line.next(now + second), line.len()), (None, 0));
    }
}
