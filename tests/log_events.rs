//! The events in the source and the list in docs/logs.md are the same.

use std::collections::BTreeSet;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Names in `event = "…"`, outside comments and of code that comes before the tests of a file.
fn events_in(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]").next().unwrap_or(source);
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("event = \"").skip(1))
        .filter_map(|rest| rest.split_once('"'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Names in the first column of the table.
fn events_listed(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn source_events(directory: &Path, events: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_events(&path, events);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            events.extend(events_in(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_list_and_the_source_know_the_same_events() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/logs.md")).unwrap();
    let listed = events_listed(&page);
    let mut used = BTreeSet::new();
    source_events(&Path::new(ROOT).join("src"), &mut used);

    let unlisted: Vec<_> = used.difference(&listed).collect();
    let unused: Vec<_> = listed.difference(&used).collect();
    assert!(unlisted.is_empty(), "in src and not in docs/logs.md: {unlisted:?}");
    assert!(unused.is_empty(), "in docs/logs.md and not in src: {unused:?}");
}

#[test]
fn events_are_found_where_they_are_written() {
    let source = "//! info!(event = \"in_docs\", \"no\");\n\
                  info!(event = \"captured\", \"yes\");\n\
                  warn!(\n    event = \"degraded\",\n);\n\
                  #[cfg(test)]\nmod tests { info!(event = \"in_tests\"); }\n";
    assert_eq!(events_in(source).into_iter().collect::<Vec<_>>(), ["captured", "degraded"]);
    let page = "| event | level |\n| --- | --- |\n| `signal` | info |\n| `a b` no\n";
    assert_eq!(events_listed(page).into_iter().collect::<Vec<_>>(), ["signal"]);
}
