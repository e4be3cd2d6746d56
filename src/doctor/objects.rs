//! The object store: can it be used, and do entries and objects agree?

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use crate::doctor::Patient;
use crate::doctor::finding::{Finding, Names, count};
use crate::model::entry::PayloadKind;
use crate::model::{ByteSize, Digest};
use crate::remote::{Remote, RemoteError};
use crate::store::{ListQuery, StoreError};

/// An object that no entry refers to may belong to an upload that is under way.
const YOUNG: Duration = Duration::from_secs(24 * 3600);

/// How entries and objects agree.
#[derive(Debug, Default)]
struct Compared {
    objects: u64,
    /// Entries whose object is not there.
    gone: Names,
    /// Objects that no entry refers to, older than a day.
    orphans: Names,
    orphan_bytes: u64,
}

/// Looks at the object store, where one is configured.
pub async fn examine(
    patient: &Patient,
    database_is_usable: bool,
    tell: &mut (dyn FnMut(Finding) + Send),
) {
    let Some(remote) = &patient.remote else { return };
    let place = remote.describe();
    for warning in remote.warnings() {
        tell(Finding::note("objects.warning", warning));
    }
    if let Err(error) = remote.check().await {
        return tell(judge_error("objects.usable", &error));
    }
    tell(Finding::ok("objects.usable", format!("{place} can be written, read and cleared")));
    if !database_is_usable {
        return;
    }
    match compare(patient, remote.as_ref()).await {
        Ok(compared) => judge(&place, &compared).into_iter().for_each(tell),
        Err(Trouble::Remote(error)) => tell(judge_error("objects.compared", &error)),
        Err(Trouble::Store(error)) => {
            tell(Finding::error("objects.compared", error.to_string()));
        }
    }
}

enum Trouble {
    Remote(RemoteError),
    Store(StoreError),
}

async fn compare(patient: &Patient, remote: &dyn Remote) -> Result<Compared, Trouble> {
    let mut compared = Compared::default();
    let mut objects: HashSet<Digest> = HashSet::new();
    let mut old = Vec::new();
    let now = SystemTime::now();
    // Objects first: one that is uploaded meanwhile has no entry yet, and is not looked at.
    remote
        .list(&mut |listed| {
            compared.objects += 1;
            objects.insert(listed.content);
            if now.duration_since(listed.modified).is_ok_and(|age| age > YOUNG) {
                old.push((listed.content, listed.url, listed.size));
            }
        })
        .await
        .map_err(Trouble::Remote)?;
    let query = ListQuery { payload: Some(PayloadKind::Url), ..ListQuery::default() };
    let mut referred = HashSet::new();
    for entry in patient.store.list(&query).await.map_err(Trouble::Store)? {
        let url = entry.image_url.as_deref().unwrap_or_default();
        let Some(content) = remote.content(url) else { continue };
        referred.insert(content);
        if !objects.contains(&content) {
            compared.gone.add(&entry.original_path);
        }
    }
    for (content, url, size) in old {
        if !referred.contains(&content) {
            compared.orphans.add(&url);
            compared.orphan_bytes += size;
        }
    }
    Ok(compared)
}

fn judge_error(check: &'static str, error: &RemoteError) -> Finding {
    let finding = Finding::error(check, format!("{}: {}", error.operation, error.cause));
    match &error.cure {
        Some(cure) => finding.cure(cure.clone()),
        None => finding,
    }
}

fn judge(place: &str, compared: &Compared) -> Vec<Finding> {
    let Compared { objects, gone, orphans, orphan_bytes } = compared;
    let objects = count(*objects, "object", "objects");
    let mut findings = vec![Finding::ok("objects.count", format!("{objects} in {place}"))];
    if !gone.is_empty() {
        let entries = count(gone.count, "entry has its", "entries have their");
        let message = format!("{entries} bytes in {place}, and they are not there: {gone}");
        findings.push(Finding::error("objects.gone", message).cure(
            "imagecached cache -- PATH, for each whose file is on disk, uploads it again; for the \
             others, a backup of the object store",
        ));
    }
    if !orphans.is_empty() {
        let unused = count(orphans.count, "object is", "objects are");
        let bytes = ByteSize(*orphan_bytes);
        let message = format!("{unused} referred to by no entry ({bytes}): {orphans}");
        findings.push(Finding::note("objects.orphans", message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_agree_is_told() {
        let mut compared = Compared { objects: 3, ..Compared::default() };
        assert_eq!(judge("s3://b/p", &compared).len(), 1);
        compared.gone.add("a.mp4");
        compared.orphans.add("s3://b/p/ab/cd");
        compared.orphan_bytes = 2_048;
        let told: Vec<_> = judge("s3://b/p", &compared).iter().map(ToString::to_string).collect();
        let told = told.join("\n");
        assert!(told.contains("1 entry has its bytes in s3://b/p"), "{told}");
        assert!(told.contains("1 object is referred to by no entry (2 KiB)"), "{told}");
    }
}
