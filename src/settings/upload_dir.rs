//! Whether a directory can be meant as the upload directory.
//!
//! Watching, storing and restoring a home directory, a source tree or `/etc` does harm, and a forgotten
//! variable is all it takes: Django's `MEDIA_ROOT = ""` is the project itself.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A directory that cannot be meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the upload directory cannot be {}: {why}; {cure}", path.display())]
pub struct UploadDirError {
    /// As far as it was understood.
    pub path: PathBuf,
    pub why: String,
    pub cure: String,
}

const SET_IT: &str =
    "set IMAGECACHED_UPLOAD_DIR to the directory that uploads are saved in (Django's MEDIA_ROOT)";

/// Each alone marks a source tree.
const STRONG_MARKS: [&str; 3] = ["manage.py", ".git", ".env"];
/// Two of them do: one alone may be an upload, and an upload must not be able to stop the program.
const WEAK_MARKS: [&str; 8] = [
    "Procfile",
    "Cargo.toml",
    "package.json",
    "composer.json",
    "Gemfile",
    "pyproject.toml",
    "requirements.txt",
    "wp-config.php",
];

/// Not these directories themselves; below them is fine (`/usr/src/app/media`, `/var/www/media`, `/dev/shm/x`).
const SYSTEM: [&str; 15] = [
    "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/opt", "/root", "/run", "/sbin",
    "/tmp", "/usr", "/var", "/var/tmp",
];
/// Nothing in here either.
const SYSTEM_TREES: [&str; 6] = ["/bin", "/boot", "/etc", "/proc", "/sbin", "/sys"];

/// Makes the upload directory absolute, with links resolved as far as it exists; a missing one is fine.
///
/// `allow_any` is the setting `allow_any_upload_dir`; `home` is `$HOME`.
///
/// # Errors
/// When the directory cannot be meant or is none, with the cure.
pub fn check_upload_dir(
    path: &Path,
    allow_any: bool,
    working_dir: &Path,
    home: Option<&Path>,
) -> Result<PathBuf, UploadDirError> {
    let refuse = |path: &Path, why: &str, cure: &str| {
        Err(UploadDirError { path: path.to_owned(), why: why.into(), cure: cure.into() })
    };
    if path.as_os_str().is_empty() {
        return refuse(path, "it is empty", SET_IT);
    }
    if path.starts_with("~") || path.to_string_lossy().starts_with('$') {
        let cure = "write the whole path: only a shell replaces ~ and $";
        return refuse(path, "nobody has put in what it stands for", cure);
    }
    let real = match resolved(&working_dir.join(path)) {
        Ok(real) => real,
        Err(cause) => {
            let cure = "make the directory readable, or set IMAGECACHED_UPLOAD_DIR to another one";
            return refuse(path, &cause.to_string(), cure);
        }
    };
    if real.exists() && !real.is_dir() {
        return refuse(&real, "it is a file, not a directory", SET_IT);
    }
    match mistaken_for(&real, working_dir, home) {
        Some(why) if !allow_any => {
            let cure = format!("{SET_IT}; if it is meant, set allow_any_upload_dir = true");
            refuse(&real, &why, &cure)
        }
        _ => Ok(real),
    }
}

/// What the directory is instead of an upload directory.
fn mistaken_for(real: &Path, working_dir: &Path, home: Option<&Path>) -> Option<String> {
    let same = |other: &Path| resolved(other).is_ok_and(|other| other == real);
    if real == Path::new("/") {
        return Some("it is the root of the whole system".into());
    }
    let inside = |tree: &str| resolved(Path::new(tree)).is_ok_and(|tree| real.starts_with(tree));
    if SYSTEM.iter().any(|system| same(Path::new(system)))
        || SYSTEM_TREES.iter().any(|tree| inside(tree))
    {
        return Some("it belongs to the system".into());
    }
    if home.is_some_and(same) {
        return Some("it is the home directory".into());
    }
    if same(working_dir) {
        return Some("it is the working directory, where the app itself is".into());
    }
    if resolved(working_dir).is_ok_and(|inside| inside.starts_with(real)) {
        return Some("the working directory, with the app itself, is inside it".into());
    }
    let holds = |mark: &&&str| real.join(mark).exists();
    if let Some(mark) = STRONG_MARKS.iter().find(holds) {
        return Some(format!("it holds {mark}, as a source tree does"));
    }
    let weak: Vec<_> = WEAK_MARKS.iter().filter(holds).copied().collect();
    (weak.len() > 1).then(|| format!("it holds {}, as a source tree does", weak.join(" and ")))
}

