//! The ledger of objects in an SQLite file. One writer at a time has the file, so each call is a single
//! transaction: nobody can write between what it writes and what it reads.

use std::time::UNIX_EPOCH;

use async_trait::async_trait;
use sqlx::{Result, Row, SqliteConnection};

use crate::model::Digest;
use crate::store::StoreError;
use crate::store::ledger::{
    Claim, LooseObject, ObjectLedger, Removal, ids_in_order, in_order, named,
};
use crate::store::retry::unit;
use crate::store::rows;
use crate::store::sqlite::{Sqlite, json, read::micros};

/// Notes objects as loose, in the transaction that takes the last entry from them.
pub(super) async fn loosen(
    connection: &mut SqliteConnection,
    objects: &[(Digest, String)],
) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO image_cache_loose_object (content, url)
        SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true
        ON CONFLICT (content) DO UPDATE SET url = excluded.url, since = excluded.since";
    sqlx::query(sql).bind(json(&in_order(objects))).execute(connection).await?;
    Ok(())
}

/// Removes claims that nobody has given back.
pub(super) async fn forget_claims(connection: &mut SqliteConnection) -> Result<()> {
    let sql = "DELETE FROM image_cache_claim
        WHERE since < strftime('%Y-%m-%d %H:%M:%f000', 'now', '-2 days')";
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

impl Sqlite {
    async fn identity_once(&self) -> Result<Option<String>> {
        let row =
            sqlx::query("SELECT name FROM image_cache_identity").fetch_optional(&self.pool).await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    async fn claim_once(&self, content: Digest, claim: Claim) -> Result<bool> {
        let sql = "INSERT INTO image_cache_claim (id, content)
            SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM image_cache_loose_object
                WHERE content = $2 AND removing_since IS NOT NULL)
            ON CONFLICT (id) DO UPDATE SET since = excluded.since";
        let mut writing = self.write().await?;
        let done = sqlx::query(sql)
            .bind(claim.0)
            .bind(content.to_string())
            .execute(&mut *writing.unit)
            .await?;
        writing.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    async fn release_once(&self, claims: &[Claim]) -> Result<()> {
        let mut writing = self.write().await?;
        sqlx::query("DELETE FROM image_cache_claim WHERE id IN (SELECT value FROM json_each(?))")
            .bind(json(&ids_in_order(claims)))
            .execute(&mut *writing.unit)
            .await?;
        writing.commit().await
    }

    async fn loosen_once(&self, objects: &[(Digest, String)]) -> Result<()> {
        let mut writing = self.write().await?;
        loosen(&mut writing.unit, objects).await?;
        writing.commit().await
    }

    async fn loose_once(&self, most: u32) -> Result<Vec<LooseObject>> {
        let sql = concat!(
            "SELECT content, url, ",
            micros!("since"),
            " FROM image_cache_loose_object WHERE removing_since IS NULL
                OR removing_since < strftime('%Y-%m-%d %H:%M:%f000', 'now', '-1 hour')
            ORDER BY image_cache_loose_object.since LIMIT ?"
        );
        let found = sqlx::query(sql).bind(most).fetch_all(&self.pool).await?;
        found.iter().filter_map(|row| rows::loose_object(row).transpose()).collect()
    }

    async fn begin_removal_once(&self, object: &LooseObject) -> Result<Removal> {
        let look = concat!(
            "SELECT (EXISTS (SELECT 1 FROM image_cache
                    WHERE image_url <> '' AND sha256 IN ($1, upper($1)))
                OR EXISTS (SELECT 1 FROM image_cache_history
                    WHERE image_url <> '' AND sha256 IN ($1, upper($1)))),
                EXISTS (SELECT 1 FROM image_cache_claim WHERE content = $1
                    AND since > strftime('%Y-%m-%d %H:%M:%f000', 'now', '-2 days')),
                ",
            micros!("since"),
            " <> $2 FROM image_cache_loose_object WHERE content = $1
                AND coalesce(removing_since < strftime('%Y-%m-%d %H:%M:%f000', 'now', '-1 hour'), true)"
        );
        let content = object.content.to_string();
        let mut writing = self.write().await?;
        let row = sqlx::query(look)
            .bind(&content)
            .bind(object.since.0)
            .fetch_optional(&mut *writing.unit)
            .await?;
        let Some(row) = row else {
            writing.unit.rollback().await?;
            return Ok(Removal::UnderWay);
        };
        let removal = rows::verdict(&row)?.removal();
        let write = match removal {
            Removal::Begun => {
                "UPDATE image_cache_loose_object
                SET removing_since = strftime('%Y-%m-%d %H:%M:%f000', 'now') WHERE content = ?"
            }
            Removal::Referred => "DELETE FROM image_cache_loose_object WHERE content = ?",
            Removal::Claimed | Removal::UnderWay => {
                "UPDATE image_cache_loose_object SET removing_since = NULL WHERE content = ?"
            }
        };
        sqlx::query(write).bind(&content).execute(&mut *writing.unit).await?;
        writing.commit().await?;
        Ok(removal)
    }

    async fn end_removal_once(&self, object: &LooseObject) -> Result<()> {
        let sql = concat!(
            "DELETE FROM image_cache_loose_object
            WHERE content = ? AND removing_since IS NOT NULL AND ",
            micros!("since"),
            " = ?"
        );
        let mut writing = self.write().await?;
        sqlx::query(sql)
            .bind(object.content.to_string())
            .bind(object.since.0)
            .execute(&mut *writing.unit)
            .await?;
        writing.commit().await
    }
}

#[async_trait]
impl ObjectLedger for Sqlite {
    async fn identity(&self) -> Result<String, StoreError> {
        let done = unit(|| self.identity_once()).await;
        let name = self.told("read the name of the cache", done).await?;
        named("read the name of the cache in SQLite", name)
    }

    async fn whereabouts(&self) -> Result<String, StoreError> {
        // A copy is a file that was made at another time. Not every file system keeps it.
        let file = self.file.clone();
        let made = tokio::task::spawn_blocking(move || file.metadata().and_then(|it| it.created()))
            .await
            .expect("looking at a file does not panic");
        let since = made.ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
        Ok(since.map_or(String::new(), |since| since.as_nanos().to_string()))
    }

    async fn claim(&self, content: Digest) -> Result<Option<Claim>, StoreError> {
        let claim = Claim::fresh();
        let done = unit(|| self.claim_once(content, claim)).await;
        let granted = self.told("claim an object", done).await?;
        Ok(granted.then_some(claim))
    }

    async fn release(&self, claims: &[Claim]) -> Result<(), StoreError> {
        let done = unit(|| self.release_once(claims)).await;
        self.told(format!("release {} objects", claims.len()), done).await
    }

    async fn loosen(&self, objects: &[(Digest, String)]) -> Result<(), StoreError> {
        let done = unit(|| self.loosen_once(objects)).await;
        self.told(format!("note {} loose objects", objects.len()), done).await
    }

    async fn loose(&self, most: u32) -> Result<Vec<LooseObject>, StoreError> {
        let done = unit(|| self.loose_once(most)).await;
        self.told("look for loose objects", done).await
    }

    async fn begin_removal(&self, object: &LooseObject) -> Result<Removal, StoreError> {
        let done = unit(|| self.begin_removal_once(object)).await;
        self.told("begin to remove an object", done).await
    }

    async fn end_removal(&self, object: &LooseObject) -> Result<(), StoreError> {
        let done = unit(|| self.end_removal_once(object)).await;
        self.told("end the removal of an object", done).await
    }
}
