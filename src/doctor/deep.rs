//! The deep look: every payload is read from the database and checked against its sha256.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::doctor::Patient;
use crate::doctor::cache::file_is_there;
use crate::doctor::finding::{Finding, count, shell_word};
use crate::model::ByteSize;
use crate::model::entry::ChunkSet;
use crate::model::plan::{Missing, Plan};
use crate::model::scratch::is_scratch;
use crate::model::version::PastRow;
use crate::payload::damage::{self, Damage, Reason};
use crate::payload::{ReadError, Reader};
use crate::store::{FetchedPayload, StoreError};
use crate::uploads::UploadDir;

/// Most bytes, and most entries, that are fetched with one statement, as a restore does.
const BATCH: (u64, usize) = (4 << 20, 64);

/// As many damaged entries are named.
const NAMED: usize = 50;

/// How far the deep look has come, in entries.
#[derive(Debug, Default)]
pub struct Progress {
    total: AtomicU64,
    done: AtomicU64,
}

impl Progress {
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    #[must_use]
    pub fn done(&self) -> u64 {
        self.done.load(Relaxed)
    }
}

/// An entry whose chunks have to be read one by one.
struct Large {
    id: i64,
    path: String,
    set: ChunkSet,
    file_size: u64,
    sha256: String,
}

/// What has become of the reading of a payload.
enum Read {
    Sound,
    Damaged(Reason),
    /// Removed or replaced meanwhile, or moved to where it is out of reach.
    Elsewhere,
}

/// What the deep look has found so far.
#[derive(Default)]
struct Found {
    sound: u64,
    bytes: u64,
    damaged: u64,
    examples: Vec<Damage>,
}

/// Reads every payload, in batches that fit into memory, and checks it.
pub async fn verify(
    patient: &Patient,
    progress: &Progress,
    tell: &mut (dyn FnMut(Finding) + Send),
) {
    let mut found = Found::default();
    let read = read_all(patient, progress, &mut found).await;
    let upload_dir = patient.upload_dir.here();
    for damage in &found.examples {
        tell(judge_damage(damage, file_is_there(upload_dir, &damage.path), upload_dir));
    }
    judge(&found, read.as_ref().err()).into_iter().for_each(tell);
}

async fn read_all(
    patient: &Patient,
    progress: &Progress,
    found: &mut Found,
) -> Result<(), StoreError> {
    // The plan of a restore into an empty directory names every payload there is.
    let mut plan = Plan::default();
    patient
        .store
        .index(&mut |row| {
            if !is_scratch(&row.original_path) {
                plan.consider(&row, |_| false);
            }
        })
        .await?;
    progress.total.store(plan.missing.len() as u64, Relaxed);
    for batch in plan.batches(BATCH.0, BATCH.1) {
        read_batch(patient, batch, found).await?;
        progress.done.fetch_add(batch.len() as u64, Relaxed);
    }
    Ok(())
}

async fn read_batch(
    patient: &Patient,
    batch: &[Missing],
    found: &mut Found,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = batch.iter().map(|entry| entry.id).collect();
    let mut buffer = Vec::new();
    let mut large = Vec::new();
    patient
        .store
        .fetch(&ids, &mut |row| match row.payload {
            FetchedPayload::Chunks(set) => large.push(Large {
                id: row.id,
                path: row.original_path.to_owned(),
                set,
                file_size: row.file_size,
                sha256: row.sha256.to_owned(),
            }),
            // Told by the comparison with the disk; its bytes are out of reach, not damaged.
            FetchedPayload::Url(_) => {}
            _ => match damage::verified(&row, &mut buffer) {
                Ok(bytes) => found.sound(bytes.len() as u64),
                Err(reason) => found.damaged(row.id, row.original_path, reason),
            },
        })
        .await?;
    for entry in large {
        match read_chunks(patient, &entry).await? {
            Read::Sound => found.sound(entry.file_size),
            Read::Damaged(reason) => found.damaged(entry.id, &entry.path, reason),
            Read::Elsewhere => {}
        }
    }
    Ok(())
}

