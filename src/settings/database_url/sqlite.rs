//! SQLite's URLs: how many slashes mean what.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::{Understood, UrlError};
use crate::model::Target;

const CURE: &str = "write sqlite:////path/to/file.sqlite3 (four slashes: an absolute path) \
                    or sqlite://./file.sqlite3 (from the working directory)";

/// Whether there is a login where other URLs have theirs, as in SQLAlchemy's `sqlite+pysqlcipher://:passphrase@/file`:
/// a passphrase is no part of a file's name, and must not be shown as one.
pub(super) fn has_login(rest: &str) -> bool {
    let before_path = rest.strip_prefix("//").and_then(|rest| rest.split('/').next());
    before_path.is_some_and(|login| login.contains(':') && login.contains('@'))
}

/// Reads what follows `sqlite:`.
pub(super) fn parse(rest: &str, working_dir: &Path) -> Result<Understood, UrlError> {
    if has_login(rest) {
        return Err(UrlError::new(
            "has a login or a passphrase, which a plain SQLite file has not",
            format!("encrypted files cannot be used: {CURE}"),
        ));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| UrlError::new("has %-codes that are not UTF-8", CURE))?;
    let parameters: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let has = |key: &str, value: &str| parameters.iter().any(|(k, v)| k == key && v == value);
    if path.contains(":memory:") || has("mode", "memory") {
        return Err(UrlError::new(
            "is a database in memory, which is gone when the program ends",
            format!("name a file: {CURE}"),
        ));
    }
    if has("mode", "ro") || has("immutable", "1") {
        return Err(UrlError::new(
            "opens the database for reading only",
            "remove mode=ro and immutable=1: uploads are written into it",
        ));
    }
    if path.contains(|c: char| c.is_control()) {
        return Err(UrlError::new("has a line break or control character in its path", CURE));
    }
    let (file, notes) = file(&path, working_dir)?;
    if file.is_dir() {
        let why = format!("names a directory: {}", file.display());
        return Err(UrlError::new(why, "add the name of the file"));
    }
    Ok(Understood { target: Target::Sqlite(file), notes })
}

fn file(path: &str, working_dir: &Path) -> Result<(PathBuf, Vec<String>), UrlError> {
    let slashes = path.len() - path.trim_start_matches('/').len();
    let name = &path[slashes..];
    let bytes = name.as_bytes();
    if bytes.len() > 1 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
        return Err(UrlError::new("is a path of Windows", CURE));
    }
    if name.is_empty() {
        return Err(UrlError::new("names no file", CURE));
    }
    let absolute = Path::new("/").join(name);
    let relative = working_dir.join(name.trim_start_matches("./"));
    match slashes {
        0 | 2 => Ok((relative, Vec::new())),
        3 => Ok(three_slashes(absolute, relative)),
        _ => Ok((absolute, Vec::new())),
    }
}

/// `sqlite:///data/app.sqlite3` is `/data/app.sqlite3` to the driver and to SQLite itself, and
/// `data/app.sqlite3` to Django and SQLAlchemy. What is there on disk tells which is meant.
///
/// The directory `/` tells nothing, as it is always there: `sqlite:///db.sqlite3` is Django's default.
fn three_slashes(absolute: PathBuf, relative: PathBuf) -> (PathBuf, Vec<String>) {
    let directory = absolute.parent().filter(|parent| *parent != Path::new("/"));
    let (file, other) = if absolute.is_file() {
        (absolute, relative)
    } else if relative.is_file() {
        (relative, absolute)
    } else if directory.is_some_and(Path::is_dir) {
        (absolute, relative)
    } else {
        (relative, absolute)
    };
    let note = format!(
        "three slashes after sqlite: can mean two files: taken as {}, not as {}; \
         four slashes are always absolute, sqlite://./ is always relative",
        file.display(),
        other.display()
    );
    (file, vec![note])
}
