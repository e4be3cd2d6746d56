//! Why there is no watch, and the limits of the kernel that are behind it most of the time.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Why the upload directory cannot be watched. None of them stops the program: it scans instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchError {
    /// The user has as many inotify instances as the kernel allows, over all its containers.
    Instances,
    /// The user watches as many directories as the kernel allows, over all its containers.
    Watches,
    /// There is no upload directory.
    Gone,
    /// Anything else, in the words of the system.
    Other(String),
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the upload directory cannot be watched: ")?;
        match self {
            Self::Instances => {
                limit(f, "inotify instances", "max_user_instances", 1_024)?;
            }
            Self::Watches => {
                limit(f, "watched directories", "max_user_watches", 1_048_576)?;
            }
            Self::Gone => f.write_str("it does not exist")?,
            Self::Other(cause) => f.write_str(cause)?,
        }
        match self {
            Self::Gone => Ok(()),
            _ => f.write_str("; meanwhile it is scanned"),
        }
    }
}

impl std::error::Error for WatchError {}

/// Names a limit, its value now, and the command that raises it to `enough` or, when it is as high
/// already, doubles it.
fn limit(f: &mut fmt::Formatter<'_>, what: &str, name: &str, enough: u64) -> fmt::Result {
    let now = number(&format!("/proc/sys/fs/inotify/{name}"));
    let enough = now.map_or(enough, |now| enough.max(now.saturating_mul(2)));
    write!(f, "this user has used up its {what} (fs.inotify.{name}")?;
    if let Some(now) = now {
        write!(f, " = {now}")?;
    }
    write!(f, "); on the host, `sysctl -w fs.inotify.{name}={enough}` raises the limit")
}

/// How much of what the kernel gives one user for watching is taken, and how much there is; `None`
/// where `/proc` does not tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inotify {
    pub instances: Share,
    /// Watched directories.
    pub watches: Share,
}

/// A part of a limit that is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// By the processes of this user that can be seen from here: in other containers there may be
    /// more, which count as well.
    pub used: u64,
    pub limit: Option<u64>,
}

impl Inotify {
    /// Looks at the limits, and at every process of this user.
    #[must_use]
    pub fn look() -> Self {
        let limit = |name: &str| {
            // Each user namespace has a limit of its own besides, and the lower one counts.
            let own = number(&format!("/proc/sys/user/max_inotify_{name}"));
            let all = number(&format!("/proc/sys/fs/inotify/max_user_{name}"));
            own.into_iter().chain(all).min()
        };
        let mut inotify = Self {
            instances: Share { used: 0, limit: limit("instances") },
            watches: Share { used: 0, limit: limit("watches") },
        };
        let user = rustix::process::getuid().as_raw();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let numeric = process.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit());
            if numeric && process.metadata().is_ok_and(|process| process.uid() == user) {
                inotify.count(&process.path());
            }
        }
        inotify
    }

    /// Adds what one process has. One that ends meanwhile has nothing.
    fn count(&mut self, process: &Path) {
        for open in fs::read_dir(process.join("fd")).into_iter().flatten().flatten() {
            if !fs::read_link(open.path()).is_ok_and(|to| to == Path::new("anon_inode:inotify")) {
                continue;
            }
            self.instances.used += 1;
            let info = fs::read_to_string(process.join("fdinfo").join(open.file_name()));
            let watches =
                info.unwrap_or_default().lines().filter(|l| l.starts_with("inotify ")).count();
            self.watches.used += watches as u64;
        }
    }
}

/// The number that a file of the kernel holds.
fn number(file: &str) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with this machine's limits taken out.
    fn told(error: &WatchError) -> String {
        let mut text = error.to_string();
        for name in ["max_user_instances", "max_user_watches"] {
            let now = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).unwrap();
            text = text.replace(&format!("{name} = {}", now.trim()), &format!("{name} = NOW"));
        }
        let at = text.find("={").or_else(|| text.find("s=")).map(|at| at + 2);
        if let Some(at) = at {
            let end = text[at..].find('`').unwrap() + at;
            text.replace_range(at..end, "MORE");
        }
        text
    }

    #[test]
    fn what_is_watched_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/b")).unwrap();
        let watch = super::super::Watch::start(dir.path(), |_| {}).unwrap();
        let mut own = Inotify::default();
        own.count(Path::new("/proc/self"));
        // Other tests of this process may watch something at the same time.
        assert!(own.instances.used >= 1 && own.watches.used >= 3, "{own:?}");
        let all = Inotify::look();
        assert!(all.watches.limit.is_some() && all.watches.used >= 3, "{all:?}");
        drop(watch);
    }

    #[test]
    fn each_error_names_its_cure() {
        let errors = [
            WatchError::Instances,
            WatchError::Watches,
            WatchError::Gone,
            WatchError::Other("Function not implemented (os error 38)".to_owned()),
        ];
        insta::assert_snapshot!(errors.iter().map(told).collect::<Vec<_>>().join("\n"), @r"
        the upload directory cannot be watched: this user has used up its inotify instances (fs.inotify.max_user_instances = NOW); on the host, `sysctl -w fs.inotify.max_user_instances=MORE` raises the limit; meanwhile it is scanned
        the upload directory cannot be watched: this user has used up its watched directories (fs.inotify.max_user_watches = NOW); on the host, `sysctl -w fs.inotify.max_user_watches=MORE` raises the limit; meanwhile it is scanned
        the upload directory cannot be watched: it does not exist
        the upload directory cannot be watched: Function not implemented (os error 38); meanwhile it is scanned
        ");
    }
}
