//! What is written to MySQL.

use sqlx::mysql::MySqlArguments;
use sqlx::{Connection, MySqlConnection, QueryBuilder, Result, Row};

use crate::model::UploadPath;
use crate::model::entry::{ChunkSet, NewEntry, NewPayload};
use crate::model::version::Why;
use crate::store::mysql::{MySql, history, ledger, path_hash, push_list, read};
use crate::store::put::{self, CHUNKS_AT_ONCE, Done};
use crate::store::relocate::{self, Moved};
use crate::store::retry::begin;
use crate::store::{Relocation, Touch, rows};

/// What an entry takes from the one that is stored. Assignments are made in this order, and a column read
/// after its own has the new value.
const REPLACE: &str = " ON DUPLICATE KEY UPDATE
        object_id = IF(VALUES(content_type) = '' AND VALUES(object_id) = '',
            object_id, VALUES(object_id)),
        content_type = IF(VALUES(content_type) = '' AND VALUES(object_id) = '',
            content_type, VALUES(content_type)),
        updated_at = IF(sha256 = VALUES(sha256), updated_at, VALUES(updated_at)),
        sha256 = VALUES(sha256), image_url = VALUES(image_url), file_size = VALUES(file_size),
        content_type_header = VALUES(content_type_header),
        last_accessed = VALUES(last_accessed), mtime_ns = VALUES(mtime_ns),
        mode = VALUES(mode), chunk_set = VALUES(chunk_set), image_data = VALUES(image_data)";

