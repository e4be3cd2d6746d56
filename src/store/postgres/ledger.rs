//! The ledger of objects in PostgreSQL.
//!
//! To claim and to remove are two transactions each: the first commits what the caller is about to do,
//! the second, whose snapshot is younger, looks what the others are about to do.

use async_trait::async_trait;
use sqlx::{PgConnection, Result, Row};

use crate::model::{Digest, Timestamp};
use crate::store::StoreError;
use crate::store::ledger::{
    Claim, LooseObject, ObjectLedger, Removal, ids_in_order, in_order, named,
};
use crate::store::postgres::{Postgres, query, read::micros};
use crate::store::retry::unit;
use crate::store::rows;

/// Notes objects as loose, in the transaction that takes the last entry from them.
pub(super) async fn loosen(
    connection: &mut PgConnection,
    objects: &[(Digest, String)],
) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO image_cache_loose_object (content, url)
        SELECT * FROM unnest($1::text[], $2::text[])
        ON CONFLICT (content) DO UPDATE SET url = excluded.url, since = excluded.since";
    let (contents, urls): (Vec<String>, Vec<&str>) = in_order(objects).into_iter().unzip();
    query(sql).bind(contents).bind(urls).execute(connection).await?;
    Ok(())
}

/// Removes claims that nobody has given back.
pub(super) async fn forget_claims(connection: &mut PgConnection) -> Result<()> {
    let sql = "DELETE FROM image_cache_claim WHERE since < now() - interval '2 days'";
    query(sql).execute(connection).await?;
    Ok(())
}

