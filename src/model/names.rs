//! Names: the paths and patterns by which somebody says which entries are meant.

use crate::model::patterns::PatternError;
use crate::model::{Patterns, UploadPath};

/// Upload paths, and patterns in gitignore syntax.
#[derive(Debug, Clone)]
pub struct Names {
    exact: Vec<String>,
    patterns: Patterns,
}

impl Names {
    /// As they are given; an upload path is taken as it is, whatever it would mean as a pattern.
    ///
    /// # Errors
    /// Names the first pattern that cannot be read.
    pub fn new(names: &[String]) -> Result<Self, PatternError> {
        // What `exclude` would leave out is what is meant here.
        Ok(Self { exact: names.to_vec(), patterns: Patterns::new(names, &[])? })
    }

    /// Whether the entry of this path, as the database has it, is meant.
    #[must_use]
    pub fn takes(&self, path: &str) -> bool {
        self.exact.iter().any(|exact| exact == path)
            || UploadPath::parse(path).is_ok_and(|path| !self.patterns.takes(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_by_its_name_and_by_a_pattern() {
        let names = ["a[1].jpg", "shop/*.png"].map(str::to_owned);
        let names = Names::new(&names).unwrap();
        assert!(names.takes("a[1].jpg") && names.takes("a1.jpg") && names.takes("shop/x.png"));
        assert!(!names.takes("b.jpg") && !names.takes("../shop/x.png"));
    }
}
