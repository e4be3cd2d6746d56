use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use imagecached::uploads::{Event, Found, Scanned, Watch, names, scan};

use crate::namespace::in_user_namespace;
use crate::{in_memory, on_disk, path};

/// Paths and sizes of the files, and what was skipped, each sorted.
fn scanned(root: &Path, beneath: &str) -> (Vec<(String, u64)>, Vec<String>, Scanned) {
    let (mut files, mut skipped) = (Vec::new(), Vec::new());
    let scanned = scan(root, beneath, &mut |found| {
        match found {
            Found::File(path, stat) => files.push((path.to_string(), stat.size)),
            Found::Skipped { shown, why } => skipped.push(format!("{shown}: {why}")),
            Found::Unreadable { shown, cause } => skipped.push(format!("{shown}: {cause}")),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    files.sort();
    skipped.sort();
    (files, skipped, scanned)
}

#[test]
fn every_file_is_found_once() {
    for dir in [on_disk(), in_memory()] {
        let root = dir.path();
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        fs::create_dir_all(root.join("empty")).unwrap();
        for (name, size) in [("top", 0), ("a/one", 1), ("a/b/c/three", 3), (".hidden", 4)] {
            fs::write(root.join(name), vec![0; size]).unwrap();
        }
        let (files, skipped, counts) = scanned(root, "");
        let want = [(".hidden", 4), ("a/b/c/three", 3), ("a/one", 1), ("top", 0)];
        assert_eq!(files, want.map(|(name, size)| (name.to_owned(), size)));
        assert_eq!(skipped, [""; 0]);
        assert_eq!(counts, Scanned { files: 4, directories: 5 });

        let (files, _, counts) = scanned(root, "a/b");
        assert_eq!(files, [("a/b/c/three".to_owned(), 3)]);
        assert_eq!(counts, Scanned { files: 1, directories: 2 });
    }
}

#[test]
fn names_are_those_of_the_files_that_a_scan_finds() {
    let dir = on_disk();
    let root = dir.path();
    fs::create_dir_all(root.join("a/b")).unwrap();
    let odd = OsStr::from_bytes(b"a/\xff.jpg");
    let ours = ["a/.imagecached-0123456789abcdef.tmp", ".imagecached"];
    for name in ["top", "a/one", "a/b/\u{1f408}", "a/.hidden"].iter().chain(&ours) {
        fs::write(root.join(name), "x").unwrap();
    }
    fs::write(root.join(odd), "x").unwrap();
    symlink("top", root.join("link")).unwrap();
    let _socket = UnixListener::bind(root.join("a/socket")).unwrap();
    let (found, ..) = scanned(root, "");
    let files = names(root).unwrap().files();
    assert_eq!(files.len(), found.len());
    assert!(found.iter().all(|(path, _)| files.contains(path)), "{found:?}");
    let all = names(root).unwrap().all();
    assert_eq!(all.len(), found.len() + 2);
    assert!(found.iter().all(|(path, _)| all.contains(path)));
    assert!(all.contains("link") && all.contains("a/socket") && !all.contains("a/b"));
    assert!(names(root).unwrap().unreadable.is_none());
    assert_eq!(names(&root.join("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn t17_t24_what_cannot_be_stored_is_told() {
    let dir = on_disk();
    let root = dir.path();
    fs::create_dir(root.join("d")).unwrap();
    fs::write(root.join("d/file"), "x").unwrap();
    symlink("d", root.join("dirlink")).unwrap();
    symlink("d/file", root.join("filelink")).unwrap();
    symlink("none", root.join("dangling")).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("fifo"), 0o600.into()).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.join("device"),
        rustix::fs::FileType::CharacterDevice,
        0o600.into(),
        rustix::fs::makedev(1, 3),
    )
    .expect("making a device needs root, and so does this test");
    fs::write(root.join(OsStr::from_bytes(b"caf\xe9.jpg")), "x").unwrap();
    fs::create_dir(root.join(OsStr::from_bytes(b"d\xe9"))).unwrap();
    fs::write(root.join(OsStr::from_bytes(b"d\xe9/in.jpg")), "x").unwrap();
    for odd in ["-rf", "a\nb", "عکس.png", "🐈"] {
        fs::write(root.join(odd), "x").unwrap();
    }
    let (files, skipped, _) = scanned(root, "");
    let files: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(files, ["-rf", "a\nb", "d/file", "عکس.png", "🐈"]);
    insta::assert_snapshot!(skipped.join("\n"), @r#"
    caf�.jpg: the name is not valid UTF-8, which the database column needs; rename the file
    dangling: it is, or is behind, a symlink, and none is followed
    device: it is a device, not a regular file
    dirlink: it is, or is behind, a symlink, and none is followed
    d�/in.jpg: the name is not valid UTF-8, which the database column needs; rename the file
    fifo: it is a FIFO, not a regular file
    filelink: it is, or is behind, a symlink, and none is followed
    socket: it is a socket, not a regular file
"#);
}

#[test]
fn a_tree_too_deep_for_the_database_is_told_and_not_entered() {
    let dir = on_disk();
    let name = "n".repeat(250);
    let mut deep = dir.path().to_owned();
    for _ in 0..9 {
        deep.push(&name);
        fs::create_dir(&deep).unwrap();
        fs::write(deep.join("f"), "x").unwrap();
    }
    let (files, skipped, _) = scanned(dir.path(), "");
    assert_eq!(files.len(), 8);
    assert_eq!(skipped.len(), 1, "{skipped:?}");
    assert!(skipped[0].contains("has 2258 bytes"), "{skipped:?}");
}

#[test]
fn missing_is_told_apart_from_vanished() {
    let dir = on_disk();
    let nothing = |found| panic!("found {found:?}");
    let error = scan(&dir.path().join("none"), "", &mut { nothing }).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(scan(dir.path(), "none/x", &mut { nothing }).unwrap(), Scanned::default());
    for escape in ["..", "/etc", "a/../.."] {
        let error = scan(dir.path(), escape, &mut { nothing }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}

#[test]
fn what_vanishes_during_a_scan_is_no_error() {
    let dir = on_disk();
    let root = dir.path();
    fs::write(root.join("stays"), "x").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                fs::create_dir_all(root.join("comes/and/goes")).unwrap();
                fs::write(root.join("comes/and/goes/f"), "x").unwrap();
                fs::remove_dir_all(root.join("comes")).unwrap();
            }
        });
        for _ in 0..500 {
            let (files, told, _) = scanned(root, "");
            assert!(files.contains(&("stays".to_owned(), 1)));
            assert_eq!(told, [""; 0]);
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_scan_ends_when_told() {
    let dir = on_disk();
    for number in 0..10 {
        fs::write(dir.path().join(number.to_string()), "x").unwrap();
    }
    let mut calls = 0;
    let counts = scan(dir.path(), "", &mut |_| {
        calls += 1;
        if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((calls, counts.unwrap().files), (3, 3));
}

/// For root nothing is unreadable. In a user namespace of its own that knows no user at all, the
/// process keeps its rights as the owner of its files and has no others.
#[test]
fn a_directory_without_rights_is_told() {
    in_user_namespace(&["--"], "scan::without_privilege");
}

#[test]
#[ignore = "run by a_directory_without_rights_is_told"]
fn without_privilege() {
    let dir = in_memory();
    fs::write(dir.path().join("open"), "x").unwrap();
    let closed = dir.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::write(closed.join("in"), "x").unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o000)).unwrap();
    let (files, told, _) = scanned(dir.path(), "");
    let (sink, events) = channel();
    let _watch = Watch::start(dir.path(), move |event| drop(sink.send(event))).unwrap();
    fs::write(dir.path().join("new"), "x").unwrap();
    let events: Vec<Event> = events.iter().take(3).collect();
    fs::set_permissions(&closed, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(files, [("open".to_owned(), 1)]);
    assert_eq!(told, ["closed: Permission denied (os error 13)"]);
    // The rest is watched nevertheless.
    let cause = "Permission denied (os error 13)".to_owned();
    let new = path("new");
    assert_eq!(
        events,
        [
            Event::Unwatched { shown: "closed".to_owned(), cause },
            Event::Touched(new.clone()),
            Event::Closed(new)
        ]
    );
}
