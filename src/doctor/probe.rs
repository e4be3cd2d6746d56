//! The probe: two small entries are written into the real tables, read back, and taken away again.

use std::time::{Duration, SystemTime};

use crate::doctor::finding::Finding;
use crate::doctor::probe_name;
use crate::model::entry::{ChunkSet, NewEntry, NewPayload};
use crate::model::{Digest, FileStat, UploadPath, base64, mime};
use crate::restore::damage;
use crate::store::{ListQuery, Store, StoreError};

const CONTENT: &[u8] = b"imagecached doctor\n";

/// Clocks further apart than this make times in lists and logs hard to compare.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// What a probe has told.
struct Told {
    /// The moment of writing by the database's clock, and by this machine's.
    clocks: Option<(SystemTime, SystemTime)>,
}

enum Trouble {
    Store(StoreError),
    /// What was read is not what was written.
    Differs(String),
    Silent,
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub async fn examine(
    store: &dyn Store,
    patience: Duration,
    tell: &mut (dyn FnMut(Finding) + Send),
) {
    let entries = match entries() {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("no random name can be made for a probe: {error}");
            return tell(Finding::error("database.probe", message).cure("update the system"));
        }
    };
    let told = tokio::time::timeout(patience, write_and_read(store, &entries)).await;
    // Whatever came of it: also after an error the entries may be there.
    let removed = tokio::time::timeout(patience, remove(store, &entries)).await;
    let told = told.unwrap_or(Err(Trouble::Silent));
    if let Ok(Told { clocks: Some((database, here)) }) = told {
        tell(judge_clocks(database, here));
    }
    tell(judge(told.map(drop)));
    match removed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tell(left_behind(&error.to_string())),
        Err(_) => tell(left_behind("the database does not answer any more")),
    }
}

/// One entry in base64, and one in a chunk row.
fn entries() -> std::io::Result<[NewEntry; 2]> {
    let name = probe_name()?;
    let set = ChunkSet((getrandom::u64()? >> 2) as i64);
    let stat =
        FileStat { size: CONTENT.len() as u64, mtime_ns: 1, ctime_ns: 1, inode: 0, mode: 0o600 };
    let entry = |suffix, payload| NewEntry {
        path: UploadPath::parse(&format!("{name}{suffix}")).expect("a probe's name is sound"),
        owner: None,
        rewrite: false,
        mime: mime::UNKNOWN.into(),
        sha256: Digest::of(CONTENT),
        stat,
        payload,
    };
    Ok([
        entry("-inline", NewPayload::Inline(base64::encode(CONTENT))),
        entry("-chunk", NewPayload::OneChunk(set, CONTENT.to_vec())),
    ])
}

async fn write_and_read(store: &dyn Store, entries: &[NewEntry]) -> Result<Told, Trouble> {
    store.put(entries).await?;
    let here = SystemTime::now();
    let ids = ids(store, entries).await?;
    let mut sound = 0;
    let mut trouble = None;
    let mut buffer = Vec::new();
    store
        .fetch(&ids, &mut |row| match damage::verified(&row, &mut buffer) {
            Ok(_) => sound += 1,
            Err(reason) => trouble = Some(reason.to_string()),
        })
        .await?;
    if let Some(reason) = trouble {
        return Err(Trouble::Differs(reason));
    }
    if sound != entries.len() {
        return Err(Trouble::Differs(format!("{sound} of {} entries came back", entries.len())));
    }
    let query = ListQuery { path: Some(entries[0].path.clone()), ..ListQuery::default() };
    let listed = store.list(&query).await?;
    Ok(Told { clocks: listed.first().map(|entry| (entry.created_at.into(), here)) })
}

async fn remove(store: &dyn Store, entries: &[NewEntry]) -> Result<(), StoreError> {
    let ids = ids(store, entries).await?;
    store.remove(&ids).await.map(drop)
}

async fn ids(store: &dyn Store, entries: &[NewEntry]) -> Result<Vec<i64>, StoreError> {
    let paths: Vec<_> = entries.iter().map(|entry| entry.path.clone()).collect();
    Ok(store.stored(&paths).await?.values().map(|stored| stored.id).collect())
}

fn judge(told: Result<(), Trouble>) -> Finding {
    let finding = |message| Finding::error("database.probe", message);
    match told {
        Ok(()) => Finding::ok("database.probe", "two entries were written, read back and removed"),
        Err(Trouble::Store(error)) => {
            let cure = error.cure.clone().unwrap_or_else(|| {
                "look into the database's log; then run the doctor again".to_owned()
            });
            finding(format!("cannot {}: {}", error.operation, error.cause)).cure(cure)
        }
        Err(Trouble::Differs(how)) => finding(format!("a probe came back damaged: {how}"))
            .cure("look for triggers, rules or views on image_cache and image_cache_chunk"),
        Err(Trouble::Silent) => finding("the database has stopped answering".to_owned())
            .cure("look for locks on image_cache, and at the database's status and log"),
    }
}

fn left_behind(why: &str) -> Finding {
    Finding::warning("database.probe", format!("the probe's entries could not be removed: {why}"))
        .cure("DELETE FROM image_cache WHERE original_path LIKE '.imagecached-doctor-%';")
}

fn judge_clocks(database: SystemTime, here: SystemTime) -> Finding {
    let (apart, order) = match here.duration_since(database) {
        Ok(apart) => (apart, "ahead of"),
        Err(error) => (error.duration(), "behind"),
    };
    if apart <= CLOCKS_APART {
        return Finding::ok("database.clock", "it agrees with this machine's clock");
    }
    let apart = humantime::format_duration(Duration::from_secs(apart.as_secs()));
    let message = format!("this machine's clock is {apart} {order} the database's");
    Finding::warning("database.clock", message)
        .cure("on whichever is wrong: timedatectl set-ntp true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_far_apart_are_told() {
        let here = SystemTime::UNIX_EPOCH + Duration::from_secs(100_000);
        assert!(!judge_clocks(here - Duration::from_secs(59), here).is_bad());
        let texts = [
            judge_clocks(here - Duration::from_secs(7_200), here),
            judge_clocks(here + Duration::from_secs(61), here),
            left_behind("connection reset"),
            judge(Err(Trouble::Differs("the entry has no data".into()))),
        ];
        insta::assert_snapshot!(texts.map(|finding| finding.to_string()).join("\n"), @r"
        ! warning  database.clock        this machine's clock is 2h ahead of the database's
                                         cure: on whichever is wrong: timedatectl set-ntp true
        ! warning  database.clock        this machine's clock is 1m 1s behind the database's
                                         cure: on whichever is wrong: timedatectl set-ntp true
        ! warning  database.probe        the probe's entries could not be removed: connection reset
                                         cure: DELETE FROM image_cache WHERE original_path LIKE '.imagecached-doctor-%';
        ✗ error    database.probe        a probe came back damaged: the entry has no data
                                         cure: look for triggers, rules or views on image_cache and image_cache_chunk
        ");
    }
}
