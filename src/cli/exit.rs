//! How the program ends: exit codes, and failures that carry one.

use std::fmt::Display;
use std::process::ExitCode;

use crate::remote::RemoteError;
use crate::settings::{SettingsError, UploadDirError};
use crate::store::{StoreError, Trouble};

/// The exit codes of every command. `run` ends with the app's own code once the app was started:
/// 128 and the signal's number when it was killed, 126 and 127 when it could not be executed or
/// found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done.
    Done = 0,
    /// It could not be done; the message says why.
    Failed = 1,
    /// The command line was wrong.
    Usage = 2,
    /// A setting was wrong, or the upload directory cannot be meant.
    Settings = 3,
    /// The database cannot be reached, or refuses.
    Database = 4,
    /// It was done, but not for every file: some failed, are damaged or not saved.
    Incomplete = 5,
    /// `doctor` has found something wrong.
    Findings = 6,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended before its time.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    /// For people: what, where, why and what to do.
    pub message: String,
}

impl Failure {
    /// A failure that none of the other codes fits.
    pub fn other(message: impl Display) -> Self {
        Self { exit: Exit::Failed, message: message.to_string() }
    }

    /// A wrong command line.
    pub fn usage(message: impl Display) -> Self {
        Self { exit: Exit::Usage, message: message.to_string() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error.trouble {
            Trouble::Value | Trouble::Other => Exit::Failed,
            Trouble::Away
            | Trouble::Busy
            | Trouble::Full
            | Trouble::Denied
            | Trouble::Schema
            | Trouble::Newer => Exit::Database,
        };
        Self { exit, message: error.to_string() }
    }
}

impl From<RemoteError> for Failure {
    fn from(error: RemoteError) -> Self {
        Self::other(error)
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self { exit: Exit::Settings, message: error.to_string() }
    }
}

impl From<UploadDirError> for Failure {
    fn from(error: UploadDirError) -> Self {
        Self { exit: Exit::Settings, message: error.to_string() }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_readme() {
        let readme = include_str!("../../README.md");
        for (exit, code) in [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Settings, 3),
            (Exit::Database, 4),
            (Exit::Incomplete, 5),
            (Exit::Findings, 6),
        ] {
            assert_eq!(exit as u8, code);
            assert!(readme.contains(&format!("| {code} |")), "README.md lacks exit code {code}");
        }
    }
}
