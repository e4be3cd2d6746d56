//! The deep look: every payload is read from the database and checked against its sha256.

use crate::doctor::Patient;
use crate::doctor::cache::file_is_there;
use crate::doctor::finding::{Finding, count};
use crate::model::ByteSize;
use crate::model::plan::{Missing, Plan};
use crate::model::scratch::is_scratch;
use crate::model::shell_word::shell_word;
use crate::model::version::Shelf;
use crate::payload::check::{BATCH, Checker, Condition, Progress};
use crate::payload::damage::{Damage, Reason};
use crate::store::StoreError;
use crate::uploads::UploadDir;

/// As many damaged entries are named.
const NAMED: usize = 50;

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
    progress.add_total(plan.missing.len());
    for batch in plan.batches(BATCH.0, BATCH.1) {
        read_batch(patient, batch, found).await?;
        progress.add_done(batch.len());
    }
    Ok(())
}

async fn read_batch(
    patient: &Patient,
    batch: &[Missing],
    found: &mut Found,
) -> Result<(), StoreError> {
    let ids: Vec<i64> = batch.iter().map(|entry| entry.id).collect();
    let (store, remote) = (patient.store.as_ref(), patient.remote.as_ref());
    // What is in the object store is asked for elsewhere, without fetching it all.
    let checker = Checker { store, remote, shelf: Shelf::Entries, objects: false };
    checker
        .check(&ids, &mut |entry| match entry.condition {
            Condition::Sound => found.sound(entry.file_size),
            Condition::Damaged(reason) => found.damaged(entry.row.id(), &entry.path, reason),
            Condition::OutOfReach(_) | Condition::Changed => {}
        })
        .await
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
