use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use imagecached::model::FileStat;
use imagecached::uploads::{PlaceError, Placer, Published, UploadDir, names_swept};

use crate::{in_memory, listing, on_disk, path};

const MTIME: i64 = 1_600_000_000_123_456_789;

/// A placer that makes drafts without a name, and one that makes them under a hidden one.
fn both_ways(root: &Path) -> [Placer; 2] {
    let dir = UploadDir::new(root.to_owned());
    [Placer::new(&dir).unwrap(), Placer::with_named_drafts(&dir).unwrap()]
}

/// Puts a file back in one go.
fn place(placer: &mut Placer, name: &str, bytes: &[u8]) -> Result<Published, PlaceError> {
    let mut draft = placer.draft(&path(name))?;
    draft.write_all(bytes)?;
    draft.publish(MTIME, 0o640)
}

fn placed(published: Result<Published, PlaceError>) -> FileStat {
    match published {
        Ok(Published::Placed(stat)) => stat,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_comes_back_with_its_time_and_rights() {
    for dir in [on_disk(), in_memory()] {
        for (number, mut placer) in both_ways(dir.path()).into_iter().enumerate() {
            let name = format!("products/2026/{number}/cat.jpg");
            let stat = placed(place(&mut placer, &name, b"meow"));
            let meta = fs::metadata(dir.path().join(&name)).unwrap();
            assert_eq!(fs::read(dir.path().join(&name)).unwrap(), b"meow");
            assert_eq!((stat.size, stat.mtime_ns, stat.mode), (4, MTIME, 0o640));
            assert_eq!(meta.mtime() * 1_000_000_000 + meta.mtime_nsec(), MTIME);
            assert_eq!(meta.mode() & 0o7777, 0o640);
            // A scan afterwards sees the very same file, and so stores nothing.
            let root = UploadDir::new(dir.path().to_owned()).open().unwrap();
            assert_eq!(root.stat(&path(&name)).unwrap(), Some(stat));
            placer.sync().unwrap();
        }
        let all = listing(dir.path());
        assert_eq!(all.len(), 6, "nothing but two files and their directories: {all:?}");
    }
}

#[test]
fn dangerous_rights_are_not_given_back() {
    let dir = on_disk();
    for (number, mut placer) in both_ways(dir.path()).into_iter().enumerate() {
        let draft = placer.draft(&path(&number.to_string())).unwrap();
        // Before 1970, too.
        let stat = placed(draft.publish(-1, 0o107_777));
        assert_eq!((stat.mode, stat.mtime_ns), (0o775, -1));
    }
}

#[test]
fn rights_given_at_birth_are_those_that_are_wanted() {
    let dir = on_disk();
    let root = UploadDir::new(dir.path().to_owned()).open().unwrap();
    for (number, mut placer) in both_ways(dir.path()).into_iter().enumerate() {
        // The usual umask takes the second one's, and whether it does is known by the third.
        for mode in [0o644, 0o775, 0o664, 0o400, 0o107_777] {
            let path = path(&format!("{number}/{mode:o}"));
            let mut draft = placer.brief_draft(&path, mode).unwrap();
            draft.write_all(b"meow").unwrap();
            let stat = placed(draft.publish(MTIME, mode));
            assert_eq!((stat.size, stat.mtime_ns, stat.mode), (4, MTIME, mode & 0o775), "{path}");
            assert_eq!(root.stat(&path).unwrap(), Some(stat), "{path}");
        }
        // What is wanted in the end counts.
        let draft = placer.brief_draft(&path("late"), 0o644).unwrap();
        assert_eq!(placed(draft.publish(MTIME, 0o600)).mode, 0o600);
        fs::remove_file(dir.path().join("late")).unwrap();
    }
}

#[test]
fn t14_a_file_that_exists_is_never_touched() {
    for dir in [on_disk(), in_memory()] {
        for mut placer in both_ways(dir.path()) {
            let name = dir.path().join("cat.jpg");
            fs::write(&name, "local").unwrap();
            assert!(matches!(placer.draft(&path("cat.jpg")), Err(PlaceError::Exists)));
            fs::remove_file(&name).unwrap();

            // One that comes while the draft is written wins as well.
            let mut draft = placer.draft(&path("cat.jpg")).unwrap();
            draft.write_all(b"restored").unwrap();
            fs::write(&name, "newer").unwrap();
            assert_eq!(draft.publish(MTIME, 0o600).unwrap(), Published::Exists);
            assert_eq!(fs::read(&name).unwrap(), b"newer");
            assert_eq!(listing(dir.path()), ["cat.jpg"]);
            fs::remove_file(&name).unwrap();
        }
    }
}

#[test]
fn nothing_has_the_name_before_it_is_whole() {
    for dir in [on_disk(), in_memory()] {
        let [mut nameless, mut named] = both_ways(dir.path());
        let mut draft = nameless.draft(&path("f")).unwrap();
        draft.write_all(b"half").unwrap();
        assert_eq!(listing(dir.path()), [""; 0]);
        drop(draft);

        let mut draft = named.draft(&path("f")).unwrap();
        draft.write_all(b"half").unwrap();
        let hidden = listing(dir.path());
        assert_eq!(hidden.len(), 1);
        assert!(hidden[0].starts_with(".imagecached-") && hidden[0].ends_with(".tmp"));
        let mode = fs::metadata(dir.path().join(&hidden[0])).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "what is unfinished is nobody else's to read");
        // One that is being written is not swept away; one whose writer is gone is.
        assert_eq!(names_swept(dir.path()).unwrap().1, 0);
        drop(draft);
        assert_eq!(listing(dir.path()), [""; 0]);
    }
}

#[test]
fn t11_what_a_killed_restore_left_is_swept() {
    let dir = on_disk();
    fs::create_dir_all(dir.path().join("a/b")).unwrap();
    let stay = [".imagecached-notes.tmp", "a/.imagecached-0123456789abcdef.jpg", "a/f"];
    let go = [".imagecached-0123456789abcdef.tmp", "a/b/.imagecached-fedcba9876543210.tmp"];
    for name in stay.iter().chain(&go) {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    symlink("a/f", dir.path().join(".imagecached-aaaaaaaaaaaaaaaa.tmp")).unwrap();
    assert_eq!(names_swept(dir.path()).unwrap().1, 2);
    assert_eq!(names_swept(dir.path()).unwrap().1, 0);
    for name in stay {
        assert!(dir.path().join(name).exists(), "{name}");
    }
    for name in go {
        assert!(!dir.path().join(name).exists(), "{name}");
    }
}

#[test]
fn t16_nothing_is_written_through_a_link_or_over_something_else() {
    let outside = on_disk();
    fs::write(outside.path().join("secret"), "s").unwrap();
    let dir = on_disk();
    let root = dir.path();
    fs::create_dir_all(root.join("a/dir")).unwrap();
    fs::write(root.join("a/file"), "f").unwrap();
    symlink(outside.path(), root.join("a/out")).unwrap();
    symlink("dir", root.join("a/in")).unwrap();
    symlink(outside.path().join("secret"), root.join("a/link.jpg")).unwrap();
    symlink(outside.path().join("new"), root.join("a/dangling.jpg")).unwrap();
    let before = listing(root);
    let mut told = Vec::new();
    for mut placer in both_ways(root) {
        told.clear();
        for name in [
            "a/out/new.jpg",
            "a/out/deep/new.jpg",
            "a/in/new.jpg",
            "a/link.jpg",
            "a/dangling.jpg",
            "a/dir",
            "a/file/x.jpg",
            "a/file/x/y.jpg",
        ] {
            match placer.draft(&path(name)) {
                Err(error @ PlaceError::Escapes { .. }) => told.push(format!("{name}: {error}")),
                other => panic!("{name}: {other:?}"),
            }
            let brief = placer.brief_draft(&path(name), 0o600);
            match brief.and_then(|draft| draft.publish(MTIME, 0o600)) {
                Err(error @ PlaceError::Escapes { .. }) => {
                    assert_eq!(told.last(), Some(&format!("{name}: {error}")));
                }
                other => panic!("{name}: {other:?}"),
            }
        }
        // A link that appears between draft and publication is not followed either.
        let draft = placer.draft(&path("a/late.jpg")).unwrap();
        symlink(outside.path().join("new"), root.join("a/late.jpg")).unwrap();
        let error = draft.publish(MTIME, 0o600).unwrap_err();
        assert!(matches!(error, PlaceError::Escapes { .. }), "{error}");
        fs::remove_file(root.join("a/late.jpg")).unwrap();
    }
    assert_eq!(listing(outside.path()), ["secret"]);
    assert_eq!(listing(root), before);
    insta::assert_snapshot!(told.join("\n"), @r#"
    a/out/new.jpg: "a/out" is a symlink, and nothing is written through it or over it; move it away
    a/out/deep/new.jpg: "a/out" is a symlink, and nothing is written through it or over it; move it away
    a/in/new.jpg: "a/in" is a symlink, and nothing is written through it or over it; move it away
    a/link.jpg: "a/link.jpg" is a symlink, and nothing is written through it or over it; move it away
    a/dangling.jpg: "a/dangling.jpg" is a symlink, and nothing is written through it or over it; move it away
    a/dir: "a/dir" is a directory, and nothing is written through it or over it; move it away
    a/file/x.jpg: "a/file" is a file, and nothing is written through it or over it; move it away
    a/file/x/y.jpg: "a/file" is a file, and nothing is written through it or over it; move it away
"#);
}

#[test]
fn workers_make_the_same_directories_at_once() {
    let dir = on_disk();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let root = dir.path();
            scope.spawn(move || {
                let mut placer = Placer::new(&UploadDir::new(root.to_owned())).unwrap();
                for number in 0..50 {
                    let name = format!("{number}/deep/er/{worker}");
                    placed(place(&mut placer, &name, b"x"));
                }
            });
        }
    });
    assert_eq!(listing(dir.path()).iter().filter(|name| !name.ends_with('/')).count(), 200);
}

