//! The upload path: a file's path relative to the upload directory.
//!
//! A value of this type can only name something beneath the upload directory. An entry in the
//! database is somebody else's text until it has passed [`UploadPath::parse`].

use std::fmt;
use std::path::{Component, Path};
use std::sync::Arc;

/// The longest upload path, in bytes. A unique index of PostgreSQL holds keys of up to 2,704 bytes
/// (a third of a page), and no other database here is narrower once the key is hashed.
pub const MAX_PATH_BYTES: usize = 2_048;

/// The longest single name on every Linux file system, in bytes (`NAME_MAX`).
pub const MAX_NAME_BYTES: usize = 255;

/// A file's path relative to the upload directory, `/` between its parts.
///
/// Never empty, never absolute, without `.`, `..`, empty parts or NUL; UTF-8, so that it fits into
/// a text column. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadPath(Arc<str>);

/// Why a text cannot be an upload path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// There is no name at all.
    #[error("the path is empty")]
    Empty,
    /// It begins with `/`.
    #[error("the path is absolute, and an upload path is relative to the upload directory")]
    Absolute,
    /// One of its parts is empty, `.` or `..`.
    #[error("the path has a part {0:?}, which could lead out of the upload directory")]
    Part(String),
    /// It contains a NUL byte.
    #[error("the path contains a NUL byte")]
    Nul,
    /// One name is longer than file systems allow.
    #[error("a name in the path has {0} bytes, and file systems allow {MAX_NAME_BYTES}")]
    LongName(usize),
    /// The whole path is longer than the database's unique key may be.
    #[error("the path has {0} bytes, and the cache takes paths of up to {MAX_PATH_BYTES}")]
    LongPath(usize),
    /// The file's name is not UTF-8, and the database's column is text.
    #[error("the name is not valid UTF-8, which the database column needs; rename the file")]
    NotUtf8,
}

impl UploadPath {
    /// Checks a text and takes it as an upload path.
    ///
    /// # Errors
    /// A [`PathError`] says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// Whether a text can be an upload path.
    ///
    /// # Errors
    /// As [`UploadPath::parse`].
    pub fn check(text: &str) -> Result<(), PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if text.contains('\0') {
            return Err(PathError::Nul);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError::LongPath(text.len()));
        }
        for part in text.split('/') {
            if matches!(part, "" | "." | "..") {
                return Err(PathError::Part(part.to_owned()));
            }
            if part.len() > MAX_NAME_BYTES {
                return Err(PathError::LongName(part.len()));
            }
        }
        Ok(())
    }

    /// Takes a relative path as the file system gives it.
    ///
    /// # Errors
    /// As [`UploadPath::parse`], and [`PathError::NotUtf8`].
    pub fn from_relative(path: &Path) -> Result<Self, PathError> {
        // On Unix the text of a relative path made of normal parts is already in our form; other
        // forms (`./a`, `a//b`) are put together again from their parts.
        let text = path.to_str().ok_or(PathError::NotUtf8)?;
        match Self::parse(text) {
            Err(PathError::Part(part)) if part != ".." => {
                let parts: Vec<_> = path
                    .components()
                    .filter(|part| !matches!(part, Component::CurDir))
                    .map(|part| part.as_os_str().to_str().ok_or(PathError::NotUtf8))
                    .collect::<Result<_, _>>()?;
                Self::parse(&parts.join("/"))
            }
            parsed => parsed,
        }
    }

    /// The whole path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as the operating system's type, still relative.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        Path::new(&*self.0)
    }

    /// The directories above the file, as text; empty for a file at the top.
    #[must_use]
    pub fn parent(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(parent, _)| parent)
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl fmt::Display for UploadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UploadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_paths_are_refused() {
        for text in ["", "/etc/x", "../x", "a/../x", "a//b", "a/./b", "a/", ".", "..", "a\0b"] {
            assert!(UploadPath::parse(text).is_err(), "{text:?} was taken");
        }
        assert_eq!(UploadPath::parse(&"n".repeat(256)), Err(PathError::LongName(256)));
        let long = vec!["d"; MAX_PATH_BYTES].join("/");
        assert!(matches!(UploadPath::parse(&long), Err(PathError::LongPath(_))));
    }

    #[test]
    fn odd_but_honest_names_are_taken() {
        for text in ["-rf", "a\nb.jpg", "عکس/گربه.png", "🐈.webp", "a b", "...", ".hidden", "a\\b"]
        {
            assert_eq!(UploadPath::parse(text).unwrap().as_str(), text);
        }
        assert!(UploadPath::parse(&"n".repeat(255)).is_ok());
    }

    #[test]
    fn parts_are_named() {
        let path = UploadPath::parse("a/b/c.jpg").unwrap();
        assert_eq!((path.parent(), path.file_name()), ("a/b", "c.jpg"));
        let top = UploadPath::parse("c.jpg").unwrap();
        assert_eq!((top.parent(), top.file_name()), ("", "c.jpg"));
    }

    #[test]
    fn a_relative_path_is_normalised() {
        let path = UploadPath::from_relative(Path::new("./a//b.jpg")).unwrap();
        assert_eq!(path.as_str(), "a/b.jpg");
        assert!(UploadPath::from_relative(Path::new("a/../b")).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_taken_stays_beneath_the_root(text in "\\PC{0,40}") {
            if let Ok(path) = UploadPath::parse(&text) {
                prop_assert!(path.as_path().components().all(|c| matches!(c, Component::Normal(_))));
            }
        }
    }
}
