//! Paths in commands that people are told to type.

/// A path as it has to be typed into a shell (`bash`, `zsh`, `dash` for all but control characters).
#[must_use]
pub fn shell_word(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+,@%:=".contains(c);
    if path.chars().any(char::is_control) {
        let escaped: String = path
            .chars()
            .map(|c| match c {
                '\'' | '\\' => format!("\\{c}"),
                '\n' => "\\n".to_owned(),
                c if c.is_ascii_control() => format!("\\x{:02x}", u32::from(c)),
                c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
                c => c.to_string(),
            })
            .collect();
        format!("$'{escaped}'")
    } else if !path.is_empty() && path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_can_be_typed() {
        for (path, word) in [
            ("a/b.jpg", "a/b.jpg"),
            ("عکس.png", "عکس.png"),
            ("a b.jpg", "'a b.jpg'"),
            ("it's", r"'it'\''s'"),
            ("a\nb's", r"$'a\nb\'s'"),
            ("$(rm)", "'$(rm)'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(path), word);
        }
    }
}
