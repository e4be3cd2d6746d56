//! The watch: the kernel tells what happens in the upload directory.
//!
//! What it tells is a hint where to look, never the truth: between an event and the look at the
//! file anything may have happened. Everything that it may miss, a scan finds.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use notify::event::{AccessKind, AccessMode, CreateKind, EventKind, ModifyKind, RenameMode};
use notify::{Config, ErrorKind, EventKindMask, INotifyWatcher, RecursiveMode, Watcher};
use rustix::io::Errno;

use super::limits::WatchError;
use super::own_names::is_own;
use super::stat::SkipReason;
use crate::model::UploadPath;
use crate::model::upload_path::PathError;

/// What the kernel is asked for. Neither opening nor reading: the app serving its pictures would
/// flood the queue. Not each write either (`MODIFY_DATA` is one event for every `write`, so one big
/// upload would): the close comes after the last one, and a file held open for ever is found by the
/// scan.
const WANTED: EventKindMask = EventKindMask::CREATE
    .union(EventKindMask::REMOVE)
    .union(EventKindMask::MODIFY_META)
    .union(EventKindMask::MODIFY_NAME)
    .union(EventKindMask::ACCESS_CLOSE);

/// Something has happened at this place. All paths are relative to the upload directory.
///
/// There may be nothing at the place any more, or never was: a file made without a name
/// (`O_TMPFILE`, as a restore does) is told as `#` and its inode's number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Somebody who had the file open for writing has closed it.
    Closed(UploadPath),
    /// Moved here, from elsewhere in the tree or from outside. The kernel's watcher does not say
    /// whether it is a file or a directory: look, and treat it as [`Event::Closed`] or
    /// [`Event::Directory`].
    Moved(UploadPath),
    /// Made (also a hard link to a whole file, after which no close comes), or its rights, owner or
    /// times were changed. May also be a directory's rights, a symlink or a FIFO: look.
    Touched(UploadPath),
    /// A new directory, whose files so far have given no events. First [`Watch::barrier`], then
    /// scan it, and nothing in it is missed.
    Directory(String),
    /// Deleted: a file, or a directory, whose files have told the same before.
    Removed(String),
    /// Moved away, to elsewhere in the tree or out of it: a file, or a directory with everything in it. The
    /// kernel's watcher does not say which.
    MovedAway(String),
    /// A name that cannot be stored.
    Skipped {
        /// The path for people.
        shown: String,
        /// Why it cannot.
        why: SkipReason,
    },
    /// This directory (or what is in it) gives no events. The watch of all others stands.
    Unwatched {
        /// The path for people.
        shown: String,
        /// What the system said, such as a lack of rights.
        cause: String,
    },
    /// Events were lost: [`Watch::rebuild`], then scan everything. Sent once, and not again before
    /// the rebuild.
    Rescan(Cause),
    /// The upload directory itself was deleted, moved away or unmounted.
    ///
    /// Of a delete the kernel tells only once nobody has the directory open any more, we included,
    /// and of a directory above that was moved it tells nothing: so ask [`Root::still_there`], too.
    ///
    /// [`Root::still_there`]: super::Root::still_there
    RootGone,
}

/// Why events were lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// More happened than the kernel's queue holds (`fs.inotify.max_queued_events`).
    Overflow,
    /// The watcher could not go on, or could not take in new directories.
    Watcher(WatchError),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow => f.write_str("more happened at once than the kernel's queue holds"),
            Self::Watcher(error) => error.fmt(f),
        }
    }
}

/// The watch over one upload directory. Dropped, it ends, and the sink with it soon after.
#[derive(Debug)]
pub struct Watch {
    watcher: INotifyWatcher,
    root: PathBuf,
    rescan_sent: Arc<AtomicBool>,
}

impl Watch {
    /// Watches `root` (absolute) and everything beneath it, symlinks aside. What was there before
    /// gives no events: scan after this.
    ///
    /// The sink is called on the watcher's own thread. It must return at once, since the kernel's
    /// queue fills meanwhile, and must neither wait for the thread that calls [`Watch::barrier`] nor
    /// call it: that one waits for this thread.
    ///
    /// # Errors
    /// A [`WatchError`]; the caller scans instead.
    pub fn start(
        root: &Path,
        mut sink: impl FnMut(Event) + Send + 'static,
    ) -> Result<Self, WatchError> {
        let rescan_sent = Arc::new(AtomicBool::new(false));
        let mut translator =
            Translator { root: root.to_owned(), rescan_sent: Arc::clone(&rescan_sent) };
        let config = Config::default().with_event_kinds(WANTED).with_follow_symlinks(false);
        let handler = move |event| {
            if let Some(event) = translator.translate(event) {
                sink(event);
            }
        };
        let mut watcher = INotifyWatcher::new(handler, config).map_err(why)?;
        watcher.watch(root, RecursiveMode::Recursive).map_err(why)?;
        Ok(Self { watcher, root: root.to_owned(), rescan_sent })
    }

    /// Waits until the watcher has worked off what it had begun. After it, the directory of every
    /// [`Event::Directory`] and [`Event::Moved`] that the sink has been given before is watched,
    /// with all directories beneath it.
    ///
    /// Why that is so (notify 9, `inotify.rs`): its thread does one thing at a time. `handle_inotify`
    /// hands out events and, before it returns, sets the watches of the new directories among them
    /// (`add_watches`); only then can `handle_messages` answer a question. So once a question that
    /// was asked after the event is answered, the watch stands, and a file that appears from then
    /// on gives an event. One that was there before is found by the scan that follows. A directory
    /// made inside meanwhile was either seen by the walk that sets the watches, or gives an
    /// [`Event::Directory`] of its own.
    ///
    /// # Errors
    /// The watcher's thread has ended.
    pub fn barrier(&self) -> Result<(), WatchError> {
        self.watcher.watched_paths().map(drop).map_err(why)
    }

