//! Former contents whose bytes are not what they were.

use crate::story::{CHANGED, DELETED, Story};
use crate::support::database::Kind;
use crate::support::program::files_beneath;

#[test]
fn a_damaged_version_is_told_and_the_rest_is_given_back() {
    let story = Story::tell(Kind::Sqlite);
    let kept = story.kept(CHANGED);
    // One flipped byte in the row, a chunk that is gone, an object that is gone.
    let first = kept[4].row.id();
    story.sandbox.sql(&format!(
        "UPDATE image_cache_history SET image_data = 'AAAA' || substr(image_data, 5) WHERE id = {first}"
    ));
    let set = kept[2].entry.chunk_set.expect("chunks").0;
    story
        .sandbox
        .sql(&format!("DELETE FROM image_cache_chunk WHERE chunk_set = {set} AND seq = 1"));
    let url = kept[1].entry.image_url.clone().expect("an object");
    std::fs::remove_file(story.place.file(&url)).expect("the object goes");
    for number in [0, 2, 3] {
        let (time, version) = (story.since(number), kept[4 - number].row.id());
        let by_time = story.run(&["get", CHANGED, "--as-of", &time.exact()]);
        let by_number = story.run(&["get", CHANGED, "--version", &version.to_string()]);
        for (code, _, said) in [by_time, by_number] {
            let named = format!("the version {version} of {CHANGED} is damaged");
            assert!(code == 5 && said.contains(&named), "{number}: {code} {said}");
        }
        let (directory, to) = story.beside(&format!("state {number}"));
        let (code, told, said) = story.restore(time, &to);
        assert_eq!((code, &told["damaged"]), (5, &1.into()), "{number}: {told} {said}");
        assert!(said.contains("event=restore_damaged"), "{said}");
        let there: Vec<_> = files_beneath(&directory).into_keys().collect();
        let expected: &[&str] = if number == 0 { &[] } else { &[DELETED] };
        assert_eq!(there, expected, "{number}");
    }
    // The others are as they were.
    let (code, read, _) = story.run(&["get", CHANGED, "--as-of", &story.since(1).exact()]);
    assert!(code == 0 && read == story.contents[1]);
    story.end();
}