impl Postgres {
    async fn identity_once(&self) -> Result<Option<String>> {
        let mut unit = self.begin().await?;
        let row = query("SELECT name FROM image_cache_identity").fetch_optional(&mut *unit).await?;
        unit.commit().await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    async fn whereabouts_once(&self) -> Result<String> {
        // A provider may keep it to itself.
        let may = "SELECT coalesce(has_function_privilege(
            to_regprocedure('pg_catalog.pg_control_system()'), 'EXECUTE'), false)";
        let mut unit = self.begin().await?;
        let mut told = String::new();
        if query(may).fetch_one(&mut *unit).await?.try_get(0)? {
            let sql = "SELECT system_identifier::text FROM pg_catalog.pg_control_system()";
            told = query(sql).fetch_one(&mut *unit).await?.try_get(0)?;
        }
        unit.commit().await?;
        Ok(told)
    }

    async fn announce_claim(&self, content: Digest, claim: Claim) -> Result<()> {
        let sql = "INSERT INTO image_cache_claim (id, content) VALUES ($1, $2)
            ON CONFLICT (id) DO NOTHING";
        let mut unit = self.begin().await?;
        query(sql).bind(claim.0).bind(content.to_string()).execute(&mut *unit).await?;
        unit.commit().await
    }

    /// Whether the claim stands; one that came too late is withdrawn.
    async fn judge_claim(&self, content: Digest, claim: Claim) -> Result<bool> {
        // The claim itself is looked for as well: this may be a second try, after a withdrawal.
        let sql = "SELECT EXISTS (SELECT 1 FROM image_cache_claim WHERE id = $1)
            AND NOT EXISTS (SELECT 1 FROM image_cache_loose_object
                WHERE content = $2 AND removing_since IS NOT NULL)";
        let mut unit = self.begin().await?;
        let row = query(sql).bind(claim.0).bind(content.to_string()).fetch_one(&mut *unit).await?;
        let stands: bool = row.try_get(0)?;
        if !stands {
            withdraw(&mut unit, &[claim]).await?;
        }
        unit.commit().await?;
        Ok(stands)
    }

    async fn release_once(&self, claims: &[Claim]) -> Result<()> {
        let mut unit = self.begin().await?;
        withdraw(&mut unit, claims).await?;
        unit.commit().await
    }

    async fn loosen_once(&self, objects: &[(Digest, String)]) -> Result<()> {
        let mut unit = self.begin().await?;
        loosen(&mut unit, objects).await?;
        unit.commit().await
    }

    async fn loose_once(&self, most: u32) -> Result<Vec<LooseObject>> {
        let sql = concat!(
            "SELECT content, url, ",
            micros!("since"),
            " FROM image_cache_loose_object WHERE removing_since IS NULL
                OR removing_since < now() - interval '1 hour'
            ORDER BY image_cache_loose_object.since LIMIT $1"
        );
        let mut unit = self.begin().await?;
        let found = query(sql).bind(i64::from(most)).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        found.iter().filter_map(|row| rows::loose_object(row).transpose()).collect()
    }

    /// The moment of the announcement, by which it is known again; `None` when another has made one.
    async fn announce_removal(&self, object: &LooseObject) -> Result<Option<Timestamp>> {
        let sql = concat!(
            "UPDATE image_cache_loose_object SET removing_since = now()
            WHERE content = $1 AND ",
            micros!("since"),
            " = $2 AND coalesce(removing_since < now() - interval '1 hour', true) RETURNING ",
            micros!("removing_since")
        );
        let mut unit = self.begin().await?;
        let row = query(sql)
            .bind(object.content.to_string())
            .bind(object.since.0)
            .fetch_optional(&mut *unit)
            .await?;
        unit.commit().await?;
        row.map(|row| row.try_get(0).map(Timestamp)).transpose()
    }

    async fn judge_removal(&self, object: &LooseObject, announced: Timestamp) -> Result<Removal> {
        // One statement, one snapshot: an entry that comes and its claim that goes cannot both be missed.
        let look = concat!(
            "SELECT (EXISTS (SELECT 1 FROM image_cache
                    WHERE image_url <> '' AND sha256 IN ($1, upper($1)))
                OR EXISTS (SELECT 1 FROM image_cache_history
                    WHERE image_url <> '' AND sha256 IN ($1, upper($1))))::int::bigint,
                EXISTS (SELECT 1 FROM image_cache_claim
                    WHERE content = $1 AND since > now() - interval '2 days')::int::bigint,
                (",
            micros!("since"),
            " <> $2)::int::bigint FROM image_cache_loose_object WHERE content = $1 AND ",
            micros!("removing_since"),
            " = $3"
        );
        let forget = concat!(
            "DELETE FROM image_cache_loose_object WHERE content = $1 AND ",
            micros!("since"),
            " = $2 AND ",
            micros!("removing_since"),
            " = $3"
        );
        let withdraw = concat!(
            "UPDATE image_cache_loose_object SET removing_since = NULL WHERE content = $1 AND ",
            micros!("removing_since"),
            " = $2"
        );
        let content = object.content.to_string();
        let mut unit = self.begin().await?;
        let row = query(look)
            .bind(&content)
            .bind(object.since.0)
            .bind(announced.0)
            .fetch_optional(&mut *unit)
            .await?;
        let Some(row) = row else {
            unit.rollback().await?;
            return Ok(Removal::UnderWay);
        };
        let removal = rows::verdict(&row)?.removal();
        if removal == Removal::Referred {
            let forget = query(forget).bind(&content).bind(object.since.0).bind(announced.0);
            forget.execute(&mut *unit).await?;
        }
        if removal != Removal::Begun {
            query(withdraw).bind(&content).bind(announced.0).execute(&mut *unit).await?;
        }
        unit.commit().await?;
        Ok(removal)
    }

    async fn end_removal_once(&self, object: &LooseObject) -> Result<()> {
        let sql = concat!(
            "DELETE FROM image_cache_loose_object
            WHERE content = $1 AND removing_since IS NOT NULL AND ",
            micros!("since"),
            " = $2"
        );
        let mut unit = self.begin().await?;
        query(sql)
            .bind(object.content.to_string())
            .bind(object.since.0)
            .execute(&mut *unit)
            .await?;
        unit.commit().await
    }
}

async fn withdraw(connection: &mut PgConnection, claims: &[Claim]) -> Result<()> {
    let sql = "DELETE FROM image_cache_claim WHERE id = ANY($1)";
    query(sql).bind(ids_in_order(claims)).execute(connection).await?;
    Ok(())
}

#[async_trait]
impl ObjectLedger for Postgres {
    async fn identity(&self) -> Result<String, StoreError> {
        let done = unit(|| self.identity_once()).await;
        let name = self.told("read the name of the cache", done).await?;
        named("read the name of the cache in PostgreSQL", name)
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