/// The path with links resolved as far as it exists; what does not exist yet is kept as it is.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let mut missing = Vec::new();
    let mut existing = path;
    loop {
        match existing.canonicalize() {
            Ok(real) => {
                return Ok(missing.into_iter().rev().fold(real, |path, part| path.join(part)));
            }
            Err(cause) if cause.kind() == ErrorKind::NotFound => {
                if existing.is_symlink() {
                    return Err(std::io::Error::other("it is a link to nothing"));
                }
                let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else {
                    return Err(std::io::Error::other(
                        "it has .. after a directory that is missing",
                    ));
                };
                missing.push(name);
                existing = parent;
            }
            Err(cause) => return Err(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &Path, working_dir: &Path) -> Result<PathBuf, String> {
        check_upload_dir(path, false, working_dir, Some(&working_dir.join("home")))
            .map_err(|error| error.to_string())
    }

    /// A working directory with its links resolved.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        (dir, real)
    }

    #[test]
    fn t18_a_root_that_cannot_be_meant_is_refused_with_a_cure() {
        let (_dir, work) = place();
        std::fs::create_dir(work.join("home")).unwrap();
        std::fs::write(work.join("file"), "").unwrap();
        std::os::unix::fs::symlink("/", work.join("link_to_root")).unwrap();
        std::os::unix::fs::symlink("nowhere", work.join("dangling")).unwrap();
        for mark in STRONG_MARKS {
            std::fs::create_dir_all(work.join("tree").join(mark).join(mark)).unwrap();
            let root = work.join("tree").join(mark);
            assert!(check(&root, &work).unwrap_err().contains(mark));
        }
        let weak = work.join("weak");
        std::fs::create_dir(&weak).unwrap();
        std::fs::write(weak.join("package.json"), "").unwrap();
        assert!(check(&weak, &work).is_ok(), "one upload stops the program");
        std::fs::write(weak.join("Procfile"), "").unwrap();

        let app = work.join("above/app");
        std::fs::create_dir_all(&app).unwrap();
        assert!(check(Path::new(".."), &app).unwrap_err().contains("is inside it"));

        for (path, why) in [
            ("", "empty"),
            ("/", "root of the whole system"),
            ("link_to_root", "root of the whole system"),
            ("/etc", "belongs to the system"),
            ("/etc/nginx", "belongs to the system"),
            ("/usr/", "belongs to the system"),
            ("/tmp", "belongs to the system"),
            ("/proc/1", "belongs to the system"),
            (".", "working directory"),
            ("home/..", "working directory"),
            ("home", "home directory"),
            ("file", "not a directory"),
            ("weak", "Procfile and package.json"),
            ("dangling", "link to nothing"),
            ("~/media", "nobody has put in"),
            ("$MEDIA_ROOT", "nobody has put in"),
        ] {
            let error = check(Path::new(path), &work).expect_err(path);
            assert!(error.contains(why), "{path}: {error}");
            assert!(
                error.contains(" set ") || error.contains("write"),
                "{path} has no cure: {error}"
            );
        }
    }

    #[test]
    fn what_can_be_meant_is_made_absolute() {
        let (_dir, work) = place();
        std::fs::create_dir(work.join("shared")).unwrap();
        std::os::unix::fs::symlink("shared", work.join("current")).unwrap();
        for (path, real) in [
            ("media", "media"),
            ("./a/b/media/", "a/b/media"),
            ("current/media", "shared/media"),
            ("shared/../media", "media"),
        ] {
            assert_eq!(check(Path::new(path), &work), Ok(work.join(real)), "{path}");
        }
        for path in ["/usr/src/app/media", "/var/www/media", "/srv/media", "/media"] {
            let checked = check(Path::new(path), &work);
            assert!(checked.is_ok(), "{checked:?}");
        }
    }

    #[test]
    fn any_directory_is_taken_when_the_operator_insists() {
        let (_dir, work) = place();
        let taken = |path: &str| check_upload_dir(Path::new(path), true, &work, None);
        assert_eq!(taken("."), Ok(work.clone()));
        assert_eq!(taken("/"), Ok("/".into()));
        assert!(taken("").is_err());
    }
}
