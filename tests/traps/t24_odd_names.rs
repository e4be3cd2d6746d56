//! Names that are legal and that nobody expects.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{count_lines, everywhere};

fn odd_names() -> Vec<String> {
    let mut names: Vec<String> = [
        "line\nbreak.jpg",
        "tab\tand \u{1b}[31mred\u{1b}[0m.jpg",
        "🐈‍⬛ cat.webp",
        "عکس‌ها/گربهٔ من.png",
        "-rf",
        "--help",
        "-/-x.jpg",
        "'; DROP TABLE image_cache; --.jpg",
        "\"quoted\" \\back\\slash.jpg",
        "100%_*?[a].jpg",
        " leading.jpg",
        "#123",
        "!important.jpg",
        "....",
        "\u{202e}gpj.exe",
        "\u{fffd}.jpg",
    ]
    .map(str::to_owned)
    .into();
    // 255 bytes, of one byte and of several each.
    names.push("n".repeat(255));
    names.push(format!("{}n", "ن".repeat(127)));
    names
}

fn stored_or_told(kind: Kind, place: &Path) {
    let sandbox = Sandbox::beneath(kind, place);
    let names = odd_names();
    let (before, after) = names.split_at(names.len() / 2);
    let bad = |place: &str| sandbox.uploads.join(place).join(OsStr::from_bytes(b"b\xe9b\xe9.jpg"));
    // Half of them for the scan, half for the watcher.
    for name in before {
        sandbox.write(name, name.as_bytes());
    }
    fs::write(bad(""), "not UTF-8").unwrap();
    let mut watch = sandbox.watch_with(&["scan_interval=1s"]);
    watch.wait_for_log("event=scan_finished");
    for name in after {
        sandbox.write(name, name.as_bytes());
    }
    sandbox.write("d/good.jpg", b"good");
    fs::write(bad("d"), "not UTF-8 either").unwrap();
    sandbox.wait_for_entries(names.len() + 1);
    for _ in 0..2 {
        watch.wait_for_log("event=scan_finished");
    }
    let (status, log) = watch.stop();
    assert!(status.success(), "{kind:?}: {log}");
    let told = count_lines(&log, &["level=warn", "event=skipped", "UTF-8"]);
    assert_eq!(told, 2, "each once:\n{log}");
    assert!(log.lines().all(|line| line.starts_with("ts=")), "a name has broken a line:\n{log}");

    let mut files = sandbox.files();
    files.retain(|path, _| path != "b\u{fffd}b\u{fffd}.jpg" && path != "d/b\u{fffd}b\u{fffd}.jpg");
    assert_eq!(files.len(), names.len() + 1);
    assert!(sandbox.contents() == files, "{kind:?}");
    let listed = sandbox.ok(&["list"]);
    assert_eq!(listed.lines().count(), names.len() + 1, "a line for each: {listed}");
    for name in &names[..5] {
        assert_eq!(sandbox.content(name), name.as_bytes(), "{name:?}");
        let found = sandbox.ok(&["list", &format!("--search={name}")]);
        assert_eq!(found.lines().count(), 1, "{kind:?}, {name:?}: {found}");
    }
    sandbox.remove();
}

#[test]
fn t24_odd_names_are_stored_or_skipped_and_told() {
    for (kind, place) in everywhere() {
        stored_or_told(kind, &place);
    }
}
