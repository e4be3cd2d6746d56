use std::collections::BTreeSet;
use std::fs::{self, File};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use imagecached::model::UploadPath;
use imagecached::uploads::{Cause, Event, Found, Placer, Root, UploadDir, Watch, WatchError, scan};

use crate::{in_memory, on_disk, path};

/// Far longer than anything here takes: an event that has not come by then does not come.
const PATIENCE: Duration = Duration::from_secs(60);

/// The least that makes a whole capture: it follows the events as their documentation says, and
/// notes each file once its whole content is there.
struct Follower {
    root: PathBuf,
    opened: Root,
    watch: Watch,
    events: Receiver<Event>,
    /// A file counts when it has this many bytes.
    whole: u64,
    files: BTreeSet<String>,
    others: Vec<Event>,
    rescans: usize,
}

impl Follower {
    fn start(root: &Path, whole: u64) -> Self {
        let (sink, events) = channel();
        let watch = Watch::start(root, move |event| drop(sink.send(event))).unwrap();
        Self::with(root, watch, events, whole)
    }

    fn with(root: &Path, watch: Watch, events: Receiver<Event>, whole: u64) -> Self {
        Self {
            root: root.to_owned(),
            opened: UploadDir::new(root.to_owned()).open().unwrap(),
            watch,
            events,
            whole,
            files: BTreeSet::new(),
            others: Vec::new(),
            rescans: 0,
        }
    }

