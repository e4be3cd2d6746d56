//! The ledger of objects in MySQL.
//!
//! To claim and to remove are two transactions each: the first commits what the caller is about to do,
//! the second looks what the others are about to do. It has to be another one, because the snapshot of a
//! transaction is as old as its first read.

use async_trait::async_trait;
use sqlx::{MySqlConnection, QueryBuilder, Result, Row};

use crate::model::{Digest, Timestamp};
use crate::store::StoreError;
use crate::store::ledger::{
    Claim, LooseObject, ObjectLedger, Removal, ids_in_order, in_order, named,
};
use crate::store::mysql::{MySql, read::micros};
use crate::store::retry::{begin, unit};
use crate::store::{put, rows};

/// Notes objects as loose, in the transaction that takes the last entry from them. `room` is the bytes that
/// fit into a statement.
pub(super) async fn loosen(
    connection: &mut MySqlConnection,
    objects: &[(Digest, String)],
    room: usize,
) -> Result<()> {
    let objects = in_order(objects);
    for objects in put::statements(&objects, room, |(_, url)| url.len() + 200) {
        let mut sql = QueryBuilder::<sqlx::MySql>::new(
            "INSERT INTO image_cache_loose_object (content, url, since) ",
        );
        sql.push_values(objects, |mut row, (content, url)| {
            row.push_bind(content).push_bind(*url).push("UTC_TIMESTAMP(6)");
        });
        sql.push(" ON DUPLICATE KEY UPDATE url = VALUES(url), since = VALUES(since)");
        sql.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Removes claims that nobody has given back.
pub(super) async fn forget_claims(connection: &mut MySqlConnection) -> Result<()> {
    let sql = "DELETE FROM image_cache_claim WHERE since < UTC_TIMESTAMP(6) - INTERVAL 2 DAY";
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

impl MySql {
    async fn identity_once(&self) -> Result<Option<String>> {
        let mut unit = begin(&self.pool).await?;
        let row =
            sqlx::query("SELECT name FROM image_cache_identity").fetch_optional(&mut *unit).await?;
        unit.commit().await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    async fn whereabouts_once(&self) -> Result<String> {
        // MySQL has the one, newer MariaDB the other, and older neither.
        let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid')";
        let mut unit = begin(&self.pool).await?;
        let row = sqlx::query(sql).fetch_optional(&mut *unit).await?;
        unit.commit().await?;
        row.map_or(Ok(String::new()), |row| row.try_get(1))
    }

    async fn announce_claim(&self, content: Digest, claim: Claim) -> Result<()> {
        let sql = "INSERT INTO image_cache_claim (id, content, since)
            VALUES (?, ?, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE since = VALUES(since)";
        let mut unit = begin(&self.pool).await?;
        sqlx::query(sql).bind(claim.0).bind(content.to_string()).execute(&mut *unit).await?;
        unit.commit().await
    }

    /// Whether the claim stands; one that came too late is withdrawn.
    async fn judge_claim(&self, content: Digest, claim: Claim) -> Result<bool> {
        // The claim itself is looked for as well: this may be a second try, after a withdrawal.
        let sql = "SELECT EXISTS (SELECT 1 FROM image_cache_claim WHERE id = ?)
            AND NOT EXISTS (SELECT 1 FROM image_cache_loose_object
                WHERE content = ? AND removing_since IS NOT NULL)";
        let mut unit = begin(&self.pool).await?;
        let row =
            sqlx::query(sql).bind(claim.0).bind(content.to_string()).fetch_one(&mut *unit).await?;
        let stands = row.try_get::<i64, _>(0)? != 0;
        if !stands {
            withdraw(&mut unit, &[claim]).await?;
        }
        unit.commit().await?;
        Ok(stands)
    }

    async fn release_once(&self, claims: &[Claim]) -> Result<()> {
        let mut unit = begin(&self.pool).await?;
        withdraw(&mut unit, claims).await?;
        unit.commit().await
    }

    async fn loosen_once(&self, objects: &[(Digest, String)]) -> Result<()> {
        let room = self.room().await?;
        let mut unit = begin(&self.pool).await?;
        loosen(&mut unit, objects, room).await?;
        unit.commit().await
    }

    async fn loose_once(&self, most: u32) -> Result<Vec<LooseObject>> {
        let sql = concat!(
            "SELECT content, url, ",
            micros!("since"),
            " FROM image_cache_loose_object WHERE removing_since IS NULL
                OR removing_since < UTC_TIMESTAMP(6) - INTERVAL 1 HOUR
            ORDER BY image_cache_loose_object.since LIMIT ?"
        );
        let mut unit = begin(&self.pool).await?;
        let found = sqlx::query(sql).bind(most).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        found.iter().filter_map(|row| rows::loose_object(row).transpose()).collect()
    }

    /// The moment of the announcement, by which it is known again; `None` when another has made one.
    async fn announce_removal(&self, object: &LooseObject) -> Result<Option<Timestamp>> {
        let announce = concat!(
            "UPDATE image_cache_loose_object SET removing_since = UTC_TIMESTAMP(6)
            WHERE content = ? AND ",
            micros!("since"),
            " = ? AND (removing_since IS NULL
                OR removing_since < UTC_TIMESTAMP(6) - INTERVAL 1 HOUR)"
        );
        let moment = concat!(
            "SELECT ",
            micros!("removing_since"),
            " FROM image_cache_loose_object WHERE content = ?"
        );
        let content = object.content.to_string();
        let mut unit = begin(&self.pool).await?;
        let done =
            sqlx::query(announce).bind(&content).bind(object.since.0).execute(&mut *unit).await?;
        let mut announced = None;
        if done.rows_affected() == 1 {
            let row = sqlx::query(moment).bind(&content).fetch_one(&mut *unit).await?;
            announced = Some(Timestamp(row.try_get(0)?));
        }
        unit.commit().await?;
        Ok(announced)
    }

    async fn judge_removal(&self, object: &LooseObject, announced: Timestamp) -> Result<Removal> {
        // One statement, one snapshot: an entry that comes and its claim that goes cannot both be missed.
        let look = concat!(
            "SELECT (EXISTS (SELECT 1 FROM image_cache
                    WHERE image_url <> '' AND sha256 IN (?, UPPER(?)))
                OR EXISTS (SELECT 1 FROM image_cache_history
                    WHERE image_url <> '' AND sha256 IN (?, UPPER(?)))),
                EXISTS (SELECT 1 FROM image_cache_claim
                    WHERE content = ? AND since > UTC_TIMESTAMP(6) - INTERVAL 2 DAY),
                ",
            micros!("since"),
            " <> ? FROM image_cache_loose_object WHERE content = ? AND ",
            micros!("removing_since"),
            " = ?"
        );
        let forget = concat!(
            "DELETE FROM image_cache_loose_object WHERE content = ? AND ",
            micros!("since"),
            " = ? AND ",
            micros!("removing_since"),
            " = ?"
        );
        let withdraw = concat!(
            "UPDATE image_cache_loose_object SET removing_since = NULL WHERE content = ? AND ",
            micros!("removing_since"),
            " = ?"
        );
        let content = object.content.to_string();
        let mut unit = begin(&self.pool).await?;
        let row = sqlx::query(look)
            .bind(&content)
            .bind(&content)
            .bind(&content)
            .bind(&content)
            .bind(&content)
            .bind(object.since.0)
            .bind(&content)
            .bind(announced.0)
            .fetch_optional(&mut *unit)
            .await?;
        let Some(row) = row else {
            unit.rollback().await?;
            return Ok(Removal::UnderWay);
        };
        let removal = rows::verdict(&row)?.removal();
        if removal == Removal::Referred {
            let forget = sqlx::query(forget).bind(&content).bind(object.since.0).bind(announced.0);
            forget.execute(&mut *unit).await?;
        }
        if removal != Removal::Begun {
            sqlx::query(withdraw).bind(&content).bind(announced.0).execute(&mut *unit).await?;
        }
        unit.commit().await?;
        Ok(removal)
    }

    async fn end_removal_once(&self, object: &LooseObject) -> Result<()> {
        let sql = concat!(
            "DELETE FROM image_cache_loose_object
            WHERE content = ? AND removing_since IS NOT NULL AND ",
            micros!("since"),
            " = ?"
        );
        let mut unit = begin(&self.pool).await?;
        sqlx::query(sql)
            .bind(object.content.to_string())
            .bind(object.since.0)
            .execute(&mut *unit)
            .await?;
        unit.commit().await
    }
}

async fn withdraw(connection: &mut MySqlConnection, claims: &[Claim]) -> Result<()> {
    // One by one within the transaction: a list would be another statement for each number of claims.
    for id in ids_in_order(claims) {
        let sql = "DELETE FROM image_cache_claim WHERE id = ?";
        sqlx::query(sql).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

#[async_trait]
impl ObjectLedger for MySql {
    async fn identity(&self) -> Result<String, StoreError> {
        let done = unit(|| self.identity_once()).await;
        let name = self.told("read the name of the cache", done).await?;
        named("read the name of the cache in MySQL/MariaDB", name)
    }

    async fn whereabouts(&self) -> Result<String, StoreError> {
        let done = unit(|| self.whereabouts_once()).await;
        self.told("ask the server which one it is", done).await
    }

    async fn claim(&self, content: Digest) -> Result<Option<Claim>, StoreError> {
        let claim = Claim::fresh();
        let done = unit(|| self.announce_claim(content, claim)).await;
        self.told("claim an object", done).await?;
        let done = unit(|| self.judge_claim(content, claim)).await;
        let stands = self.told("claim an object", done).await?;
        Ok(stands.then_some(claim))
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
        let done = unit(|| self.announce_removal(object)).await;
        let Some(announced) = self.told("begin to remove an object", done).await? else {
            return Ok(Removal::UnderWay);
        };
        let done = unit(|| self.judge_removal(object, announced)).await;
        self.told("begin to remove an object", done).await
    }

    async fn end_removal(&self, object: &LooseObject) -> Result<(), StoreError> {
        let done = unit(|| self.end_removal_once(object)).await;
        self.told("end the removal of an object", done).await
    }
}
