//! What a PostgreSQL server says about itself.

use sqlx::{ConnectOptions, Connection, PgConnection, Result, Row};

use crate::store::ServerFacts;
use crate::store::postgres::{Postgres, query, schema};

/// What this program does to its tables.
const NEEDED: &str = "SELECT r || ' on ' || t FROM
        unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE']) r,
        unnest(ARRAY['image_cache','image_cache_chunk','image_cache_claim','image_cache_loose_object','image_cache_history']) t
    WHERE NOT has_table_privilege(to_regclass(t), r)
    UNION ALL SELECT 'SELECT on image_cache_identity'
    WHERE NOT has_table_privilege(to_regclass('image_cache_identity'), 'SELECT')
    UNION ALL SELECT 'CREATE on schema ' || coalesce(current_schema(), '(none)')
    WHERE to_regclass('image_cache') IS NULL
        AND NOT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)";

/// Connections: the server's own limit less what it keeps for superusers, or the role's.
const SERVER: &str = "SELECT 'PostgreSQL ' || current_setting('server_version'),
    CASE WHEN role.rolconnlimit >= 0
        THEN (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user)
        ELSE (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') END,
    CASE WHEN role.rolconnlimit >= 0 THEN role.rolconnlimit::bigint
        ELSE current_setting('max_connections')::bigint
            - current_setting('superuser_reserved_connections')::bigint END,
    current_setting('server_encoding') = 'UTF8',
    pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'
    FROM pg_roles role WHERE role.rolname = current_user";

impl Postgres {
    pub(super) async fn facts_once(&self) -> Result<ServerFacts> {
        let schema = (self.version_once().await?, schema::LATEST);
        let mut unit = self.begin().await?;
        let server = query(SERVER).fetch_one(&mut *unit).await?;
        let missing = query(NEEDED).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        let count =
            |column: usize| server.try_get::<i64, _>(column).map(|n| u64::try_from(n).unwrap_or(0));
        Ok(ServerFacts {
            version: server.try_get(0)?,
            schema,
            missing_rights: missing.iter().map(|row| row.try_get(0)).collect::<Result<_>>()?,
            connections: Some((count(1)?, count(2)?)),
            utf8: server.try_get(3)?,
            read_only: server.try_get(4)?,
            ..ServerFacts::default()
        })
    }

    /// A server takes settings at the start of a session and still has them in the session's
    /// transactions. A transaction pooler refuses such a start, or its server connections do not know
    /// of it.
    pub(super) async fn goes_through_a_pooler(&self) -> bool {
        let probe = self.connect.clone().options([("imagecached.probe", "here")]);
        match probe.connect().await {
            Ok(mut connection) => {
                let here = sees_probe(&mut connection).await.unwrap_or(true);
                // Whether the farewell arrives changes nothing.
                let _ = connection.close().await;
                !here
            }
            // 08P01, protocol violation: PgBouncer's answer to a start parameter it does not know.
            Err(sqlx::Error::Database(error)) => error.code().as_deref() == Some("08P01"),
            Err(_) => false,
        }
    }
}

async fn sees_probe(connection: &mut PgConnection) -> Result<bool> {
    let mut unit = connection.begin().await?;
    let row = query("SELECT coalesce(current_setting('imagecached.probe', true), '') = 'here'")
        .fetch_one(&mut *unit)
        .await?;
    unit.commit().await?;
    row.try_get(0)
}