/// `room` is the bytes that fit into a statement. Rows that are there are replaced, as of `moment`; without one
/// all must be new: where another writer has come first, the put begins again, knowing what is there.
async fn insert_rows(
    connection: &mut MySqlConnection,
    rows: &[&NewEntry],
    room: usize,
    moment: Option<&str>,
) -> Result<()> {
    for rows in put::statements(rows, room, |entry| entry.weight()) {
        let mut sql = QueryBuilder::with_arguments(
            "INSERT INTO image_cache (path_hash, created_at, updated_at, last_accessed, content_type,
                object_id, original_path, file_size, content_type_header, sha256, mtime_ns, mode,
                image_url, chunk_set, image_data) ",
            put::room_for::<MySqlArguments>(
                15 * rows.len(),
                rows.iter().map(|entry| entry.weight()).sum(),
            ),
        );
        sql.push_values(rows, |mut row, entry| {
            let (content_type, object_id) = put::owner(entry);
            row.push("UNHEX(")
                .push_bind_unseparated(path_hash(entry.path.as_str()))
                .push_unseparated(")");
            for _ in ["created_at", "updated_at", "last_accessed"] {
                match moment {
                    Some(moment) => row.push_bind(moment),
                    None => row.push("UTC_TIMESTAMP(6)"),
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
        sql.push(if moment.is_some() { REPLACE } else { "" });
        sql.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn insert_chunks(
    connection: &mut MySqlConnection,
    payloads: impl Iterator<Item = &NewPayload>,
    room: usize,
) -> Result<()> {
    let chunks: Vec<_> = payloads.filter_map(put::chunk_of).collect();
    for chunks in put::statements(&chunks, room, |(_, bytes)| bytes.len()) {
        let bytes: usize = chunks.iter().map(|(_, bytes)| bytes.len()).sum();
        let mut sql = QueryBuilder::with_arguments(
            "INSERT INTO image_cache_chunk (chunk_set, seq, created_at, data) ",
            put::room_for::<MySqlArguments>(2 * chunks.len(), bytes + 20 * chunks.len()),
        );
        sql.push_values(chunks, |mut row, (set, bytes)| {
            row.push_bind(set.0).push("0").push("UTC_TIMESTAMP(6)").push_bind(*bytes);
        });
        sql.push(" ON DUPLICATE KEY UPDATE data = VALUES(data), created_at = VALUES(created_at)");
        sql.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes mtime and mode of paths, in the order of the paths; `sha256`, where given, must be the
/// stored one.
async fn write_looks(
    connection: &mut MySqlConnection,
    looks: &[(&str, i64, u32, Option<String>)],
) -> Result<()> {
    if looks.is_empty() {
        return Ok(());
    }
    for looks in looks.chunks(500) {
        let mut sql = QueryBuilder::<sqlx::MySql>::new("UPDATE image_cache e JOIN (");
        let mut union = "";
        for (path, mtime_ns, mode, sha256) in looks {
            sql.push(union).push("SELECT UNHEX(").push_bind(path_hash(path));
            sql.push(") AS path_hash, CAST(").push_bind(*mtime_ns);
            sql.push(" AS SIGNED) AS mtime_ns, CAST(").push_bind(i64::from(*mode));
            // As bytes: two collations of equal rank cannot be compared.
            sql.push(" AS SIGNED) AS mode, CAST(").push_bind(sha256.as_deref());
            sql.push(" AS BINARY) AS sha256");
            union = " UNION ALL ";
        }
        sql.push(
            ") look ON e.path_hash = look.path_hash
            SET e.mtime_ns = look.mtime_ns, e.mode = look.mode, e.last_accessed = UTC_TIMESTAMP(6)
            WHERE look.sha256 IS NULL OR e.sha256 = look.sha256",
        );
        sql.build().persistent(false).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Removes the first rows of chunk sets that no row refers to.
pub(super) async fn remove_loose(
    connection: &mut MySqlConnection,
    sets: &[ChunkSet],
) -> Result<()> {
    if sets.is_empty() {
        return Ok(());
    }
    let mut sql =
        QueryBuilder::<sqlx::MySql>::new("DELETE FROM image_cache_chunk WHERE chunk_set IN ");
    push_list(&mut sql, sets.iter().map(|set| set.0), ("", ""));
    sql.push(" AND seq < ").push_bind(CHUNKS_AT_ONCE).push(
        " AND NOT EXISTS (SELECT 1 FROM image_cache e
            WHERE e.chunk_set = image_cache_chunk.chunk_set)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = image_cache_chunk.chunk_set)",
    );
    sql.build().persistent(false).execute(connection).await?;
    Ok(())
}

impl MySql {
    pub(super) async fn put_once(&self, entries: &[NewEntry]) -> Result<Done> {
        // Everybody takes the rows in the order of their keys, so that two instances that store the same
        // files wait for each other; a deadlock stays possible, and is tried again.
        let mut ordered: Vec<&NewEntry> = entries.iter().collect();
        ordered.sort_by_cached_key(|entry| path_hash(entry.path.as_str()));
        let paths: Vec<&str> = ordered.iter().map(|entry| entry.path.as_str()).collect();

        let room = self.room().await?;
        let mut unit = begin(&self.pool).await?;
        let known = read::known_for_put(&mut unit, &paths).await?;
        let mut plan = put::plan(&ordered, &known, self.versions > 0);
        insert_rows(&mut unit, &plan.new, room, None).await?;
        insert_chunks(&mut unit, plan.written().map(|entry| &entry.payload), room).await?;
        if !plan.rows.is_empty() {
            let moment = history::moment(&mut unit).await?;
            if !plan.former.is_empty() {
                history::keep(&mut unit, &plan.former_ids(), Why::Replaced, &moment).await?;
                let many = history::trim(&mut unit, &plan.former_paths(), self.versions).await?;
                plan.let_go_of(many);
            }
            insert_rows(&mut unit, &plan.rows, room, Some(&moment)).await?;
        }
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
        ledger::loosen(&mut unit, &plan.objects, room).await?;
        if put::are_bulky(&ordered) {
            unit.shrink_buffers();
        }
        unit.commit().await?;
        Ok(plan.done(entries))
    }

    pub(super) async fn relocate_once(&self, relocation: &Relocation) -> Result<Moved> {
        let sql =
            "UPDATE image_cache SET image_url = ?, chunk_set = ?, image_data = ? WHERE id = ?";
        let room = self.room().await?;
        let mut unit = begin(&self.pool).await?;
        let known = read::known_by_id(&mut unit, relocation.id).await?;
        let plan = relocate::plan(relocation, known.as_ref());
        if let relocate::Plan::Write { set, object, .. } = &plan {
            let to = &relocation.to;
            insert_chunks(&mut unit, std::iter::once(to), room).await?;
            sqlx::query(sql)
                .bind(put::url_of(to))
                .bind(put::set_of(to).map(|set| set.0))
                .bind(put::text_of(to))
                .bind(relocation.id)
                .execute(&mut *unit)
                .await?;
            remove_loose(&mut unit, set.as_slice()).await?;
            ledger::loosen(&mut unit, object.as_slice(), room).await?;
        }
        unit.commit().await?;
        Ok(plan.done())
    }

    pub(super) async fn touch_once(&self, touches: &[Touch]) -> Result<()> {
        let looks: Vec<_> = touches
            .iter()
            .map(|touch| (touch.path.as_str(), touch.mtime_ns, touch.mode, None))
            .collect();
        let mut unit = begin(&self.pool).await?;
        write_looks(&mut unit, &looks).await?;
        unit.commit().await
    }

    pub(super) async fn accessed_once(&self, paths: &[UploadPath]) -> Result<()> {
        let mut sql = QueryBuilder::<sqlx::MySql>::new(
            "UPDATE image_cache SET last_accessed = UTC_TIMESTAMP(6) WHERE path_hash IN ",
        );
        push_list(&mut sql, paths.iter().map(|path| path_hash(path.as_str())), ("UNHEX(", ")"));
        let mut unit = begin(&self.pool).await?;
        sql.build().persistent(false).execute(&mut *unit).await?;
        unit.commit().await
    }

    pub(super) async fn write_chunks_once(
        &self,
        set: ChunkSet,
        first: u32,
        chunks: &[Vec<u8>],
    ) -> Result<()> {
        let sql = "INSERT INTO image_cache_chunk (chunk_set, seq, created_at, data)
            VALUES (?, ?, UTC_TIMESTAMP(6), ?)
            ON DUPLICATE KEY UPDATE data = VALUES(data), created_at = VALUES(created_at)";
        let mut unit = begin(&self.pool).await?;
        for (seq, chunk) in (first..).zip(chunks) {
            sqlx::query(sql)
                .bind(set.0)
                .bind(i64::from(seq))
                .bind(chunk)
                .execute(&mut *unit)
                .await?;
        }
        unit.commit().await
    }

    /// Removes some rows of a set that no row refers to; returns whether there may be more.
    pub(super) async fn discard_some(&self, set: ChunkSet) -> Result<bool> {
        let sql = "DELETE FROM image_cache_chunk WHERE chunk_set = ?
            AND NOT EXISTS (SELECT 1 FROM image_cache e
                WHERE e.chunk_set = image_cache_chunk.chunk_set)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = image_cache_chunk.chunk_set)
            ORDER BY seq LIMIT ?";
        let mut unit = begin(&self.pool).await?;
        let removed = sqlx::query(sql)
            .bind(set.0)
            .bind(i64::from(CHUNKS_AT_ONCE))
            .execute(&mut *unit)
            .await?;
        unit.commit().await?;
        Ok(removed.rows_affected() >= u64::from(CHUNKS_AT_ONCE))
    }

    /// Chunk sets that no row refers to and whose last row is more than a day old. Removes the claims that nobody has
    /// given back.
    pub(super) async fn forgotten_sets_once(&self) -> Result<Vec<ChunkSet>> {
        let sql = "SELECT chunk_set FROM image_cache_chunk c
            WHERE NOT EXISTS (SELECT 1 FROM image_cache e WHERE e.chunk_set = c.chunk_set)
            AND NOT EXISTS (SELECT 1 FROM image_cache_history h WHERE h.chunk_set = c.chunk_set)
            GROUP BY chunk_set HAVING max(created_at) < UTC_TIMESTAMP(6) - INTERVAL 1 DAY";
        let mut unit = begin(&self.pool).await?;
        ledger::forget_claims(&mut unit).await?;
        let rows = sqlx::query(sql).fetch_all(&mut *unit).await?;
        unit.commit().await?;
        rows.iter().map(|row| row.try_get(0).map(ChunkSet)).collect()
    }

    /// Removes entries and the first rows of their chunk sets; returns how many entries, and the
    /// sets that have more rows.
    pub(super) async fn remove_once(&self, ids: &[i64]) -> Result<(u64, Vec<ChunkSet>)> {
        let room = self.room().await?;
        let mut unit = begin(&self.pool).await?;
        let mut select = QueryBuilder::<sqlx::MySql>::new(
            "SELECT chunk_set, sha256, image_url, file_size FROM image_cache WHERE id IN ",
        );
        push_list(&mut select, ids.iter().copied(), ("", ""));
        select.push(" FOR UPDATE");
        let rows = select.build().persistent(false).fetch_all(&mut *unit).await?;
        let mut delete = QueryBuilder::<sqlx::MySql>::new("DELETE FROM image_cache WHERE id IN ");
        push_list(&mut delete, ids.iter().copied(), ("", ""));
        delete.build().persistent(false).execute(&mut *unit).await?;
        let let_go = rows::let_go(&rows);
        remove_loose(&mut unit, &let_go.sets).await?;
        ledger::loosen(&mut unit, &let_go.objects, room).await?;
        unit.commit().await?;
        Ok((rows.len() as u64, let_go.sets))
    }
}