    /// Waits until the sink has been given everything that happened before this call, and every directory
    /// among it is watched, as after [`Watch::barrier`].
    ///
    /// Why that is so (notify 9, `inotify.rs`): a batch of changes ends with a look into the kernel's queue
    /// (`handle_inotify` in `UpdatePaths`), so that an empty batch is just that look. What was found
    /// is handed out after the answer, but before the next question is taken.
    ///
    /// # Errors
    /// The watcher's thread has ended.
    pub fn catch_up(&mut self) -> Result<(), WatchError> {
        self.watcher.update_paths(Vec::new()).map_err(|error| why(error.source))?;
        self.barrier()
    }

    /// Sets all watches anew. Directories made while events were lost are not watched, and watching
    /// the root again does nothing for them as long as it is watched: so first unwatch it.
    ///
    /// Events that are on their way are lost: scan everything after it.
    ///
    /// # Errors
    /// A [`WatchError`], `Gone` when there is no root. Nothing, or a part only, is watched then: scan
    /// meanwhile, and try again later.
    pub fn rebuild(&mut self) -> Result<(), WatchError> {
        // First of all: events lost from here on are a reason for another rebuild.
        self.rescan_sent.store(false, Ordering::SeqCst);
        match self.watcher.unwatch(&self.root) {
            Ok(()) => {}
            // The root was gone, and its watch with it.
            Err(error) if matches!(error.kind, ErrorKind::WatchNotFound) => {}
            Err(error) => return Err(why(error)),
        }
        self.watcher.watch(&self.root, RecursiveMode::Recursive).map_err(why)
    }
}

/// Turns the watcher's events into ours.
struct Translator {
    root: PathBuf,
    rescan_sent: Arc<AtomicBool>,
}

impl Translator {
    fn translate(&mut self, event: notify::Result<notify::Event>) -> Option<Event> {
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.trouble(error),
        };
        // An overflow has no path, so it is looked at before anything else.
        if event.need_rescan() {
            return self.rescan(Cause::Overflow);
        }
        // Of a rename inside the tree, notify tells both ends and then (`Both`) the pair again.
        if matches!(event.kind, EventKind::Modify(ModifyKind::Name(RenameMode::Both))) {
            return None;
        }
        let path = event.paths.first()?.strip_prefix(&self.root).ok()?;
        let departed: Option<fn(String) -> Event> = match event.kind {
            EventKind::Remove(_) => Some(Event::Removed),
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                // What a moved directory tells of itself has no tracker. It comes after its parent
                // has told the same, and by then there may be something new of that name.
                if event.attrs.tracker().is_none() && !path.as_os_str().is_empty() {
                    return None;
                }
                Some(Event::MovedAway)
            }
            _ => None,
        };
        if path.as_os_str().is_empty() {
            return departed.map(|_| Event::RootGone);
        }
        let parent = path.parent().unwrap_or(path).as_os_str().as_encoded_bytes();
        if path.file_name().is_some_and(|name| is_own(parent, name.as_encoded_bytes())) {
            return None;
        }
        if let Some(departed) = departed {
            // Of a name that is not text nothing was stored either.
            return path.to_str().map(|path| departed(path.to_owned()));
        }
        let happened: fn(UploadPath) -> Event = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Event::Closed,
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Event::Moved,
            EventKind::Create(CreateKind::Folder) => {
                |path| Event::Directory(path.as_str().to_owned())
            }
            EventKind::Create(_) | EventKind::Modify(ModifyKind::Metadata(_)) => Event::Touched,
            _ => return None,
        };
        Some(match UploadPath::from_relative(path) {
            Ok(path) => happened(path),
            Err(why) => skipped(path, why),
        })
    }

    fn trouble(&self, error: notify::Error) -> Option<Event> {
        match (&error.kind, error.paths.first()) {
            // A directory that was gone before it could be watched.
            (ErrorKind::PathNotFound, _) => None,
            // One directory cannot be watched, and trying again would end the same way.
            (ErrorKind::Io(cause), Some(path)) => {
                let path = path.strip_prefix(&self.root).unwrap_or(path);
                Some(Event::Unwatched {
                    shown: path.display().to_string(),
                    cause: cause.to_string(),
                })
            }
            _ => self.rescan(Cause::Watcher(why(error))),
        }
    }

    fn rescan(&self, cause: Cause) -> Option<Event> {
        let sent = self.rescan_sent.swap(true, Ordering::SeqCst);
        (!sent).then_some(Event::Rescan(cause))
    }
}

fn skipped(path: &Path, why: PathError) -> Event {
    Event::Skipped { shown: path.to_string_lossy().into_owned(), why: SkipReason::Name(why) }
}

/// The watcher's error in terms of what to do about it.
fn why(error: notify::Error) -> WatchError {
    match error.kind {
        ErrorKind::MaxFilesWatch => WatchError::Watches,
        ErrorKind::PathNotFound => WatchError::Gone,
        ErrorKind::Io(ref cause)
            if Errno::from_io_error(cause) == Some(Errno::MFILE) && may_open_files() =>
        {
            WatchError::Instances
        }
        _ => WatchError::Other(error.to_string()),
    }
}

/// The kernel has one error for two limits: whether the other one, the number of open files of this
/// process, has not been reached.
fn may_open_files() -> bool {
    let opened: io::Result<_> = std::fs::File::open("/");
    opened.is_ok()
}
