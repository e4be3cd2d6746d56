//! Names under which programs write what they rename when it is whole.

use crate::model::UploadPath;

/// Characters that rsync puts behind the name, and mkstemp with it.
const RANDOM: usize = 6;

/// Whether a file of this name is likely to get another one soon, or to be removed: `.photo.jpg.Xy12zW`, as rsync
/// writes `photo.jpg`. Somebody's upload may have such a name as well, so it is reason to wait and no
/// reason to leave it out.
pub(super) fn is_passing(path: &UploadPath) -> bool {
    let Some((stem, random)) = path.file_name().rsplit_once('.') else { return false };
    stem.len() > 1
        && stem.starts_with('.')
        && random.len() == RANDOM
        && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rsync_pass_and_those_of_uploads_stay() {
        for (name, passes) in [
            (".photo.jpg.Xy12zW", true),
            ("in/0/.12.jpg.xQI9Lh", true),
            (".photo.jpeg", false),
            ("photo.jpg.Xy12zW", false),
            (".Xy12zW", false),
            ("..Xy12zW", false),
            (".photo.jpg.Xy12z-", false),
            ("photo.jpg", false),
        ] {
            assert_eq!(is_passing(&UploadPath::parse(name).unwrap()), passes, "{name}");
        }
    }
}
