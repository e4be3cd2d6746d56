//! The names of unfinished files, where a file system cannot have unfinished files without a name.

/// A new name that nobody has.
pub(super) fn make() -> std::io::Result<String> {
    Ok(format!(".imagecached-{:016x}.tmp", getrandom::u64()?))
}

/// Whether `name` is such a name. The watch and the scan pass these over, so that an unfinished
/// restore is never captured.
pub(super) fn is_one(name: &[u8]) -> bool {
    name.strip_prefix(b".imagecached-").and_then(|rest| rest.strip_suffix(b".tmp")).is_some_and(
        |middle| {
            middle.len() == 16
                && middle.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_ours() {
        assert!(is_one(make().unwrap().as_bytes()));
        for name in
            [".imagecached-.tmp", ".imagecached-mine.tmp", "imagecached-0123456789abcdef.tmp"]
        {
            assert!(!is_one(name.as_bytes()), "{name}");
        }
    }
}
