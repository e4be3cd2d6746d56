//! What is wrong with a setting, told so that it can be put right without looking anything up.

/// A setting that cannot be used. Never holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}; {cure}", subject(name, value.as_deref(), origin))]
pub struct SettingsError {
    /// The setting, or what stands where a setting should.
    pub name: String,
    /// The value, secrets hidden; `None` where it says nothing or might be a secret.
    pub value: Option<String>,
    /// Where it was given: `app.toml:3`, `environment variable IMAGECACHED_QUIET`, `flag --quiet`.
    pub origin: String,
    /// Why it cannot be used.
    pub why: String,
    /// What to do.
    pub cure: String,
}

fn subject(name: &str, value: Option<&str>, origin: &str) -> String {
    match value {
        Some(value) => format!("{name} = {value:?} ({origin})"),
        None => format!("{name} ({origin})"),
    }
}

/// The known name that `wrong` was probably meant to be.
pub(super) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::damerau_levenshtein(wrong, name), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        let known = || ["scan_interval", "quiet", "upload_dir"].into_iter();
        assert_eq!(nearest("scan_intervall", known()), Some("scan_interval"));
        assert_eq!(nearest("qiuet", known()), Some("quiet"));
        assert_eq!(nearest("uploads_dir", known()), Some("upload_dir"));
        assert_eq!(nearest("bananas", known()), None);
    }
}
