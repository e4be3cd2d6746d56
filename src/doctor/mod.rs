//! The doctor: looks over everything, and says what is wrong and what to type.
//!
//! Nothing stops it: a database that is away, or a directory that may not be read, is a finding among
//! the others. Each file here looks at one subject; asking is kept apart from judging, which is pure.

mod cache;
mod daemon;
mod database;
mod deep;
mod directory;
mod finding;
mod objects;
mod one;
mod platform;
mod probe;
mod watcher;

use std::sync::Arc;

pub use daemon::Daemon;
pub use deep::verify;
pub use finding::{Finding, Severity};
pub use one::{Verdict, verify_one};

use crate::objects::Objects;
use crate::process::Platform;
use crate::remote::Remote;
use crate::settings::{Settings, UploadDirError};
use crate::store::Store;
use crate::uploads::UploadDir;

/// What is looked over.
pub struct Patient {
    pub settings: Arc<Settings>,
    pub store: Arc<dyn Store>,
    /// The object store, where one is configured.
    pub remote: Option<Arc<dyn Remote>>,
    /// The same, as this database uses it.
    pub objects: Option<Arc<Objects>>,
    pub upload_dir: Place,
    pub platform: Option<Platform>,
    /// The daemon that guards the upload directory, if one runs here.
    pub daemon: Option<Daemon>,
}

/// The upload directory, as the process that asks has it.
pub enum Place {
    Here(UploadDir),
    /// One is configured that cannot be meant.
    Refused(UploadDirError),
    /// Another process has it; what is configured here says nothing about it. Only what can be told
    /// without it is looked at.
    Elsewhere,
}

impl Place {
    /// The directory, if it is here.
    fn here(&self) -> Option<&UploadDir> {
        match self {
            Self::Here(upload_dir) => Some(upload_dir),
            Self::Refused(_) | Self::Elsewhere => None,
        }
    }

    fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Elsewhere)
    }
}

/// Looks over everything but the stored bytes (see [`verify`]), and tells each finding at once.
/// Returns whether the database can be worked with.
pub async fn examine(patient: &Patient, tell: &mut (dyn FnMut(Finding) + Send)) -> bool {
    let tree = directory::examine(patient, tell).await;
    let usable = database::examine(patient, tell).await;
    objects::examine(patient, usable, tell).await;
    if !patient.upload_dir.is_elsewhere() {
        watcher::examine(patient, tree.as_ref(), tell).await;
    }
    platform::examine(patient, tell);
    if !patient.upload_dir.is_elsewhere() {
        daemon::examine(patient, tell);
    }
    cache::examine(patient, tree.as_ref(), usable, tell).await;
    usable
}

/// A name that nobody has, for something that is taken away again soon.
fn probe_name() -> std::io::Result<String> {
    Ok(format!("{}{:016x}", crate::model::scratch::PROBE, getrandom::u64()?))
}
