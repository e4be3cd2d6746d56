//! What is written to PostgreSQL.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use sqlx::postgres::PgArguments;
use sqlx::{Connection, QueryBuilder, Result, Row};

use crate::model::UploadPath;
use crate::model::entry::{ChunkSet, NewEntry, NewPayload};
use crate::model::version::Why;
use crate::store::postgres::{Postgres, arrays, history, ledger, query, read};
use crate::store::put::{self, CHUNKS_AT_ONCE, Done};
use crate::store::relocate::{self, Moved};
use crate::store::{Relocation, Touch, rows};

/// So often a put begins again because others have come first to its paths; the next time it knows them.
const MEETINGS: u32 = 16;

/// What an entry takes from the one that is stored.
const REPLACE: &str = " ON CONFLICT (original_path) DO UPDATE SET
        content_type = CASE WHEN excluded.content_type || excluded.object_id = ''
            THEN old.content_type ELSE excluded.content_type END,
        object_id = CASE WHEN excluded.content_type || excluded.object_id = ''
            THEN old.object_id ELSE excluded.object_id END,
        image_url = excluded.image_url, file_size = excluded.file_size,
        content_type_header = excluded.content_type_header,
        updated_at = CASE WHEN old.sha256 = excluded.sha256
            THEN old.updated_at ELSE now() END,
        last_accessed = now(), sha256 = excluded.sha256, mtime_ns = excluded.mtime_ns,
        mode = excluded.mode, chunk_set = excluded.chunk_set,
        image_data = excluded.image_data";

/// Multi-row `VALUES` and no `unnest` of payloads: its function scan spills every batch to a temporary
/// file.
///
/// Rows that are to be new are left out where one is by now; returns whether all were written.
async fn insert_rows(
    connection: &mut sqlx::PgConnection,
    rows: &[&NewEntry],
    new: bool,
) -> Result<bool> {
    let mut written = 0;
    for rows in put::statements(rows, usize::MAX, |entry| entry.weight()) {
        let mut sql = QueryBuilder::with_arguments(
            "INSERT INTO image_cache AS old (content_type, object_id, original_path, file_size,
                content_type_header, sha256, mtime_ns, mode, image_url, chunk_set, image_data) ",
            put::room_for::<PgArguments>(
                11 * rows.len(),
                rows.iter().map(|entry| entry.weight()).sum(),
            ),
        );
        sql.push_values(rows, |mut row, entry| {
            let (content_type, object_id) = put::owner(entry);
            row.push_bind(content_type)
                .push_bind(object_id)
                .push_bind(entry.path.as_str())
                .push_bind(i64::try_from(entry.stat.size).unwrap_or(i64::MAX))
                .push_bind(entry.mime.as_str())
                .push_bind(entry.sha256.to_string())
                .push_bind(entry.stat.mtime_ns)
                .push_bind(i64::from(entry.stat.kept_mode()))
                .push_bind(put::url_of(&entry.payload))
                .push_bind(put::set_of(&entry.payload).map(|set| set.0))
                .push_bind(put::text_of(&entry.payload));
        });
        sql.push(if new { " ON CONFLICT (original_path) DO NOTHING" } else { REPLACE });
        let done = sql.build().persistent(false).execute(&mut *connection).await?;
        written += done.rows_affected();
    }
    Ok(written == rows.len() as u64)
}

