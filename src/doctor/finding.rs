//! A finding: what was looked at, how it is, and what to type when it is not well.

use std::fmt;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// Worth knowing; nothing need be done.
    Note,
    /// Something works worse than it could, or will fail some day.
    Warning,
    /// Uploads are not safe, or cannot be restored.
    Error,
}

impl Severity {
    /// The word used in texts and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn symbol(self) -> char {
        match self {
            Self::Ok => '✓',
            Self::Note => '•',
            Self::Warning => '!',
            Self::Error => '✗',
        }
    }
}

/// What one check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// What was looked at, such as `database.rights`. Stable: programs may rely on it.
    pub check: &'static str,
    /// What is so, for people.
    pub message: String,
    /// A command or a setting to type, or what else to do.
    pub cure: Option<String>,
}

impl Finding {
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Ok, check, message: message.into(), cure: None }
    }

    pub fn note(check: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::ok(check, message) }
    }

    pub fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::ok(check, message) }
    }

    pub fn error(check: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, ..Self::ok(check, message) }
    }

    /// The same finding with its cure.
    #[must_use]
    pub fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }

    /// Whether somebody should do something.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.severity >= Severity::Warning
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (symbol, word) = (self.severity.symbol(), self.severity.as_str());
        write!(f, "{symbol} {word:<7}  {:<20}  {}", self.check, self.message)?;
        match &self.cure {
            Some(cure) => write!(f, "\n{:<33}cure: {cure}", ""),
            None => Ok(()),
        }
    }
}

/// A count and its noun: `1 file`, `2 files`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// A few of many names, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub count: u64,
    examples: Vec<String>,
}

/// As many names are shown.
const SHOWN: usize = 5;

impl Names {
    pub fn add(&mut self, name: &str) {
        self.count += 1;
        if self.examples.len() < SHOWN {
            // Names come from anywhere: one with a line break or an escape sequence stays a name.
            self.examples.push(format!("\"{}\"", name.escape_debug()));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.examples.join(", "))?;
        if self.count > self.examples.len() as u64 { f.write_str(", …") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_stand_in_columns() {
        let well = Finding::ok("database.rights", "this user may do all that is needed");
        let ill = Finding::error("disk.room", "there is room for 1 MiB, and 2 MiB are missing")
            .cure("make room");
        insta::assert_snapshot!(format!("{well}\n{ill}"), @r"
        ✓ ok       database.rights       this user may do all that is needed
        ✗ error    disk.room             there is room for 1 MiB, and 2 MiB are missing
                                         cure: make room
        ");
        assert!(ill.is_bad() && !well.is_bad() && !Finding::note("x", "y").is_bad());
    }

    #[test]
    fn a_few_names_stand_for_many() {
        let mut names = Names::default();
        names.add("a\n\u{1b}[2J.jpg");
        assert_eq!(names.to_string(), r#""a\n\u{1b}[2J.jpg""#);
        for name in ["b", "c", "d", "e", "f"] {
            names.add(name);
        }
        assert!(names.to_string().ends_with(r#""e", …"#) && names.count == 6, "{names}");
    }
}