async fn read_chunks(patient: &Patient, entry: &Large) -> Result<Read, StoreError> {
    let expected = match damage::expected_digest(&entry.sha256) {
        Ok(digest) => (entry.file_size, digest),
        Err(reason) => return Ok(Read::Damaged(reason)),
    };
    let (store, remote) = (patient.store.as_ref(), patient.remote.as_ref());
    let mut reader =
        Reader::of_chunks(store, remote, PastRow::Entry(entry.id), entry.set, expected);
    loop {
        return Ok(match reader.next().await {
            Ok(Some(_)) => continue,
            Ok(None) => Read::Sound,
            Err(ReadError::Store(error)) => return Err(error),
            Err(ReadError::Damaged(Reason::Url(_) | Reason::Object(_))) => Read::Elsewhere,
            Err(ReadError::Damaged(reason)) => Read::Damaged(reason),
            Err(ReadError::Removed | ReadError::Replaced | ReadError::Remote(_)) => Read::Elsewhere,
        });
    }
}

impl Found {
    fn sound(&mut self, bytes: u64) {
        self.sound += 1;
        self.bytes += bytes;
    }

    fn damaged(&mut self, id: i64, path: &str, reason: Reason) {
        self.damaged += 1;
        if self.examples.len() < NAMED {
            self.examples.push(Damage { id, path: path.to_owned(), reason });
        }
    }
}

fn judge_damage(damage: &Damage, file_is_there: bool, upload_dir: Option<&UploadDir>) -> Finding {
    let finding = Finding::error("deep.damaged", damage.to_string());
    let id = damage.id;
    if file_is_there {
        return finding.cure(format!(
            "its file is on disk: imagecached cache -- {}",
            shell_word(&damage.path)
        ));
    }
    let place =
        upload_dir.map_or("the upload directory".into(), |d| d.root().display().to_string());
    finding.cure(format!(
        "no file of it is on disk here: restore a backup of the database, or put the file into \
         {place} if anybody has it; where the picture is lost: DELETE FROM image_cache WHERE id = {id};"
    ))
}

fn judge(found: &Found, error: Option<&StoreError>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let unnamed = found.damaged - found.examples.len() as u64;
    if unnamed > 0 {
        let more = count(unnamed, "more entry is", "more entries are");
        let message = format!("{more} damaged, and not named here");
        findings.push(
            Finding::error("deep.damaged", message).cure("cure these first, then look again"),
        );
    }
    let read = count(found.sound, "payload is", "payloads are");
    let message = format!("{read} sound ({})", ByteSize(found.bytes));
    findings.push(match error {
        None => Finding::ok("deep.verified", message),
        Some(error) => {
            let message = format!("{message}; then: cannot {}: {}", error.operation, error.cause);
            Finding::error("deep.verified", message).cure("run `imagecached doctor --deep` again")
        }
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_with_an_honest_cure() {
        let damage = Damage { id: 7, path: "my cat.jpg".into(), reason: Reason::NoData };
        let mut found = Found { sound: 2, bytes: 20, ..Found::default() };
        for id in 0..52 {
            found.damaged(id, "a.jpg", Reason::Chunk(3));
        }
        let mut findings =
            vec![judge_damage(&damage, true, None), judge_damage(&damage, false, None)];
        findings.extend(judge(&found, None));
        let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        ✗ error    deep.damaged          "my cat.jpg" (entry 7): the entry has no data
                                         cure: its file is on disk: imagecached cache -- 'my cat.jpg'
        ✗ error    deep.damaged          "my cat.jpg" (entry 7): the entry has no data
                                         cure: no file of it is on disk here: restore a backup of the database, or put the file into the upload directory if anybody has it; where the picture is lost: DELETE FROM image_cache WHERE id = 7;
        ✗ error    deep.damaged          2 more entries are damaged, and not named here
                                         cure: cure these first, then look again
        ✓ ok       deep.verified         2 payloads are sound (20 B)
        "#);
    }
}