    fn scan(&mut self, beneath: &str) {
        scan(&self.root, beneath, &mut |found| {
            if let Found::File(path, stat) = found
                && stat.size == self.whole
            {
                self.files.insert(path.to_string());
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    }

    fn look(&mut self, path: &UploadPath) {
        if self.root.join(path.as_path()).is_dir() {
            self.watch.barrier().unwrap();
            self.scan(path.as_str());
        } else if self.opened.stat(path).unwrap().is_some_and(|stat| stat.size == self.whole) {
            self.files.insert(path.to_string());
        }
    }

    /// Works off one event.
    fn step(&mut self) {
        let event = self.events.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            panic!("no more events; {} files, {:?}", self.files.len(), self.others)
        });
        match &event {
            Event::Closed(path) | Event::Touched(path) | Event::Moved(path) => self.look(path),
            Event::Directory(path) => {
                self.watch.barrier().unwrap();
                self.scan(path);
            }
            Event::Rescan(_) => {
                self.rescans += 1;
                self.watch.rebuild().unwrap();
                self.scan("");
            }
            _ => {}
        }
        if !matches!(event, Event::Touched(_) | Event::Closed(_)) {
            self.others.push(event);
        }
    }

    fn until_seen(&mut self, count: usize) {
        while self.files.len() < count {
            self.step();
        }
    }

    fn until(&mut self, wanted: &Event) {
        while !self.others.contains(wanted) {
            self.step();
        }
    }

    /// Works off all that has happened so far. Whatever is handed out comes in order, so what comes
    /// before the mark has come when the mark has.
    fn settle(&mut self, mark: &str) {
        fs::write(self.root.join(mark), vec![0; self.whole as usize]).unwrap();
        while !self.files.contains(mark) {
            self.step();
        }
        self.files.remove(mark);
    }
}

#[test]
fn t01_the_first_file_of_a_new_directory_is_seen() {
    for dir in [on_disk(), in_memory()] {
        let mut follower = Follower::start(dir.path(), 1_000);
        let root = dir.path().to_owned();
        let app = std::thread::spawn(move || {
            for number in 0..500 {
                let parent = match number % 2 {
                    0 => root.join(format!("flat{number}")),
                    _ => root.join(format!("{}/{}/{number}/d", number % 7, number % 50)),
                };
                fs::create_dir_all(&parent).unwrap();
                fs::write(parent.join("cat.jpg"), [7; 1_000]).unwrap();
            }
        });
        follower.until_seen(500);
        app.join().unwrap();
        assert_eq!(follower.rescans, 0);
    }
}

#[test]
fn t02_after_an_overflow_everything_is_seen() {
    let dir = in_memory();
    let (sink, events) = channel();
    let (release, gate) = channel::<()>();
    let watch = Watch::start(dir.path(), move |event| {
        // Stands still until the other end is dropped; from then on `recv` returns at once.
        let _ = gate.recv();
        drop(sink.send(event));
    })
    .unwrap();
    let mut follower = Follower::with(dir.path(), watch, events, 1);
    for number in 0..20_000 {
        let parent = dir.path().join(format!("d{}", number % 50));
        if number < 50 {
            fs::create_dir(&parent).unwrap();
        }
        fs::write(parent.join(number.to_string()), "x").unwrap();
        // Enough in the watched root itself to fill the queue.
        fs::write(dir.path().join(format!("top{number}")), "x").unwrap();
    }
    drop(release);
    follower.until_seen(40_000);
    assert!(follower.rescans >= 1);
    assert!(follower.others.contains(&Event::Rescan(Cause::Overflow)));

    // The directories made meanwhile are watched now: each new file is seen without another scan.
    let rescans = follower.rescans;
    for number in 0..50 {
        fs::write(dir.path().join(format!("d{number}/later")), "x").unwrap();
    }
    follower.until_seen(40_050);
    assert_eq!(follower.rescans, rescans);
}

#[test]
fn t03_reads_make_no_events() {
    let dir = in_memory();
    fs::write(dir.path().join("served"), "x").unwrap();
    let mut follower = Follower::start(dir.path(), 1);
    for _ in 0..20_000 {
        fs::read(dir.path().join("served")).unwrap();
    }
    follower.settle("mark");
    assert_eq!((follower.files.len(), follower.rescans), (0, 0));
}

#[test]
fn t04_a_file_moved_in_is_seen() {
    let (dir, same) = (on_disk(), on_disk());
    let other = in_memory();
    fs::create_dir(dir.path().join("d")).unwrap();
    let mut follower = Follower::start(dir.path(), 5);
    fs::write(same.path().join("f"), "12345").unwrap();
    fs::rename(same.path().join("f"), dir.path().join("d/same")).unwrap();
    follower.until_seen(1);
    assert!(follower.others.contains(&Event::Moved(path("d/same"))));
    fs::write(other.path().join("f"), "12345").unwrap();
    // A rename between file systems is a copy.
    fs::copy(other.path().join("f"), dir.path().join("d/other")).unwrap();
    fs::rename(dir.path().join("d/same"), dir.path().join("renamed")).unwrap();
    follower.until_seen(3);
    follower.until(&Event::MovedAway("d/same".to_owned()));
}

#[test]
fn t05_a_moved_directory_is_seen_with_its_files() {
    for dir in [on_disk(), in_memory()] {
        fs::create_dir_all(dir.path().join("a/deep")).unwrap();
        for number in 0..50 {
            fs::write(dir.path().join(format!("a/{number}")), "x").unwrap();
            fs::write(dir.path().join(format!("a/deep/{number}")), "x").unwrap();
        }
        let mut follower = Follower::start(dir.path(), 1);
        fs::rename(dir.path().join("a"), dir.path().join("b")).unwrap();
        follower.until_seen(100);
        assert!(follower.files.iter().all(|name| name.starts_with("b/")));
        follower.until(&Event::MovedAway("a".to_owned()));
        // It is watched under its new name.
        fs::write(dir.path().join("b/deep/new"), "x").unwrap();
        follower.until_seen(101);
        assert!(follower.files.contains("b/deep/new"));
    }
}

#[test]
fn t08_deleted_and_made_again() {
    let dir = on_disk();
    fs::write(dir.path().join("f"), "old").unwrap();
    let mut follower = Follower::start(dir.path(), 7);
    fs::remove_file(dir.path().join("f")).unwrap();
    fs::write(dir.path().join("f"), "content").unwrap();
    follower.until_seen(1);
    assert_eq!(follower.others, [Event::Removed("f".to_owned())]);
}

/// The same directory, again and again: its watch must never be left on the one that is gone.
#[test]
fn a_directory_deleted_and_made_again_is_watched() {
    let dir = on_disk();
    let mut follower = Follower::start(dir.path(), 1);
    for number in 0..100 {
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::remove_dir(dir.path().join("d")).unwrap();
        fs::create_dir(dir.path().join("d")).unwrap();
        let name = format!("d/{number}");
        fs::write(dir.path().join(&name), "x").unwrap();
        while !follower.files.contains(&name) {
            follower.step();
        }
        fs::remove_dir_all(dir.path().join("d")).unwrap();
    }
    assert_eq!(follower.rescans, 0);
}

#[test]
fn links_rights_and_deletes_are_told() {
    let (dir, outside) = (on_disk(), on_disk());
    let root = dir.path();
    fs::write(outside.path().join("whole"), "x").unwrap();
    let (sink, events) = channel();
    let _watch = Watch::start(root, move |event| drop(sink.send(event))).unwrap();
    let next = || events.recv_timeout(PATIENCE).unwrap();
    fs::hard_link(outside.path().join("whole"), root.join("linked")).unwrap();
    assert_eq!(next(), Event::Touched(path("linked")));
    rustix::fs::chmodat(
        rustix::fs::CWD,
        root.join("linked"),
        0o600.into(),
        rustix::fs::AtFlags::empty(),
    )
    .unwrap();
    assert_eq!(next(), Event::Touched(path("linked")));
    drop(File::options().write(true).open(root.join("linked")).unwrap());
    assert_eq!(next(), Event::Closed(path("linked")));
    fs::rename(root.join("linked"), outside.path().join("away")).unwrap();
    assert_eq!(next(), Event::MovedAway("linked".to_owned()));
    fs::create_dir(root.join("d")).unwrap();
    assert_eq!(next(), Event::Directory("d".to_owned()));
    fs::remove_dir(root.join("d")).unwrap();
    assert_eq!(next(), Event::Removed("d".to_owned()));
    let odd = root.join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir(&odd).unwrap();
    let Event::Skipped { shown, .. } = next() else { panic!("not skipped") };
    assert_eq!(shown, "caf\u{fffd}");
}

#[test]
fn t09_the_end_of_the_root_is_told() {
    for how in ["deleted", "moved"] {
        let dir = on_disk();
        let root = dir.path().join("media");
        fs::create_dir(&root).unwrap();
        let (sink, events) = channel();
        let mut watch = Watch::start(&root, move |event| drop(sink.send(event))).unwrap();
        match how {
            "deleted" => fs::remove_dir(&root).unwrap(),
            _ => fs::rename(&root, dir.path().join("elsewhere")).unwrap(),
        }
        assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::RootGone), "{how}");
        assert_eq!(watch.rebuild(), Err(WatchError::Gone));
        fs::create_dir(&root).unwrap();
        watch.rebuild().unwrap();
        fs::write(root.join("f"), "x").unwrap();
        let closed = Event::Closed(path("f"));
        while events.recv_timeout(PATIENCE).unwrap() != closed {}
    }
}

