//! The nouns of the program and the rules over them: pure code, without I/O, clock or runtime.

pub mod base64;
pub mod calendar;
pub mod digest;
pub mod entry;
pub mod health;
pub mod index;
pub mod latency;
pub mod log_limit;
pub mod mime;
pub mod moment;
pub mod patterns;
pub mod places;
pub mod plan;
pub mod recent_lines;
pub mod remote;
pub mod scratch;
pub mod secret;
pub mod settle;
pub mod size;
pub mod stat;
pub mod target;
pub mod timestamp;
pub mod upload_path;
pub mod version;

pub use digest::{Digest, Hasher};
pub use entry::{Entry, IndexRow, NewEntry, NewPayload};
pub use index::{Index, Look};
pub use patterns::Patterns;
pub use remote::ObjectStore;
pub use size::ByteSize;
pub use stat::FileStat;
pub use target::Target;
pub use timestamp::Timestamp;
pub use upload_path::UploadPath;
pub use version::Version;
