//! Upload paths: texts of other people's databases, and names on disk.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use imagecached::model::UploadPath;
use imagecached::model::upload_path::{MAX_NAME_BYTES, MAX_PATH_BYTES};

pub fn check(data: &[u8]) {
    let on_disk = UploadPath::from_relative(Path::new(OsStr::from_bytes(data)));
    if let Ok(path) = &on_disk {
        stays_beneath(path);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        assert!(on_disk.is_err(), "a name that is not UTF-8 was taken");
        return;
    };
    match UploadPath::parse(text) {
        Ok(path) => {
            stays_beneath(&path);
            assert_eq!(path.as_str(), text);
            assert_eq!(path.to_string(), text);
            assert_eq!(on_disk.as_ref(), Ok(&path), "text and name on disk are one path");
        }
        Err(why) => assert!(!why.to_string().is_empty()),
    }
}

/// A path never leads out of the directory that it is joined to, and is taken again as it is.
fn stays_beneath(path: &UploadPath) {
    let text = path.as_str();
    assert!(path.as_path().components().all(|part| matches!(part, Component::Normal(_))));
    assert!(Path::new("/root").join(path.as_path()).starts_with("/root"));
    assert!(!text.is_empty() && text.len() <= MAX_PATH_BYTES && !text.contains('\0'));
    assert!(text.split('/').all(|part| !part.is_empty() && part.len() <= MAX_NAME_BYTES));
    assert_eq!(UploadPath::parse(text).as_ref(), Ok(path));
    let whole = match path.parent() {
        "" => path.file_name().to_owned(),
        parent => format!("{parent}/{}", path.file_name()),
    };
    assert_eq!(whole, text);
}
