//! Entries that would write outside the upload directory, put into the table by somebody else.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::everywhere;
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, files_beneath};

/// SQL texts for the path of an entry, and the name under which a refusal tells it.
fn hostile(sandbox: &Sandbox) -> Vec<(String, String)> {
    let long = "n".repeat(300);
    let outside = sandbox.beside().join("outside/absolute.jpg").display().to_string();
    let mut paths: Vec<(String, String)> = [
        "../x",
        "a/../../x",
        "/etc/imagecached-t16",
        &outside,
        &long,
        "link/through.jpg",
        "dangling.jpg",
        "fifo",
        "file.txt/below.jpg",
        "a//b",
        "./a",
        "a/.",
        "",
    ]
    .iter()
    .map(|path| (format!("'{path}'"), (*path).to_owned()))
    .collect();
    // PostgreSQL's text cannot hold it.
    match sandbox.database.kind {
        Kind::Sqlite => paths.push(("'nul' || char(0) || '.jpg'".into(), "nul\\0.jpg".into())),
        Kind::MariaDb => {
            paths.push(("CONCAT('nul', CHAR(0), '.jpg')".into(), "nul\\0.jpg".into()));
        }
        Kind::Postgres | Kind::PgBouncer => {}
    }
    paths
}

fn escapes_are_refused(kind: Kind, place: &Path) {
    let sandbox = Sandbox::beneath(kind, place);
    let hostile = hostile(&sandbox);
    for n in 0..hostile.len() {
        sandbox.write(&format!("hostile{n}.jpg"), format!("hostile {n}").as_bytes());
    }
    sandbox.ok(&["cache-all"]);
    for (n, (path, _)) in hostile.iter().enumerate() {
        let old = format!("hostile{n}.jpg");
        sandbox.sql(&format!(
            "UPDATE image_cache SET original_path = {path} WHERE original_path = '{old}'"
        ));
    }
    sandbox.wipe();
    let good = BTreeMap::from(
        ["good.jpg", "a/good.jpg", "a/b/c/good.jpg"]
            .map(|path| (path.to_owned(), path.as_bytes().to_vec())),
    );
    for (path, content) in &good {
        sandbox.write(path, content);
    }
    sandbox.ok(&["cache-all"]);
    sandbox.wipe();
    let outside = sandbox.beside().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, sandbox.uploads.join("link")).unwrap();
    symlink(outside.join("made-by-a-link"), sandbox.uploads.join("dangling.jpg")).unwrap();
    fs::write(sandbox.uploads.join("file.txt"), "a file").unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(sandbox.uploads.join("fifo")).status();
    assert!(fifo.unwrap().success());
    let beside = || files_beneath(sandbox.beside());
    let before: Vec<_> = beside().into_keys().collect();

    let output = sandbox.output(&["restore"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{kind:?}: {log}");
    for (_, shown) in &hostile {
        let named = log.lines().any(|line| {
            line.contains("event=restore_refused")
                && line.contains(&format!("path={shown}"))
                    | line.contains(&format!("path=\"{shown}\""))
        });
        assert!(named, "{kind:?}: {shown:?} is not named:\n{log}");
    }
    let mut there = sandbox.files();
    assert_eq!(there.remove("file.txt").unwrap(), b"a file");
    assert_eq!(there, good, "the rest");
    assert!(files_beneath(&outside).is_empty(), "{:?}", files_beneath(&outside));
    assert!(!fs::exists("/etc/imagecached-t16").unwrap());
    assert!(fs::symlink_metadata(sandbox.uploads.join("dangling.jpg")).unwrap().is_symlink());
    let new: Vec<_> = beside()
        .into_keys()
        .filter(|path| !before.contains(path) && !path.starts_with("media/"))
        .collect();
    assert_eq!(new, [""; 0], "something was written beside the upload directory");

    // An app starts all the same, and a plan names them, too.
    let (status, log) = Running::start(sandbox.run(&[], "exit 3")).wait();
    assert_eq!(status.code(), Some(3), "{log}");
    let plan = sandbox.ok(&["restore", "--dry-run"]);
    assert!(plan.contains("\"../x\" would be refused"), "{plan}");
    assert!(files_beneath(&outside).is_empty());

    // With nothing in the way any more, the names alone are a reason to refuse, and to say so.
    for name in ["link", "dangling.jpg", "fifo", "file.txt"] {
        fs::remove_file(sandbox.uploads.join(name)).unwrap();
    }
    let output = sandbox.output(&["restore"]);
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(sandbox.files().len(), good.len() + 4);
    assert!(sandbox.files().contains_key("link/through.jpg"));
    assert!(files_beneath(&outside).is_empty());
    sandbox.remove();
}

#[test]
fn t16_entries_that_would_escape_are_refused_and_the_rest_is_restored() {
    for (kind, place) in everywhere() {
        escapes_are_refused(kind, &place);
    }
}
