//! The deep look: every payload is read from the database and checked against its sha256, and so is what is kept of
//! former contents.

use crate::doctor::Patient;
use crate::doctor::cache::file_is_there;
use crate::doctor::finding::{Finding, count};
use crate::model::ByteSize;
use crate::model::plan::{Missing, Plan};
use crate::model::scratch::is_scratch;
use crate::model::shell_word::shell_word;
use crate::model::version::{PastRow, Shelf};
use crate::payload::check::{BATCH, Checker, Condition, Progress};
use crate::payload::damage::{Damage, Reason};
use crate::store::{HistoryQuery, StoreError};
use crate::uploads::UploadDir;

/// As many damaged entries are named.
const NAMED: usize = 50;

/// As many former contents are listed at a time: there may be ten for each entry.
const PAGE: u32 = 1_000;

/// What the deep look has found so far.
#[derive(Default)]
struct Found {
    sound: u64,
    bytes: u64,
    damaged: u64,
    /// Entries, and after them former ones, with what is wrong with each.
    examples: Vec<(Shelf, Damage)>,
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
    for (shelf, damage) in &found.examples {
        tell(match shelf {
            Shelf::Entries => {
                judge_damage(damage, file_is_there(upload_dir, &damage.path), upload_dir)
            }
            Shelf::History => judge_former(damage),
        });
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
    progress.add_total(plan.missing.len());
    for batch in plan.batches(BATCH.0, BATCH.1) {
        read_batch(patient, Shelf::Entries, batch, found).await?;
        progress.add_done(batch.len());
    }
    read_former(patient, progress, found).await
}

/// Reads what is kept of former contents, a page of the list after the other.
async fn read_former(
    patient: &Patient,
    progress: &Progress,
    found: &mut Found,
) -> Result<(), StoreError> {
    let mut query = HistoryQuery { limit: Some(PAGE), ..HistoryQuery::default() };
    loop {
        let page = patient.store.history(&query).await?;
        let former = page.versions.iter().map(|version| &version.entry);
        let missing = former
            .filter(|entry| entry.has_data() && !is_scratch(&entry.original_path))
            .map(|entry| Missing { id: entry.id, bytes: entry.file_size, access_is_old: false });
        let plan = Plan { missing: missing.collect(), ..Plan::default() };
        progress.add_total(plan.missing.len());
        for batch in plan.batches(BATCH.0, BATCH.1) {
            read_batch(patient, Shelf::History, batch, found).await?;
            progress.add_done(batch.len());
        }
        if page.next.is_none() {
            return Ok(());
        }
        query.after = page.next;
    }
}

async fn read_batch(
    patient: &Patient,
    shelf: Shelf,
    batch: &[Missing],
    found: &mut Found,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = batch.iter().map(|entry| entry.id).collect();
    let (store, remote) = (patient.store.as_ref(), patient.remote.as_ref());
    // What is in the object store is asked for elsewhere, without fetching it all.
    let checker = Checker { store, remote, shelf, objects: false };
    checker
        .check(&ids, &mut |entry| match entry.condition {
            Condition::Sound => found.sound(entry.file_size),
            Condition::Damaged(reason) => found.damaged(entry.row, &entry.path, reason),
            Condition::OutOfReach(_) | Condition::Changed => {}
        })
        .await
}

impl Found {
    fn sound(&mut self, bytes: u64) {
        self.sound += 1;
        self.bytes += bytes;
    }

    fn damaged(&mut self, row: PastRow, path: &str, reason: Reason) {
        self.damaged += 1;
        if self.examples.len() < NAMED {
            let damage = Damage { id: row.id(), path: path.to_owned(), reason };
            self.examples.push((row.shelf(), damage));
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

fn judge_former(Damage { id, path, reason }: &Damage) -> Finding {
    let message =
        format!("{path:?} (version {id}): {reason}; this former content cannot be given back");
    Finding::error("deep.damaged_version", message).cure(
        "the disk cannot mend it, since it has the present content: restore a backup of the database if anybody \
         needs the former one; else do nothing, it is forgotten when its time has come",
    )
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
            found.damaged(PastRow::Entry(id), "a.jpg", Reason::Chunk(3));
        }
        let mut findings = vec![
            judge_damage(&damage, true, None),
            judge_damage(&damage, false, None),
            judge_former(&damage),
        ];
        findings.extend(judge(&found, None));
        let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(texts.join("\n"), @r#"
        ✗ error    deep.damaged          "my cat.jpg" (entry 7): the entry has no data
                                         cure: its file is on disk: imagecached cache -- 'my cat.jpg'
        ✗ error    deep.damaged          "my cat.jpg" (entry 7): the entry has no data
                                         cure: no file of it is on disk here: restore a backup of the database, or put the file into the upload directory if anybody has it; where the picture is lost: DELETE FROM image_cache WHERE id = 7;
        ✗ error    deep.damaged_version  "my cat.jpg" (version 7): the entry has no data; this former content cannot be given back
                                         cure: the disk cannot mend it, since it has the present content: restore a backup of the database if anybody needs the former one; else do nothing, it is forgotten when its time has come
        ✗ error    deep.damaged          2 more entries are damaged, and not named here
                                         cure: cure these first, then look again
        ✓ ok       deep.verified         2 payloads are sound (20 B)
        "#);
    }
}
