//! Scratch entries: what `doctor` and `self-test` put into the real tables and take away again.
//!
//! For the seconds that they are there, a restore elsewhere must not take them for uploads. The names
//! are among those that the setting `exclude` leaves out by default.

/// How the name of a probe of the doctor begins.
pub const PROBE: &str = ".imagecached-doctor-";

/// How the name of the directory of a self-test begins.
pub const SELF_TEST: &str = ".imagecached-self-test-";

/// Whether an entry of this path belongs to a doctor or a self-test.
#[must_use]
pub fn is_scratch(path: &str) -> bool {
    path.starts_with(PROBE) || path.starts_with(SELF_TEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_at_the_top_are_scratch() {
        assert!(is_scratch(".imagecached-doctor-00ff"));
        assert!(is_scratch(".imagecached-self-test-00ff/a.png"));
        assert!(!is_scratch("a/.imagecached-doctor-00ff"));
        assert!(!is_scratch(".imagecached-notes.txt"));
    }
}
