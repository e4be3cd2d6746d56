//! `restore --as-of`: whole past states.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::story::{CHANGED, DELETED, LATER, Story, before, look};
use crate::support::database::Kind;
use crate::support::program::files_beneath;

type Files = BTreeMap<String, Vec<u8>>;

fn files(files: &[(&str, &[u8])]) -> Files {
    files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
}

fn same(found: &Path, expected: &Files, what: &str) {
    let found = files_beneath(found);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{what}");
    assert!(found == *expected, "{what}: other bytes");
}

fn whole_states_come_back(kind: Kind) {
    let story = Story::tell(kind);
    let deleted = story.kept(DELETED)[0].clone();
    let (deleted_since, deleted_at) = (deleted.entry.updated_at, deleted.ended.unwrap().0);
    let now = story.kept(LATER)[0].entry.updated_at;
    let content = |number: usize| (CHANGED, &story.contents[number][..]);
    let gone = (DELETED, &b"deleted"[..]);
    let states = [
        ("first", story.since(0), files(&[content(0)])),
        ("second", before(deleted_since), files(&[content(1)])),
        ("with both", deleted_since, files(&[content(1), gone])),
        ("third", story.since(2), files(&[content(2), gone])),
        ("before the delete", before(deleted_at), files(&[content(3), gone])),
        ("after it", deleted_at, files(&[content(3)])),
        ("last", before(now), files(&[content(4)])),
        ("now", now, files(&[content(4), (LATER, b"later")])),
    ];
    for round in ["before a move", "after it"] {
        for (name, time, expected) in &states {
            let (directory, to) = story.beside(&format!("{round}, {name}"));
            let (code, told, said) = story.restore(*time, &to);
            assert_eq!(code, 0, "{kind:?} {name} {round}: {said}");
            assert_eq!(told["restored"], expected.len(), "{kind:?} {name} {round}: {told}");
            same(&directory, expected, &format!("{kind:?} {name} {round}"));
        }
        // What is present has moved; what was there has stayed where it was.
        story.sandbox.ok(&["move", "--to", "chunks"]);
    }
    // The look is that of then, too.
    let (directory, _) = story.beside("before a move, third");
    let seen = fs::metadata(directory.join(CHANGED)).expect("the file");
    let (mtime_ns, mode) = look(2);
    assert_eq!(seen.mtime() * 1_000_000_000 + seen.mtime_nsec(), mtime_ns);
    assert_eq!(seen.mode() & 0o7777, mode);
    story.end();
}

#[test]
fn whole_states_come_back_with_sqlite() {
    whole_states_come_back(Kind::Sqlite);
}

#[test]
fn whole_states_come_back_with_postgresql() {
    whole_states_come_back(Kind::Postgres);
}

#[test]
fn whole_states_come_back_with_mariadb() {
    whole_states_come_back(Kind::MariaDb);
}

#[test]
fn no_file_is_overwritten_or_mixed_with_others() {
    let story = Story::tell(Kind::Sqlite);
    let time = story.since(2);
    let refused = |to: &str, why: &str| {
        let (code, _, said) = story.restore(time, to);
        assert!(code == 1 && said.contains(why), "{to}: {code} {said}");
    };
    let (full, full_name) = story.beside("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("mine.txt"), "mine").unwrap();
    refused(&full_name, "it is not empty");
    refused(full.join("mine.txt").to_str().unwrap(), "it is a file");
    let within = story.sandbox.uploads.join("then");
    refused(within.to_str().unwrap(), "would be taken for new uploads");
    same(&full, &files(&[("mine.txt", b"mine")]), "nothing is touched");
    assert!(story.sandbox.files().is_empty());
    // An empty directory is as good as a new one, and a dry run makes none.
    let (new, new_name) = story.beside("new");
    let args = ["restore", "--dry-run", "--as-of", &time.exact(), "--to", &new_name];
    let told = story.sandbox.ok(&args);
    assert!(told.starts_with("2 would be restored") && !new.exists(), "{told}");
    fs::create_dir(&new).unwrap();
    assert_eq!(story.restore(time, &new_name).0, 0);
    // In the upload directory only what is missing appears.
    story.sandbox.write(CHANGED, b"what the app has now");
    let (code, told, said) = story.restore(time, story.sandbox.uploads.to_str().unwrap());
    assert_eq!(code, 0, "{said}");
    assert_eq!((&told["restored"], &told["present"]), (&1.into(), &1.into()), "{told}");
    let expected = files(&[(CHANGED, b"what the app has now"), (DELETED, b"deleted")]);
    same(&story.sandbox.uploads, &expected, "the upload directory");
    // A time without a directory, and a directory without a time, are no orders.
    assert_eq!(story.run(&["restore", "--as-of", "3d"]).0, 2);
    assert_eq!(story.run(&["restore", "--to", &new_name]).0, 2);
    story.end();
}

#[test]
fn what_is_not_kept_is_counted_and_named() {
    let story = Story::tell(Kind::Sqlite);
    let time = story.since(2);
    let purge = story.store.purge(Duration::ZERO, Duration::from_secs(3600));
    story.sandbox.block_on(purge).expect("a purge");
    let (directory, to) = story.beside("then");
    let (code, told, said) = story.restore(time, &to);
    assert_eq!((code, &told["unknown"]), (5, &1.into()), "{told}");
    assert_eq!(told["unknown_examples"][0], CHANGED, "{told}");
    assert!(said.contains("event=past_unknown"), "{said}");
    same(&directory, &files(&[(DELETED, b"deleted")]), "what is kept");
    let (_, to) = story.beside("for people");
    let (_, told, _) = story.run(&["restore", "--as-of", &time.exact(), "--to", &to]);
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("1 of unknown content") && told.contains("removed for good"), "{told}");
    story.end();
}

#[test]
fn hostile_paths_of_the_history_are_refused() {
    let story = Story::tell(Kind::Sqlite);
    let time = story.since(2);
    story.sandbox.sql(&format!(
        "UPDATE image_cache_history SET original_path = '../escaped.txt' WHERE original_path = '{DELETED}'"
    ));
    let (directory, to) = story.beside("then");
    let (code, told, said) = story.restore(time, &to);
    assert_eq!((code, &told["refused"]), (5, &1.into()), "{told} {said}");
    assert!(said.contains("event=restore_refused"), "{said}");
    same(&directory, &files(&[(CHANGED, &story.contents[2])]), "the others");
    assert!(!story.sandbox.beside().join("escaped.txt").exists());
    story.end();
}
