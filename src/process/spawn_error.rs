//! Why the app could not be started, told to the person who wrote the command.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

/// The app could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {}: {cause}; {cure}", program.display())]
pub struct SpawnError {
    /// The program as it was given.
    pub program: OsString,
    /// What the system said.
    pub cause: io::Error,
    /// What to do about it.
    pub cure: String,
    code: u8,
}

impl SpawnError {
    /// The exit code that shells use: 127 when the program was not found, 126 when it was found and
    /// could not be executed, or when the system could not start any process.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.code.into()
    }

    pub(super) fn no_command() -> Self {
        Self {
            program: "nothing".into(),
            cause: io::Error::new(io::ErrorKind::InvalidInput, "no command was given"),
            cure: "write it after two dashes, such as `-- gunicorn shop.wsgi`".into(),
            code: 127,
        }
    }

    pub(super) fn new(program: &OsStr, cause: io::Error) -> Self {
        let (code, cure) = explain(program, &cause);
        Self { program: program.to_owned(), cause, cure, code }
    }
}

fn explain(program: &OsStr, cause: &io::Error) -> (u8, String) {
    let name = program.to_string_lossy();
    let path = Path::new(program);
    match cause.kind() {
        // The kernel says "not found" also when a script is there and its interpreter is not.
        io::ErrorKind::NotFound if name.contains('/') && path.exists() => (
            126,
            "the file is there, but the interpreter in its first line (`#!…`), or the loader it was \
             linked for, is not"
                .into(),
        ),
        io::ErrorKind::NotFound => (127, cure_for_missing(&name)),
        io::ErrorKind::PermissionDenied if path.is_dir() => {
            (126, "this is a directory: name the program in it".into())
        }
        io::ErrorKind::PermissionDenied => (
            126,
            format!("make it executable (`chmod +x {name}`), or name its interpreter before it"),
        ),
        io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory => (
            126,
            "the limit of processes or memory is reached: start fewer workers, or take a larger \
             container"
                .into(),
        ),
        io::ErrorKind::ArgumentListTooLong => {
            (126, "arguments and environment together are too long: shorten them".into())
        }
        _ => match cause.raw_os_error() {
            Some(libc::ENOEXEC) => (
                126,
                "it is neither a program for this machine nor a script that begins with `#!`: build \
                 it for this machine, or name its interpreter before it"
                    .into(),
            ),
            _ => (126, "try the same command without imagecached".into()),
        },
    }
}

fn cure_for_missing(name: &str) -> String {
    // The three ways in which a command that works in a shell does not work word for word.
    if name.contains(' ') {
        "the whole command came as one word and no shell splits it: remove the quotes".into()
    } else if !name.contains('/') && name.contains('=') {
        "no shell is used, so a variable before the command is taken for the program: write `env` \
         before it"
            .into()
    } else if !name.contains('/') && Path::new(name).is_file() {
        format!("it is in this directory, which is not on the PATH: write `./{name}`")
    } else if name.contains('/') {
        "there is no such file: check the path, and the directory that the command starts in".into()
    } else {
        "it is not on the PATH: check the spelling, and that the build installed it".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(program: &str, errno: i32) -> (i32, String) {
        let error = SpawnError::new(OsStr::new(program), io::Error::from_raw_os_error(errno));
        (error.code(), error.to_string())
    }

    #[test]
    fn each_text_says_what_and_why_and_what_to_do() {
        let (code, text) = told("gunicron", libc::ENOENT);
        assert_eq!(code, 127);
        assert_eq!(
            text,
            "cannot start gunicron: No such file or directory (os error 2); it is not on the PATH: \
             check the spelling, and that the build installed it"
        );
        assert!(told("gunicorn shop.wsgi", libc::ENOENT).1.ends_with("remove the quotes"));
        assert!(told("PORT=80", libc::ENOENT).1.ends_with("write `env` before it"));
        assert!(told("/app/no/such", libc::ENOENT).1.contains("there is no such file"));
        // The tests run in the package's directory.
        assert!(told("Cargo.toml", libc::ENOENT).1.ends_with("write `./Cargo.toml`"));
        assert_eq!(told("./Cargo.toml", libc::ENOENT).0, 126, "a script without its interpreter");
        assert!(told("./Cargo.toml", libc::EACCES).1.contains("chmod +x ./Cargo.toml"));
        assert!(told("/usr", libc::EACCES).1.contains("this is a directory"));
        assert!(told("./x", libc::ENOEXEC).1.contains("#!"));
        assert!(told("./x", libc::EAGAIN).1.contains("fewer workers"));
        for errno in [libc::EACCES, libc::ENOEXEC, libc::EAGAIN, libc::E2BIG, libc::EIO] {
            assert_eq!(told("./x", errno).0, 126);
        }
    }
}