async fn insert_chunks(
    connection: &mut sqlx::PgConnection,
    payloads: impl Iterator<Item = &NewPayload>,
) -> Result<()> {
    let chunks: Vec<_> = payloads.filter_map(put::chunk_of).collect();
    for chunks in put::statements(&chunks, usize::MAX, |(_, bytes)| bytes.len()) {
        let bytes: usize = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut sql = QueryBuilder::with_arguments(
            "INSERT INTO image_cache_chunk (chunk_set, seq, data) ",
            put::room_for::<PgArguments>(2 * chunks.len(), bytes + 20 * chunks.len()),
        );
        sql.push_values(chunks, |mut row, (set, bytes)| {
            row.push_bind(set.0).push("0").push_bind(*bytes);
        });
        sql.push(
            " ON CONFLICT (chunk_set, seq) DO UPDATE SET data = excluded.data, created_at = now()",
        );
        sql.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes mtime and mode of paths, in the order of the paths; `sha256`, where given, must be the
/// stored one.
async fn write_looks(
    connection: &mut sqlx::PgConnection,
    looks: &[(&str, i64, u32, Option<String>)],
) -> Result<()> {
    if looks.is_empty() {
        return Ok(());
    }
    let paths: Vec<&str> = looks.iter().map(|look| look.0).collect();
    let mtimes: Vec<i64> = looks.iter().map(|look| look.1).collect();
    let modes: Vec<i64> = looks.iter().map(|look| i64::from(look.2)).collect();
    let digests: Vec<Option<&str>> = looks.iter().map(|look| look.3.as_deref()).collect();
    let sql = "UPDATE image_cache e
        SET mtime_ns = look.mtime_ns, mode = look.mode, last_accessed = now()
        FROM (SELECT unnest($1::text[]) AS path, unnest($2::bigint[]) AS mtime_ns,
                unnest($3::bigint[]) AS mode, unnest($4::text[]) AS sha256) look
        WHERE e.original_path = look.path AND coalesce(e.sha256 = look.sha256, true)";
    query(sql).bind(paths).bind(mtimes).bind(modes).bind(digests).execute(connection).await?;
    Ok(())
}

/// Removes the first rows of chunk sets that no row refers to.
pub(super) async fn remove_loose(
    connection: &mut sqlx::PgConnection,
    sets: &[ChunkSet],
) -> Result<()> {
    if sets.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM image_cache_chunk c WHERE chunk_set = ANY($1) AND seq < $2
        AND NOT EXISTS (SELECT 1 FROM image_cache e WHERE e.chunk_set = c.chunk_set)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = c.chunk_set)";
    let sets: Vec<i64> = sets.iter().map(|set| set.0).collect();
    query(sql).bind(sets).bind(i64::from(CHUNKS_AT_ONCE)).execute(connection).await?;
    Ok(())
}

impl Postgres {
    pub(super) async fn put_once(&self, entries: &[NewEntry]) -> Result<Done> {
        let mut looks = !self.puts_are_new.load(Ordering::Relaxed);
        for _ in 0..MEETINGS {
            if let Some((done, new)) = self.put_unless_met(entries, looks).await? {
                self.puts_are_new.store(new, Ordering::Relaxed);
                return Ok(done);
            }
            looks = true;
        }
        let cause = "image_cache takes fewer rows than it is given: look for triggers and rules";
        Err(sqlx::Error::InvalidArgument(cause.to_owned()))
    }

    /// Nothing is written, and there is `None`, where a path that was taken for free is not: what is stored there is to
    /// be compared or to become a version, and nobody has looked at it yet. Without `looks`, all paths are taken for
    /// free. Says as well whether all were.
    async fn put_unless_met(
        &self,
        entries: &[NewEntry],
        looks: bool,
    ) -> Result<Option<(Done, bool)>> {
        // Everybody takes the rows in the order of their paths, so that two instances that store the
        // same files wait for each other instead of dying in a deadlock.
        let mut ordered: Vec<&NewEntry> = entries.iter().collect();
        ordered.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let paths: Vec<&str> = ordered.iter().map(|entry| entry.path.as_str()).collect();

        let mut unit = self.begin_by_key().await?;
        let known = match looks {
            true => read::known_for_put(&mut unit, &paths).await?,
            false => HashMap::new(),
        };
        let mut plan = put::plan(&ordered, &known, self.versions > 0);
        let all_taken = match arrays::suit(&plan.new) {
            true => arrays::insert(&mut unit, &plan.new).await? == plan.new.len() as u64,
            false => insert_rows(&mut unit, &plan.new, true).await?,
        };
        if !all_taken {
            unit.rollback().await?;
            return Ok(None);
        }
        insert_chunks(&mut unit, plan.written().map(|entry| &entry.payload)).await?;
        if !plan.former.is_empty() {
            history::keep(&mut unit, &plan.former_ids(), Why::Replaced).await?;
            let many = history::trim(&mut unit, &plan.former_paths(), self.versions).await?;
            plan.let_go_of(many);
        }
        insert_rows(&mut unit, &plan.rows, false).await?;
        let looks: Vec<_> = plan
            .looks
            .iter()
            .map(|entry| {
                let digest = Some(entry.sha256.to_string());
                (entry.path.as_str(), entry.stat.mtime_ns, entry.stat.kept_mode(), digest)
            })
            .collect();
        write_looks(&mut unit, &looks).await?;
        remove_loose(&mut unit, &plan.loose).await?;
        ledger::loosen(&mut unit, &plan.objects).await?;
        if put::are_bulky(&ordered) {
            unit.shrink_buffers();
        }
        unit.commit().await?;
        Ok(Some((plan.done(entries), known.is_empty())))
    }

    pub(super) async fn relocate_once(&self, relocation: &Relocation) -> Result<Moved> {
        let sql =
            "UPDATE image_cache SET image_url = $1, chunk_set = $2, image_data = $3 WHERE id = $4";
        let mut unit = self.begin().await?;
        let known = read::known_by_id(&mut unit, relocation.id).await?;
        let plan = relocate::plan(relocation, known.as_ref());
        if let relocate::Plan::Write { set, object, .. } = &plan {
            let to = &relocation.to;
            insert_chunks(&mut unit, std::iter::once(to)).await?;
            query(sql)
                .bind(put::url_of(to))
                .bind(put::set_of(to).map(|set| set.0))
                .bind(put::text_of(to))
                .bind(relocation.id)
                .execute(&mut *unit)
                .await?;
            remove_loose(&mut unit, set.as_slice()).await?;
            ledger::loosen(&mut unit, object.as_slice()).await?;
        }
        unit.commit().await?;
        Ok(plan.done())
    }

    pub(super) async fn touch_once(&self, touches: &[Touch]) -> Result<()> {
        let looks: Vec<_> = touches
            .iter()
            .map(|touch| (touch.path.as_str(), touch.mtime_ns, touch.mode, None))
            .collect();
        let mut unit = self.begin_by_key().await?;
        write_looks(&mut unit, &looks).await?;
        unit.commit().await
    }

    pub(super) async fn accessed_once(&self, paths: &[UploadPath]) -> Result<()> {
        let paths: Vec<&str> = paths.iter().map(UploadPath::as_str).collect();
        let mut unit = self.begin_by_key().await?;
        query("UPDATE image_cache SET last_accessed = now() WHERE original_path = ANY($1)")
            .bind(paths)
            .execute(&mut *unit)
            .await?;
        unit.commit().await
    }

    pub(super) async fn write_chunks_once(
        &self,
        set: ChunkSet,
        first: u32,
        chunks: &[Vec<u8>],
    ) -> Result<()> {
        let sql = "INSERT INTO image_cache_chunk (chunk_set, seq, data) VALUES ($1, $2, $3)
            ON CONFLICT (chunk_set, seq) DO UPDATE SET data = excluded.data, created_at = now()";
        let mut unit = self.begin().await?;
        for (seq, chunk) in (first..).zip(chunks) {
            query(sql).bind(set.0).bind(i64::from(seq)).bind(chunk).execute(&mut *unit).await?;
        }
        unit.commit().await
    }

    /// Removes some rows of a set that no row refers to; returns whether there may be more.
    pub(super) async fn discard_some(&self, set: ChunkSet) -> Result<bool> {
        let sql = "DELETE FROM image_cache_chunk WHERE chunk_set = $1
            AND seq IN (SELECT seq FROM image_cache_chunk WHERE chunk_set = $1 LIMIT $2)
            AND NOT EXISTS (SELECT 1 FROM image_cache e WHERE e.chunk_set = $1)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = $1)";
        let mut unit = self.begin().await?;
        let removed =
            query(sql).bind(set.0).bind(i64::from(CHUNKS_AT_ONCE)).execute(&mut *unit).await?;
        unit.commit().await?;
        Ok(removed.rows_affected() >= u64::from(CHUNKS_AT_ONCE))
    }

    /// Chunk sets that no row refers to and whose last row is more than a day old. Removes the claims that nobody has
    /// given back.
    pub(super) async fn forgotten_sets_once(&self) -> Result<Vec<ChunkSet>> {
        let sql = "SELECT chunk_set FROM image_cache_chunk c
            WHERE NOT EXISTS (SELECT 1 FROM image_cache e WHERE e.chunk_set = c.chunk_set)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = c.chunk_set)
            GROUP BY chunk_set HAVING max(created_at) < now() - interval '1 day'";
        let mut unit = self.begin().await?;
        ledger::forget_claims(&mut unit).await?;
        let rows = query(sql).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        rows.iter().map(|row| row.try_get(0).map(ChunkSet)).collect()
    }

    /// Removes entries and the first rows of their chunk sets; returns how many entries, and the
    /// sets that have more rows.
    pub(super) async fn remove_once(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>)> {
        let mut unit = self.begin_by_key().await?;
        let sql = "DELETE FROM image_cache WHERE id = ANY($1)
            RETURNING chunk_set, sha256, image_url, file_size";
        let rows = query(sql).bind(ids).fetch_all(&mut *unit).await?;
        let let_go = rows::let_go(&rows);
        remove_loose(&mut unit, &let_go.sets).await?;
        ledger::loosen(&mut unit, &let_go.objects).await?;
        unit.commit().await?;
        Ok((rows.len() as u64, let_go.sets))
    }
}
