//! What can go wrong with the database, in the terms of what to do about it.

use sqlx::mysql::MySqlDatabaseError;
use sqlx::sqlite::SqliteError;

/// The kinds of trouble that callers treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The server cannot be reached, went away, or has no free connection: wait and try again.
    Away,
    /// Somebody else holds a lock, or two writers met: try again at once or soon.
    Busy,
    /// The server has no room left (disk, plan limit, read-only): wait long, tell plainly.
    Full,
    /// Name, password or rights are refused: an operator must act; try again now and then.
    Denied,
    /// Our tables are missing, or older than this program.
    Schema,
    /// Our tables are newer than this program: only a newer one can use them.
    Newer,
    /// The database refuses this very value (too large a packet, bad encoding): other rows may pass.
    Value,
    /// Anything else.
    Other,
}

/// A failed call of the store: says what was being done, why it failed and what to do. Never holds a
/// password.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {cause}{}", cure.as_deref().map(|cure| format!("; {cure}")).unwrap_or_default())]
pub struct StoreError {
    /// What was being done, such as `store 12 entries in PostgreSQL`.
    pub operation: String,
    /// The kind.
    pub trouble: Trouble,
    /// What the database or the driver said.
    pub cause: String,
    /// What to do, when it is known.
    pub cure: Option<String>,
}

/// What creates and upgrades the tables.
pub(super) const MIGRATE: &str = "run `imagecached migrate`";

impl StoreError {
    /// Whether any other call would have failed as well, and this one may succeed later. Otherwise
    /// it may be one row that is at fault, and its neighbours must not suffer for it.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !matches!(self.trouble, Trouble::Value | Trouble::Other)
    }

    /// Puts what the driver says into our terms. `place` says where the database is, without a password.
    pub(super) fn from_driver(operation: String, error: &sqlx::Error, place: &str) -> Self {
        let trouble = trouble_of(error);
        let cause = match error {
            sqlx::Error::Database(error) => error.message().to_owned(),
            sqlx::Error::Io(error) => format!("{place}: {error}"),
            sqlx::Error::PoolTimedOut => format!("{place}: no free connection in time"),
            sqlx::Error::PoolClosed => "the store was closed".to_owned(),
            sqlx::Error::Tls(error) => format!("{place}: TLS: {error}"),
            other => other.to_string(),
        };
        let cure = match trouble {
            Trouble::Denied if matches!(error, sqlx::Error::Tls(_)) => {
                Some("check the server's certificate and the URL's sslmode".to_owned())
            }
            Trouble::Schema => Some(MIGRATE.to_owned()),
            Trouble::Full => {
                Some("free space, raise the plan, or lift the read-only mode".to_owned())
            }
            Trouble::Denied => Some("check the user, its password and its rights".to_owned()),
            Trouble::Away if is_full_house(error) => {
                Some("close some, raise the plan's limit, or lower database_connections".to_owned())
            }
            Trouble::Away => {
                Some("check that the database runs and that DATABASE_URL names it".to_owned())
            }
            Trouble::Busy | Trouble::Newer | Trouble::Value | Trouble::Other => None,
        };
        Self { operation, trouble, cause, cure }
    }

    /// The tables in the database are of another version than this program needs.
    fn schema(operation: String, found: Option<i64>, ours: i64) -> Self {
        let (trouble, cause, cure) = match found {
            Some(found) if found > ours => (
                Trouble::Newer,
                format!("the tables have version {found}, and this program knows up to {ours}"),
                "use a newer imagecached",
            ),
            Some(found) => (
                Trouble::Schema,
                format!("the tables have version {found}, and this program needs {ours}"),
                MIGRATE,
            ),
            None => (Trouble::Schema, "the tables are missing".to_owned(), MIGRATE),
        };
        Self { operation, trouble, cause, cure: Some(cure.to_owned()) }
    }
}

/// Fails unless the tables found are of our version.
pub(super) fn judge_schema(
    operation: &str,
    found: Option<i64>,
    ours: i64,
) -> Result<(), StoreError> {
    if found == Some(ours) {
        Ok(())
    } else {
        Err(StoreError::schema(operation.to_owned(), found, ours))
    }
}

/// The connection died under our hands: on a fresh one the same call may succeed.
pub(super) fn is_cut(error: &sqlx::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error {
        sqlx::Error::Io(error) => {
            matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        }
        // Half an answer, or one that belongs to a question from before the cut.
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => match vendor(&**error) {
            Vendor::Postgres(state) => {
                state.starts_with("08") || matches!(state, "25P03" | "57P01" | "57P02" | "57P05")
            }
            // The server is shutting down; the connection was killed.
            Vendor::MySql(number) => matches!(number, 1053 | 1927 | 4031),
            Vendor::Sqlite(_) => false,
        },
        _ => false,
    }
}

/// The server runs, and has as many connections as it, its plan or its user may have.
pub(super) fn is_full_house(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => match vendor(&**error) {
            Vendor::Postgres(state) => state == "53300",
            Vendor::MySql(number) => matches!(number, 1040 | 1203 | 1226),
            Vendor::Sqlite(_) => false,
        },
        _ => false,
    }
}

