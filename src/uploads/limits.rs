//! Why there is no watch, and the limits of the kernel that are behind it most of the time.

use std::fmt;
use std::fs;

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
    let now: Option<u64> = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}"))
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let enough = now.map_or(enough, |now| enough.max(now.saturating_mul(2)));
    write!(f, "this user has used up its {what} (fs.inotify.{name}")?;
    if let Some(now) = now {
        write!(f, " = {now}")?;
    }
    write!(f, "); on the host, `sysctl -w fs.inotify.{name}={enough}` raises the limit")
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
