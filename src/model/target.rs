//! Where the database is.

use std::fmt;
use std::path::PathBuf;

/// What a `DATABASE_URL` says once it has been understood. Holds the password, so its `Debug` shows
/// none.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// PostgreSQL; a URL that the driver understands.
    Postgres(String),
    /// MySQL or MariaDB; a URL that the driver understands.
    MySql(String),
    /// An SQLite file.
    Sqlite(PathBuf),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(_) => f.write_str("Postgres(…)"),
            Self::MySql(_) => f.write_str("MySql(…)"),
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
        }
    }
}
