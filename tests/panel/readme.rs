//! What the two READMEs say and show: the same commands, and the panel's picture.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The blocks of code, indented or fenced, without what is translated in them: comments.
fn code(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let is_code = fenced || (line.starts_with("    ") && !line.trim_start().starts_with('-'));
        let line = line.split("  #").next().unwrap_or(line).trim();
        if is_code && !line.is_empty() {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// Everything between backquotes, outside of blocks of code: commands, settings, names.
fn names(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).flat_map(str::lines);
    let prose = prose.filter(|line| !line.starts_with("    "));
    let mut names: Vec<String> = prose
        .flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    names.sort();
    names.dedup();
    names
}

fn headings(text: &str) -> Vec<usize> {
    let prose = text.split("```").step_by(2).flat_map(str::lines);
    prose.filter(|line| line.starts_with('#')).map(|line| line.find(' ').unwrap_or(0)).collect()
}

#[test]
fn the_persian_readme_keeps_step_with_the_english_one() {
    let (english, persian) = (read("README.md"), read("README.fa.md"));
    assert_eq!(code(&english), code(&persian), "blocks of code");
    assert_eq!(names(&english), names(&persian), "commands and names");
    assert_eq!(headings(&english), headings(&persian), "headings");
    assert!(english.contains("(README.fa.md)") && persian.contains("(README.md)"), "the links");
}

#[test]
fn the_readmes_show_the_panel() {
    for readme in ["README.md", "README.fa.md"] {
        assert!(read(readme).contains("(docs/panel.png)"), "{readme}");
    }
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/panel.png");
    let bytes = fs::read(picture).expect("the picture");
    assert!(bytes.starts_with(b"\x89PNG") && bytes.len() < 200_000, "{} bytes", bytes.len());
}
