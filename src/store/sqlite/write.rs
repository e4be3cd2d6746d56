//! What is written to an SQLite file.

use sqlx::{QueryBuilder, Result, Row, SqliteConnection};

use crate::model::UploadPath;
use crate::model::entry::{ChunkSet, NewEntry, NewPayload};
use crate::model::version::Why;
use crate::store::put::{self, CHUNKS_AT_ONCE, Done};
use crate::store::relocate::{self, Moved};
use crate::store::sqlite::{Sqlite, history, json, ledger, read};
use crate::store::{Relocation, Touch, rows};

/// Multi-row `VALUES`: each statement is a message to the thread that holds the connection. Rows that are there
/// are replaced, as of `moment`; `None` for rows that are all new.
async fn insert_rows(
    connection: &mut SqliteConnection,
    rows: &[&NewEntry],
    moment: Option<&str>,
) -> Result<()> {
    for rows in put::statements(rows, usize::MAX, |entry| entry.weight()) {
        let mut sql = QueryBuilder::<sqlx::Sqlite>::new(
            "INSERT INTO image_cache AS old (created_at, updated_at, last_accessed, content_type,
                object_id, original_path, file_size, content_type_header, sha256, mtime_ns, mode, image_url, chunk_set, image_data) ",
        );
        sql.push_values(rows, |mut row, entry| {
            let (content_type, object_id) = put::owner(entry);
            for _ in ["created_at", "updated_at", "last_accessed"] {
                match moment {
                    Some(moment) => row.push_bind(moment),
                    None => row.push("strftime('%Y-%m-%d %H:%M:%f000', 'now')"),
                };
            }
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
        sql.push(
            " ON CONFLICT (original_path) DO UPDATE SET
                content_type = CASE WHEN excluded.content_type || excluded.object_id = ''
                    THEN old.content_type ELSE excluded.content_type END,
                object_id = CASE WHEN excluded.content_type || excluded.object_id = ''
                    THEN old.object_id ELSE excluded.object_id END,
                image_url = excluded.image_url, file_size = excluded.file_size,
                content_type_header = excluded.content_type_header,
                updated_at = CASE WHEN old.sha256 = excluded.sha256
                    THEN old.updated_at ELSE excluded.updated_at END,
                last_accessed = excluded.last_accessed, sha256 = excluded.sha256,
                mtime_ns = excluded.mtime_ns, mode = excluded.mode, chunk_set = excluded.chunk_set,
                image_data = excluded.image_data",
        );
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert_chunks(
    connection: &mut SqliteConnection,
    payloads: impl Iterator<Item = &NewPayload>,
) -> Result<()> {
    let chunks: Vec<_> = payloads.filter_map(put::chunk_of).collect();
    for chunks in put::statements(&chunks, usize::MAX, |(_, bytes)| bytes.len()) {
        let mut sql = QueryBuilder::<sqlx::Sqlite>::new(
            "INSERT INTO image_cache_chunk (chunk_set, seq, data) ",
        );
        sql.push_values(chunks, |mut row, (set, bytes)| {
            row.push_bind(set.0).push("0").push_bind(*bytes);
        });
        sql.push(
            " ON CONFLICT (chunk_set, seq) DO UPDATE SET data = excluded.data,
                created_at = excluded.created_at",
        );
        sql.build().execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes mtime and mode of paths, in the order of the paths; `sha256`, where given, must be the
/// stored one.
async fn write_looks(
    connection: &mut SqliteConnection,
    looks: &[(&str, i64, u32, Option<String>)],
) -> Result<()> {
    if looks.is_empty() {
        return Ok(());
    }
    let sql = "UPDATE image_cache SET mtime_ns = look.mtime_ns, mode = look.mode,
            last_accessed = strftime('%Y-%m-%d %H:%M:%f000', 'now')
        FROM (SELECT value ->> 0 AS path, value ->> 1 AS mtime_ns, value ->> 2 AS mode,
                value ->> 3 AS sha256 FROM json_each(?)) look
        WHERE original_path = look.path AND coalesce(image_cache.sha256 = look.sha256, true)";
    sqlx::query(sql).bind(json(&looks)).execute(connection).await?;
    Ok(())
}

/// Removes the first rows of chunk sets that no row refers to.
pub(super) async fn remove_loose(
    connection: &mut SqliteConnection,
    sets: &[ChunkSet],
) -> Result<()> {
    if sets.is_empty() {
        return Ok(());
    }
    let sql = "DELETE FROM image_cache_chunk AS c
        WHERE chunk_set IN (SELECT value FROM json_each($1)) AND seq < $2
        AND NOT EXISTS (SELECT 1 FROM image_cache e WHERE e.chunk_set = c.chunk_set)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = c.chunk_set)";
    let sets: Vec<i64> = sets.iter().map(|set| set.0).collect();
    sqlx::query(sql).bind(json(&sets)).bind(i64::from(CHUNKS_AT_ONCE)).execute(connection).await?;
    Ok(())
}

impl Sqlite {
    pub(super) async fn put_once(&self, entries: &[NewEntry]) -> Result<Done> {
        let ordered: Vec<&NewEntry> = entries.iter().collect();
        let paths: Vec<&str> = ordered.iter().map(|entry| entry.path.as_str()).collect();

        let mut writing = self.write().await?;
        let known = read::known(&mut writing.unit, &paths).await?;
        let mut plan = put::plan(&ordered, &known, self.versions > 0);
        let payloads = plan.written().map(|entry| &entry.payload);
        insert_chunks(&mut writing.unit, payloads).await?;
        insert_rows(&mut writing.unit, &plan.new, None).await?;
        if !plan.rows.is_empty() {
            let unit = &mut writing.unit;
            let moment = history::moment(unit).await?;
            if !plan.former.is_empty() {
                history::keep(unit, &plan.former_ids(), Why::Replaced, &moment).await?;
                let many = history::trim(unit, &plan.former_paths(), self.versions).await?;
                plan.let_go_of(many);
            }
            insert_rows(unit, &plan.rows, Some(&moment)).await?;
        }
        let looks: Vec<_> = plan
            .looks
            .iter()
            .map(|entry| {
                let digest = Some(entry.sha256.to_string());
                (entry.path.as_str(), entry.stat.mtime_ns, entry.stat.kept_mode(), digest)
            })
            .collect();
        write_looks(&mut writing.unit, &looks).await?;
        remove_loose(&mut writing.unit, &plan.loose).await?;
        ledger::loosen(&mut writing.unit, &plan.objects).await?;
        writing.commit().await?;
        Ok(plan.done(entries))
    }

    pub(super) async fn relocate_once(&self, relocation: &Relocation) -> Result<Moved> {
        let sql =
            "UPDATE image_cache SET image_url = ?, chunk_set = ?, image_data = ? WHERE id = ?";
        let mut writing = self.write().await?;
        let known = read::known_by_id(&mut writing.unit, relocation.id).await?;
        let plan = relocate::plan(relocation, known.as_ref());
        if let relocate::Plan::Write { set, object, .. } = &plan {
            let to = &relocation.to;
            insert_chunks(&mut writing.unit, std::iter::once(to)).await?;
            sqlx::query(sql)
                .bind(put::url_of(to))
                .bind(put::set_of(to).map(|set| set.0))
                .bind(put::text_of(to))
                .bind(relocation.id)
                .execute(&mut *writing.unit)
                .await?;
            remove_loose(&mut writing.unit, set.as_slice()).await?;
            ledger::loosen(&mut writing.unit, object.as_slice()).await?;
        }
        writing.commit().await?;
        Ok(plan.done())
    }

    pub(super) async fn touch_once(&self, touches: &[Touch]) -> Result<()> {
        let looks: Vec<_> = touches
            .iter()
            .map(|touch| (touch.path.as_str(), touch.mtime_ns, touch.mode, None))
            .collect();
        let mut writing = self.write().await?;
        write_looks(&mut writing.unit, &looks).await?;
        writing.commit().await
    }

    pub(super) async fn accessed_once(&self, paths: &[UploadPath]) -> Result<()> {
        let paths: Vec<&str> = paths.iter().map(UploadPath::as_str).collect();
        let mut writing = self.write().await?;
        let sql = "UPDATE image_cache SET last_accessed = strftime('%Y-%m-%d %H:%M:%f000', 'now')
            WHERE original_path IN (SELECT value FROM json_each($1))";
        sqlx::query(sql).bind(json(&paths)).execute(&mut *writing.unit).await?;
        writing.commit().await
    }

    pub(super) async fn write_chunks_once(
        &self,
        set: ChunkSet,
        first: u32,
        chunks: &[Vec<u8>],
    ) -> Result<()> {
        let sql = "INSERT INTO image_cache_chunk (chunk_set, seq, data) VALUES ($1, $2, $3)
            ON CONFLICT (chunk_set, seq) DO UPDATE SET data = excluded.data,
                created_at = excluded.created_at";
        let mut writing = self.write().await?;
        for (seq, chunk) in (first..).zip(chunks) {
            sqlx::query(sql)
                .bind(set.0)
                .bind(i64::from(seq))
                .bind(chunk)
                .execute(&mut *writing.unit)
                .await?;
        }
        writing.commit().await
    }

    /// Removes some rows of a set that no row refers to; returns whether there may be more.
    pub(super) async fn discard_some(&self, set: ChunkSet) -> Result<bool> {
        let sql = "DELETE FROM image_cache_chunk WHERE chunk_set = $1
            AND seq IN (SELECT seq FROM image_cache_chunk WHERE chunk_set = $1 LIMIT $2)
            AND NOT EXISTS (SELECT 1 FROM image_cache e WHERE e.chunk_set = $1)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = $1)";
        let mut writing = self.write().await?;
        let removed = sqlx::query(sql)
            .bind(set.0)
            .bind(i64::from(CHUNKS_AT_ONCE))
            .execute(&mut *writing.unit)
            .await?;
        writing.commit().await?;
        Ok(removed.rows_affected() >= u64::from(CHUNKS_AT_ONCE))
    }

    /// Chunk sets that no row refers to and whose last row is more than a day old. Removes the claims that nobody has
    /// given back.
    pub(super) async fn forgotten_sets_once(&self) -> Result<Vec<ChunkSet>> {
        let sql = "SELECT chunk_set FROM image_cache_chunk c
            WHERE NOT EXISTS (SELECT 1 FROM image_cache e WHERE e.chunk_set = c.chunk_set)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = c.chunk_set)
            GROUP BY chunk_set HAVING max(created_at) < strftime('%Y-%m-%d %H:%M:%f000', 'now', '-1 day')";
        let mut writing = self.write().await?;
        ledger::forget_claims(&mut writing.unit).await?;
        let rows = sqlx::query(sql).fetch_all(&mut *writing.unit).await?;
        writing.commit().await?;
        rows.iter().map(|row| row.try_get(0).map(ChunkSet)).collect()
    }

    /// Removes entries and the first rows of their chunk sets; returns how many entries, and the
    /// sets that have more rows.
    pub(super) async fn remove_once(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>)> {
        let mut writing = self.write().await?;
        let sql = "DELETE FROM image_cache WHERE id IN (SELECT value FROM json_each($1))
            RETURNING chunk_set, sha256, image_url, file_size";
        let rows = sqlx::query(sql).bind(json(&ids)).fetch_all(&mut *writing.unit).await?;
        let let_go = rows::let_go(&rows);
        remove_loose(&mut writing.unit, &let_go.sets).await?;
        ledger::loosen(&mut writing.unit, &let_go.objects).await?;
        writing.commit().await?;
        Ok((rows.len() as u64, let_go.sets))
    }
}
