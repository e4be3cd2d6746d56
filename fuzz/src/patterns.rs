//! Patterns of the settings, and paths that they are held against.
//!
//! Lines before the first empty one are `exclude`, those before the second `include`, the rest are paths.

use imagecached::model::{Patterns, UploadPath};

/// More and longer ones than anybody writes, and few enough for many runs a second.
const MOST: usize = 16;
const LONGEST: usize = 256;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut groups = text.splitn(3, "\n\n").map(|group| {
        let lines = group.lines().filter(|line| line.len() <= LONGEST).take(MOST);
        lines.map(str::to_owned).collect::<Vec<_>>()
    });
    let mut group = || groups.next().unwrap_or_default();
    let (exclude, include, paths) = (group(), group(), group());
    let paths: Vec<_> = paths.iter().filter_map(|path| UploadPath::parse(path).ok()).collect();
    let none = Patterns::new(&[], &[]).expect("no pattern is no mistake");
    assert!(paths.iter().all(|path| none.takes(path)));
    let patterns = match Patterns::new(&exclude, &include) {
        Ok(patterns) => patterns,
        Err(error) => {
            let bad = [&exclude[..], &include[..]].concat();
            assert!(
                bad.contains(&error.pattern)
                    || error.pattern == exclude.join(" ")
                    || error.pattern == include.join(" "),
                "{error}: none of the patterns given"
            );
            return;
        }
    };
    let only_exclude = Patterns::new(&exclude, &[]).expect("they were read above");
    let only_include = Patterns::new(&["*".into()], &include).expect("they were read above");
    for path in &paths {
        let (out, back) = (!only_exclude.takes(path), only_include.takes(path));
        assert_eq!(patterns.takes(path), !out || back, "include beats exclude, for {path}");
        assert_eq!(patterns.takes(path), patterns.clone().takes(path));
    }
}
