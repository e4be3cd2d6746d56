//! The names of objects: a key names its content, so that one content is stored once and nothing can be
//! overwritten by something else.

use crate::model::Digest;

/// The key of a content, below the store's prefix: two digits of the sha256, a `/`, and the other 62. No
/// extension: the entry knows the file's name, and stores treat some extensions in their own way.
pub(super) fn of(sha256: Digest) -> String {
    let digits = sha256.to_string();
    format!("{}/{}", &digits[..2], &digits[2..])
}

/// The content that a key names; `None` when the text is no key, to the letter: then it is not ours.
pub(super) fn content(key: &str) -> Option<Digest> {
    let sha256: Digest = key.replacen('/', "", 1).parse().ok()?;
    (of(sha256) == key).then_some(sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_content() {
        let sha256 = Digest::of(b"abc");
        let key = "ba/7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of(sha256), key);
        assert_eq!(content(key), Some(sha256));
        let other = [
            key.to_uppercase(),
            key.replace('/', ""),
            key.replace("ba/78", "ba7/8"),
            format!("{key}.jpg"),
            format!("/{key}"),
            format!("x/../{key}"),
            key[1..].to_owned(),
            String::new(),
        ];
        for text in other {
            assert_eq!(content(&text), None, "{text}");
        }
    }
}