#[test]
fn a_directory_moved_away_does_not_take_the_next_file_with_it() {
    let dir = on_disk();
    let outside = on_disk();
    for mut placer in both_ways(dir.path()) {
        placed(place(&mut placer, "a/one", b"1"));
        fs::rename(dir.path().join("a"), outside.path().join("a")).unwrap();
        placed(place(&mut placer, "a/two", b"2"));
        assert_eq!(listing(dir.path()), ["a/", "a/two"]);
        assert_eq!(listing(outside.path()), ["a/", "a/one"]);
        fs::remove_dir_all(dir.path().join("a")).unwrap();
        fs::remove_dir_all(outside.path().join("a")).unwrap();
    }
}

#[test]
fn new_directories_get_the_rights_of_the_umask() {
    let dir = on_disk();
    let made = dir.path().join("made by std");
    fs::create_dir(&made).unwrap();
    let [mut placer, _] = both_ways(dir.path());
    placed(place(&mut placer, "a/b/f", b"x"));
    for name in ["a", "a/b"] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode, fs::metadata(&made).unwrap().permissions().mode());
    }
}

/// A file system of one MiB, for as long as it lives.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let dir = on_disk();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "imagecached-test"])
            .arg(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "this test must be allowed to mount a tmpfs: {said}");
        Self(dir)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn t32_a_full_disk_is_told_and_nothing_is_left() {
    let disk = SmallDisk::mount();
    let root = disk.0.path();
    for mut placer in both_ways(root) {
        let error = place(&mut placer, "a/big.jpg", &vec![7; 3 << 20]).unwrap_err();
        assert!(matches!(error, PlaceError::Full(_)), "{error:?}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(error.to_string(), @"the disk or the quota is full (No space left on device (os error 28)); make room");
        }
        assert_eq!(listing(root), ["a/"], "only the directory was made");
        // Room again: the same placer goes on.
        placed(place(&mut placer, "a/small.jpg", &[7; 4096]));
        fs::remove_file(root.join("a/small.jpg")).unwrap();
    }
}
