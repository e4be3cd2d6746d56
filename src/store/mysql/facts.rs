//! What a MySQL or MariaDB server says about itself.

use sqlx::mysql::MySqlDatabaseError;
use sqlx::{Executor, Result, Row};

use crate::store::ServerFacts;
use crate::store::mysql::{MySql, schema};
use crate::store::retry::begin;

const SERVER: &str = "SELECT
    CONCAT(IF(VERSION() LIKE '%MariaDB%', 'MariaDB ', 'MySQL '), VERSION()),
    CAST(IF(@@max_user_connections > 0, @@max_user_connections, @@max_connections) AS SIGNED),
    CAST(@@global.max_allowed_packet AS SIGNED),
    CAST(@@global.read_only AS SIGNED)";

/// What every connection of the server counts as; anybody may read it.
const CONNECTED: &str = "SHOW GLOBAL STATUS LIKE 'Threads_connected'";

/// What this program does to its tables, done to no row: the server looks at the rights first.
const PROBES: [(&str, &str); 20] = [
    ("SELECT on image_cache", "SELECT id FROM image_cache WHERE FALSE"),
    (
        "INSERT on image_cache",
        "INSERT INTO image_cache (original_path, path_hash, created_at, updated_at, last_accessed)
            SELECT '', '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM DUAL WHERE FALSE",
    ),
    ("UPDATE on image_cache", "UPDATE image_cache SET mode = 0 WHERE FALSE"),
    ("DELETE on image_cache", "DELETE FROM image_cache WHERE FALSE"),
    ("SELECT on image_cache_chunk", "SELECT seq FROM image_cache_chunk WHERE FALSE"),
    (
        "INSERT on image_cache_chunk",
        "INSERT INTO image_cache_chunk (chunk_set, seq, created_at, data)
            SELECT 0, 0, UTC_TIMESTAMP(6), '' FROM DUAL WHERE FALSE",
    ),
    ("UPDATE on image_cache_chunk", "UPDATE image_cache_chunk SET seq = 0 WHERE FALSE"),
    ("DELETE on image_cache_chunk", "DELETE FROM image_cache_chunk WHERE FALSE"),
    ("SELECT on image_cache_identity", "SELECT id FROM image_cache_identity WHERE FALSE"),
    ("SELECT on image_cache_claim", "SELECT id FROM image_cache_claim WHERE FALSE"),
    (
        "INSERT on image_cache_claim",
        "INSERT INTO image_cache_claim (id, content, since)
            SELECT 0, '', UTC_TIMESTAMP(6) FROM DUAL WHERE FALSE",
    ),
    ("UPDATE on image_cache_claim", "UPDATE image_cache_claim SET id = 0 WHERE FALSE"),
    ("DELETE on image_cache_claim", "DELETE FROM image_cache_claim WHERE FALSE"),
    ("SELECT on image_cache_loose_object", "SELECT url FROM image_cache_loose_object WHERE FALSE"),
    (
        "INSERT on image_cache_loose_object",
        "INSERT INTO image_cache_loose_object (content, url, since)
            SELECT '', '', UTC_TIMESTAMP(6) FROM DUAL WHERE FALSE",
    ),
    ("UPDATE on image_cache_loose_object", "UPDATE image_cache_loose_object SET url = '' WHERE FALSE"),
    ("DELETE on image_cache_loose_object", "DELETE FROM image_cache_loose_object WHERE FALSE"),
    ("SELECT on image_cache_history", "SELECT id FROM image_cache_history WHERE FALSE"),
    (
        "INSERT on image_cache_history",
        "INSERT INTO image_cache_history (content_type, object_id, original_path, path_hash,
                image_url, file_size, content_type_header, created_at, updated_at, last_accessed,
                sha256, mtime_ns, mode, ended_at, why)
            SELECT '', '', '', '', '', 0, '', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6),
                '', 0, 0, UTC_TIMESTAMP(6), '' FROM DUAL WHERE FALSE",
    ),
    ("DELETE on image_cache_history", "DELETE FROM image_cache_history WHERE FALSE"),
];

/// `ER_TABLEACCESS_DENIED_ERROR`.
const ACCESS_DENIED: u16 = 1142;

impl MySql {
    pub(super) async fn facts_once(&self) -> Result<ServerFacts> {
        let version = self.version_once().await?;
        let mut unit = begin(&self.pool).await?;
        let server = sqlx::query(SERVER).fetch_one(&mut *unit).await?;
        let connected = unit.fetch_one(sqlx::raw_sql(CONNECTED)).await?;
        let connected: u64 = connected.try_get::<String, _>(1)?.parse().unwrap_or(0);
        let mut missing_rights = Vec::new();
        if version.is_some() {
            for (right, probe) in PROBES {
                if let Err(error) = unit.execute(sqlx::raw_sql(probe)).await {
                    let number = error
                        .as_database_error()
                        .and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>())
                        .map(MySqlDatabaseError::number);
                    if number == Some(ACCESS_DENIED) {
                        missing_rights.push(right.to_owned());
                    }
                }
            }
        }
        unit.rollback().await?;
        let number =
            |column: usize| server.try_get::<i64, _>(column).map(|n| u64::try_from(n).unwrap_or(0));
        Ok(ServerFacts {
            version: server.try_get(0)?,
            schema: (version, schema::LATEST),
            missing_rights,
            connections: Some((connected, number(1)?)),
            max_packet: Some(number(2)?),
            // Our tables are UTF-8 whatever the database's default is.
            utf8: true,
            read_only: number(3)? != 0,
            ..ServerFacts::default()
        })
    }
}