/// Two writers met, and the database has undone this one; or a row that was to be new is there by now.
pub(super) fn is_conflict(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => true,
        // SQLite has waited for the lock already, as long as it was told to.
        sqlx::Error::Database(error) if matches!(vendor(&**error), Vendor::Sqlite(5)) => false,
        sqlx::Error::Database(_) => trouble_of(error) == Trouble::Busy,
        _ => false,
    }
}

fn trouble_of(error: &sqlx::Error) -> Trouble {
    match error {
        sqlx::Error::Database(error) => match vendor(&**error) {
            Vendor::Postgres(state) => postgres(state),
            Vendor::MySql(number) => mysql(number),
            Vendor::Sqlite(code) => sqlite(code),
        },
        sqlx::Error::Encode(_) | sqlx::Error::InvalidArgument(_) => Trouble::Value,
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Trouble::Denied
        }
        // Certificates and the server's willingness to encrypt do not change by waiting.
        sqlx::Error::Tls(_) => Trouble::Denied,
        sqlx::Error::Io(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Trouble::Away,
        _ => Trouble::Other,
    }
}

enum Vendor<'e> {
    Postgres(&'e str),
    MySql(u16),
    Sqlite(i32),
}

fn vendor(error: &dyn sqlx::error::DatabaseError) -> Vendor<'_> {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        Vendor::MySql(error.number())
    } else if error.try_downcast_ref::<SqliteError>().is_some() {
        let code = error.code().and_then(|code| code.parse().ok());
        Vendor::Sqlite(code.unwrap_or_default())
    } else {
        let error = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>();
        Vendor::Postgres(error.map_or("", |error| error.code()))
    }
}

/// SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres(state: &str) -> Trouble {
    match state {
        "40001" | "40P01" | "55P03" => Trouble::Busy,
        // Out of disk or memory; a read-only transaction: a replica, or a plan that is full.
        "53100" | "53200" | "25006" => Trouble::Full,
        // `3D000`, no such database, is an operator's matter as well.
        "42501" | "3D000" => Trouble::Denied,
        "42P01" | "42703" | "3F000" => Trouble::Schema,
        // The server has ended a transaction that stood still.
        "25P03" => Trouble::Away,
        // The program's limits: a statement or value that is too large.
        "54000" | "53400" => Trouble::Value,
        _ => match state.get(..2) {
            Some("08" | "53" | "57" | "58") => Trouble::Away,
            Some("28") => Trouble::Denied,
            Some("22" | "23") => Trouble::Value,
            _ => Trouble::Other,
        },
    }
}

/// <https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html> and
/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
fn mysql(number: u16) -> Trouble {
    match number {
        1205 | 1213 | 3572 | 1020 => Trouble::Busy,
        1021 | 1114 | 1290 | 1836 | 1792 | 3100 => Trouble::Full,
        1044 | 1045 | 1049 | 1142 | 1143 | 1227 | 1698 | 1820 | 1862 => Trouble::Denied,
        1146 | 1054 => Trouble::Schema,
        // Packet too large; value too long, out of range, of a wrong encoding; row too large.
        1153 | 1301 | 1406 | 1264 | 1366 | 1118 | 1048 | 1062 | 3854 => Trouble::Value,
        1040 | 1053 | 1077 | 1079 | 1129 | 1130 | 1159 | 1160 | 1161 | 1203 | 1226 | 1317
        | 1927 | 4031 => Trouble::Away,
        _ => Trouble::Other,
    }
}

/// <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
fn sqlite(code: i32) -> Trouble {
    match code & 0xff {
        5 | 6 | 15 => Trouble::Busy,
        8 | 13 => Trouble::Full,
        3 | 23 => Trouble::Denied,
        14 | 10 => Trouble::Away,
        18..=20 => Trouble::Value,
        _ => Trouble::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_kinds_of_trouble() {
        for (state, trouble) in [
            ("40P01", Trouble::Busy),
            ("53300", Trouble::Away),
            ("53100", Trouble::Full),
            ("28P01", Trouble::Denied),
            ("42P01", Trouble::Schema),
            ("22021", Trouble::Value),
            ("57P03", Trouble::Away),
            ("25P03", Trouble::Away),
            ("XX000", Trouble::Other),
            ("", Trouble::Other),
        ] {
            assert_eq!(postgres(state), trouble, "{state}");
        }
        assert_eq!(mysql(1213), Trouble::Busy);
        // --read-only, a read-only transaction, a full table and a full disk.
        assert!([1290, 1792, 1114, 1021].map(mysql).iter().all(|full| *full == Trouble::Full));
        assert_eq!(mysql(1153), Trouble::Value);
        assert_eq!(mysql(1146), Trouble::Schema);
        // SQLITE_BUSY_SNAPSHOT and SQLITE_FULL.
        assert_eq!(sqlite(517), Trouble::Busy);
        assert_eq!(sqlite(13), Trouble::Full);
    }

    #[test]
    fn an_error_says_operation_cause_and_cure() {
        let error = StoreError::schema("check PostgreSQL".into(), Some(7), 1);
        assert_eq!(
            error.to_string(),
            "check PostgreSQL: the tables have version 7, and this program knows up to 1; \
             use a newer imagecached"
        );
        let missing = StoreError::schema("check SQLite".into(), None, 1);
        assert_eq!(
            missing.to_string(),
            "check SQLite: the tables are missing; run `imagecached migrate`"
        );
    }
}
