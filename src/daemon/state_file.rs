//! The state of the running daemon, written down for `imagecached status`.
//!
//! One small JSON file for each upload directory and user, outside the upload directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::daemon::Parts;
use crate::model::Digest;
use crate::model::health::{Counters, LastError, Verified, Watcher};

/// What a running daemon says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub pid: u32,
    /// Files that are seen and not yet safe.
    pub unsaved: u64,
    pub captured_files: u64,
    pub captured_bytes: u64,
    pub restored_files: u64,
    pub failures: u64,
    pub damaged_entries: u64,
    pub watcher: Watcher,
    /// Why the database is away, when it is.
    pub database_away: Option<String>,
    pub restore_finished: bool,
    /// What the restore has left undone and why it stopped, when it has; it is tried again.
    #[serde(default)]
    pub restore_stopped: Option<String>,
    /// Why deletes were not taken for meant, the last time.
    #[serde(default)]
    pub delete_brake: Option<String>,
    pub last_errors: Vec<LastError>,
    /// What its own verifying has come to, where it was asked for.
    #[serde(default)]
    pub verify: Option<VerifyState>,
}

/// What the daemon's own verifying has come to since it started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyState {
    /// Entries that were read and compared.
    pub entries: u64,
    pub mended: u64,
    pub not_mended: u64,
    /// Former contents that are damaged.
    #[serde(default)]
    pub damaged_versions: u64,
    /// When it had been around all entries for the last time (RFC 3339).
    pub last_round: Option<String>,
}

impl From<Verified> for VerifyState {
    fn from(verified: Verified) -> Self {
        let Verified { entries, mended, not_mended, damaged_versions, last_round } = verified;
        let last_round = last_round.map(|at| at.to_string());
        Self { entries, mended, not_mended, damaged_versions, last_round }
    }
}

impl State {
    fn of(parts: &Parts) -> Self {
        let health = &parts.context.health;
        let counters = &health.counters;
        Self {
            pid: std::process::id(),
            unsaved: parts.scanner.unsaved().0 as u64,
            captured_files: Counters::get(&counters.captured_files),
            captured_bytes: Counters::get(&counters.captured_bytes),
            restored_files: Counters::get(&counters.restored_files),
            failures: Counters::get(&counters.failures),
            damaged_entries: Counters::get(&counters.damaged_entries),
            watcher: health.watcher(),
            database_away: health.database_away(),
            restore_finished: parts.progress.borrow().finished,
            restore_stopped: health.restore_stopped(),
            delete_brake: health.delete_brake(),
            last_errors: health.last_errors(),
            verify: health.verified().map(VerifyState::from),
        }
    }

    /// The state of the daemon that guards `root`, if one runs on this machine as this user.
    #[must_use]
    pub fn read(state_dir: &Path, root: &Path) -> Option<Self> {
        let path = file_of(state_dir, root);
        let file = fs::File::open(&path).ok()?;
        // In a directory that everybody may write to, only our own word counts.
        if file.metadata().ok()?.uid() != rustix::process::getuid().as_raw() {
            return None;
        }
        let state: Self = serde_json::from_reader(io::BufReader::new(file)).ok()?;
        let alive = Path::new("/proc").join(state.pid.to_string()).exists();
        alive.then_some(state)
    }
}

/// Writes the state when it has changed.
#[derive(Debug, Default)]
pub struct Writer {
    last: Option<State>,
}

impl Writer {
    pub fn write(&mut self, parts: &Parts) {
        let state = State::of(parts);
        if self.last.as_ref() == Some(&state) {
            return;
        }
        let path = file_of(&parts.context.settings.state_dir, parts.upload_dir.root());
        // `status` without it shows what the database and the disk tell: no reason to complain.
        if let Err(error) = replace(&path, &state) {
            tracing::debug!(event = "upkeep_failed", reason = %error, "`status` knows less");
        }
        self.last = Some(state);
    }
}

/// Removes the state at the end.
pub fn remove(parts: &Parts) {
    let path = file_of(&parts.context.settings.state_dir, parts.upload_dir.root());
    let _ = fs::remove_file(path);
}

fn replace(path: &Path, state: &State) -> io::Result<()> {
    let new = path.with_extension(format!("{}.new", state.pid));
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    fs::rename(&new, path)
}

fn file_of(state_dir: &Path, root: &Path) -> PathBuf {
    let digest = Digest::of(root.as_os_str().as_encoded_bytes()).to_string();
    let user = rustix::process::getuid().as_raw();
    state_dir.join(format!("imagecached-{user}-{}.json", &digest[..16]))
}