/// A handle keeps a deleted directory alive, and then the kernel tells nothing of its end.
#[test]
fn an_open_root_tells_itself_that_it_is_gone() {
    let dir = on_disk();
    let root = dir.path().join("media");
    fs::create_dir(&root).unwrap();
    let opened = UploadDir::new(root.clone()).open().unwrap();
    let (sink, events) = channel();
    let watch = Watch::start(&root, move |event| drop(sink.send(event))).unwrap();
    fs::remove_dir(&root).unwrap();
    watch.barrier().unwrap();
    assert!(!opened.still_there());
    drop(opened);
    assert_eq!(events.recv_timeout(PATIENCE), Ok(Event::RootGone));
}

#[test]
fn our_own_drafts_are_not_told() {
    for dir in [on_disk(), in_memory()] {
        let root = UploadDir::new(dir.path().to_owned());
        for mut placer in [Placer::new(&root).unwrap(), Placer::with_named_drafts(&root).unwrap()] {
            let (sink, events) = channel();
            let watch = Watch::start(dir.path(), move |event| drop(sink.send(event))).unwrap();
            let mut draft = placer.draft(&path("cat.jpg")).unwrap();
            draft.write_all(b"meow").unwrap();
            draft.publish(0, 0o600).unwrap();
            fs::remove_file(dir.path().join("cat.jpg")).unwrap();
            watch.barrier().unwrap();
            let mut told = Vec::new();
            loop {
                told.push(events.recv_timeout(PATIENCE).unwrap());
                if told.last() == Some(&Event::Removed("cat.jpg".to_owned())) {
                    break;
                }
            }
            // Under its name it was never seen but whole, and the hidden name not at all. What
            // has no name the kernel calls by its inode's number.
            for event in &told {
                let (Event::Touched(path) | Event::Closed(path) | Event::Moved(path)) = event
                else {
                    continue;
                };
                let text = path.as_str();
                assert!(text == "cat.jpg" || text.starts_with('#'), "{told:?}");
            }
        }
    }
}
