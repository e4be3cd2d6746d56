//! The upload directory: the one directory tree that is watched, scanned, read and restored into.
//!
//! Every access goes through an open handle of the directory ([`Root`], [`Placer`]) and never
//! through a symlink, so that neither an entry of the database nor a link in the tree can lead out
//! of it. All of it is plain blocking code.

mod beneath;
pub mod disk;
mod draft;
mod draft_name;
mod limits;
mod marker;
mod names;
mod own_names;
pub mod read;
mod replace;
pub mod root;
pub mod scan;
mod stat;
mod sweep;
pub mod unflushed;
mod walk;
pub mod watch;
pub mod write;

pub use disk::Disk;
pub use draft::{Draft, Published};
pub use limits::{Inotify, Share, WatchError};
pub use marker::{Marker, MarkerError};
pub use names::{Names, names, names_swept};
pub use read::{OpenError, OpenFile};
pub use replace::Replaced;
pub use root::{Root, UploadDir};
pub use scan::{Found, Scanned, scan};
pub use stat::SkipReason;
pub use unflushed::Unflushed;
pub use watch::{Cause, Event, Watch};
pub use write::{PlaceError, Placer};
