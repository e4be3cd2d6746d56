//! Which files count: patterns in gitignore syntax.

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::model::UploadPath;

/// What is excluded from the cache, and what is taken all the same.
#[derive(Debug, Clone)]
pub struct Patterns {
    exclude: Gitignore,
    include: Gitignore,
}

/// A pattern that cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the pattern {pattern:?} cannot be read: {cause}")]
pub struct PatternError {
    pub pattern: String,
    pub cause: String,
}

impl Patterns {
    /// Patterns from the settings `exclude` and `include`; an included file is taken even if it is
    /// excluded too.
    ///
    /// # Errors
    /// Names the first pattern that is not gitignore syntax.
    pub fn new(exclude: &[String], include: &[String]) -> Result<Self, PatternError> {
        Ok(Self { exclude: build(exclude)?, include: build(include)? })
    }

    /// Whether this file is to be cached.
    #[must_use]
    pub fn takes(&self, path: &UploadPath) -> bool {
        let matches = |patterns: &Gitignore| {
            !patterns.is_empty()
                && patterns.matched_path_or_any_parents(path.as_path(), false).is_ignore()
        };
        !matches(&self.exclude) || matches(&self.include)
    }
}

fn build(patterns: &[String]) -> Result<Gitignore, PatternError> {
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns {
        let refuse = |cause: ignore::Error| PatternError {
            pattern: pattern.clone(),
            cause: cause.to_string(),
        };
        builder.add_line(None, pattern).map_err(refuse)?;
    }
    builder
        .build()
        .map_err(|cause| PatternError { pattern: patterns.join(" "), cause: cause.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(exclude: &[&str], include: &[&str], path: &str) -> bool {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let patterns = Patterns::new(&own(exclude), &own(include)).unwrap();
        patterns.takes(&UploadPath::parse(path).unwrap())
    }

    #[test]
    fn gitignore_syntax_is_understood() {
        assert!(!takes(&["*.tmp"], &[], "a/b.tmp"));
        assert!(!takes(&["/cache/"], &[], "cache/x/y.jpg"));
        assert!(takes(&["/cache/"], &[], "a/cache/y.jpg"));
        assert!(!takes(&["thumbs/**"], &[], "thumbs/a/b.jpg"));
        assert!(takes(&["*.jpg", "!keep.jpg"], &[], "keep.jpg"));
        assert!(takes(&[], &[], "anything"));
    }

    #[test]
    fn include_beats_exclude() {
        assert!(takes(&["*.pem"], &["public.pem"], "keys/public.pem"));
        assert!(!takes(&["*.pem"], &["public.pem"], "keys/private.pem"));
    }

    #[test]
    fn a_bad_pattern_is_named() {
        let error = Patterns::new(&["a{b".into()], &[]).unwrap_err();
        assert!(error.to_string().contains("a{b"), "{error}");
    }
}
