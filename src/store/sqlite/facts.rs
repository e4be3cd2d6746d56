//! What an SQLite file says about itself.

use sqlx::{Result, Row};

use crate::store::ServerFacts;
use crate::store::sqlite::{Sqlite, schema};

const FILE: &str = "SELECT 'SQLite ' || sqlite_version(), journal_mode, encoding = 'UTF-8'
    FROM pragma_journal_mode, pragma_encoding";

/// `SQLITE_READONLY`, the low byte of its kin.
const READ_ONLY: i32 = 8;

impl Sqlite {
    pub(super) async fn facts_once(&self) -> Result<ServerFacts> {
        let schema = (self.version_once().await?, schema::LATEST);
        let row = sqlx::query(FILE).fetch_one(&self.pool).await?;
        // Nothing but the lock that every write begins with.
        let read_only = match self.write().await {
            Ok(writing) => {
                writing.unit.rollback().await?;
                false
            }
            Err(sqlx::Error::Database(error)) => {
                let code = error.code().and_then(|code| code.parse::<i32>().ok());
                code.is_some_and(|code| code & 0xff == READ_ONLY)
            }
            Err(error) => return Err(error),
        };
        Ok(ServerFacts {
            version: row.try_get(0)?,
            schema,
            journal: row.try_get(1)?,
            utf8: row.try_get(2)?,
            read_only,
            ..ServerFacts::default()
        })
    }
}
