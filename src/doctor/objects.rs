//! The object store: can it be used, who else uses it, and do entries and objects agree?

use crate::doctor::Patient;
use crate::doctor::finding::{Finding, Names, count};
use crate::model::ByteSize;
use crate::objects::{Compared, Differs, Neighbours, Objects, Trouble, shown};
use crate::remote::RemoteError;

/// What differs between entries and objects.
#[derive(Debug, Default)]
struct Found {
    compared: Compared,
    /// Entries whose object is not there.
    gone: Names,
    /// Objects that no entry refers to, older than a day.
    orphans: Names,
    /// Whose those may be.
    neighbours: Option<Neighbours>,
    may_remove: bool,
}

/// Looks at the object store, where one is configured.
pub async fn examine(
    patient: &Patient,
    database_is_usable: bool,
    tell: &mut (dyn FnMut(Finding) + Send),
) {
    let Some(objects) = &patient.objects else { return };
    let remote = objects.remote();
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
    match look(objects).await {
        Ok(found) => judge(&place, &found).into_iter().for_each(tell),
        Err(Trouble::Remote(error)) => tell(judge_error("objects.compared", &error)),
        Err(Trouble::Store(error)) => {
            tell(Finding::error("objects.compared", error.to_string()));
        }
    }
}

async fn look(objects: &Objects) -> Result<Found, Trouble> {
    let mut found = Found { may_remove: objects.may_remove(), ..Found::default() };
    let neighbours = objects.neighbours().await?;
    found.neighbours = Some(neighbours).filter(|neighbours| !neighbours.all.is_empty());
    let compared = objects
        .compare(&mut |differs| match differs {
            Differs::Gone(entry) => found.gone.add(&entry.original_path),
            Differs::Orphan(object) => found.orphans.add(&shown(object)),
        })
        .await?;
    Ok(Found { compared, ..found })
}

fn judge_error(check: &'static str, error: &RemoteError) -> Finding {
    let finding = Finding::error(check, format!("{}: {}", error.operation, error.cause));
    match &error.cure {
        Some(cure) => finding.cure(cure.clone()),
        None => finding,
    }
}

fn judge(place: &str, found: &Found) -> Vec<Finding> {
    let Found { compared, gone, orphans, neighbours, may_remove } = found;
    let objects = count(compared.objects, "object", "objects");
    let mut findings = vec![Finding::ok("objects.count", format!("{objects} in {place}"))];
    if let Some(neighbours) = neighbours {
        let message = format!("{neighbours}; so nothing is removed there");
        findings.push(Finding::note("objects.shared", message).cure(neighbours.cure()));
    }
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
        let bytes = ByteSize(compared.orphan_bytes);
        let message =
            format!("{unused} referred to by no entry of this database ({bytes}): {orphans}");
        let finding = Finding::note("objects.orphans", message);
        findings.push(match (neighbours, may_remove) {
            (Some(_), _) => finding,
            (None, false) => finding.cure("set remove_objects = true, which lets them be removed"),
            (None, true) => {
                finding.cure("imagecached cleanup --orphans, which shows them; then --yes")
            }
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::Neighbour;
    use crate::remote::Mark;

    fn told(found: &Found) -> String {
        let told: Vec<_> = judge("s3://b/p", found).iter().map(ToString::to_string).collect();
        told.join("\n")
    }

    #[test]
    fn what_does_not_agree_is_told() {
        let mut found = Found { may_remove: true, ..Found::default() };
        assert_eq!(judge("s3://b/p", &found).len(), 1);
        found.gone.add("a.mp4");
        found.orphans.add("s3://b/p/ab/cd");
        found.compared.orphan_bytes = 2_048;
        let text = told(&found);
        assert!(text.contains("1 entry has its bytes in s3://b/p"), "{text}");
        assert!(
            text.contains("1 object is referred to by no entry of this database (2 KiB)"),
            "{text}"
        );
        assert!(text.contains("cure: imagecached cleanup --orphans"), "{text}");
    }

    #[test]
    fn what_may_be_another_s_is_no_orphan_to_remove() {
        let mark = Mark { name: "ab-1".into(), note: "PostgreSQL db:5432/shop".into() };
        let all = vec![Neighbour { mark, is_copy: false }];
        let neighbours = Some(Neighbours { place: "s3://b/p".into(), all });
        let mut found = Found { neighbours, may_remove: true, ..Found::default() };
        found.orphans.add("s3://b/p/ab/cd");
        let text = told(&found);
        assert!(text.contains("another database uses s3://b/p: ab-1 (PostgreSQL db"), "{text}");
        assert!(text.contains("--forget-database ab-1") && !text.contains("--orphans"), "{text}");
    }
}
