//! What to tell of it, and which cure.

use crate::doctor::cache::{Cached, Unsaved};
use crate::doctor::finding::{Finding, Names, count};
use crate::model::ByteSize;

/// What the entries alone tell.
pub(super) fn judge_cached(cached: &Cached) -> Vec<Finding> {
    let entries = count(cached.entries, "entry", "entries");
    let mut findings = vec![Finding::ok("cache.entries", entries)];
    let Cached { by_url, hostile, .. } = cached;
    if !by_url.is_empty() {
        let entries = count(by_url.count, "entry is", "entries are");
        let message =
            format!("{entries} in an object store that is not the configured one: {by_url}");
        findings.push(Finding::error("cache.by_url", message).cure(
            "set object_store to where they are; or, for each whose file is on disk: imagecached \
             cache -- PATH",
        ));
    }
    if !hostile.is_empty() {
        let ids: Vec<_> = hostile.iter().take(20).map(ToString::to_string).collect();
        let mut names = Names::default();
        cached.plan.refused_examples.iter().for_each(|(path, _)| names.add(path));
        let why = cached.plan.refused_examples.first().map(|(_, why)| why.to_string());
        let message = format!(
            "{} to no file of the upload directory: {names} ({}); none is restored",
            count(cached.plan.refused, "entry leads", "entries lead"),
            why.unwrap_or_default(),
        );
        findings.push(Finding::warning("cache.hostile", message).cure(format!(
            "find out who wrote them; then: DELETE FROM image_cache WHERE id IN ({});",
            ids.join(", ")
        )));
    }
    if cached.scratch > 0 {
        let entries = count(cached.scratch, "entry", "entries");
        let message = format!("{entries} left by an interrupted doctor or self-test");
        findings.push(
            Finding::note("cache.scratch", message).cure("imagecached self-test removes them"),
        );
    }
    findings
}

/// What the entries tell beside the disk. `guarded`: whether the restore of the daemon that runs here is
/// finished; `None` when none runs.
pub(super) fn judge_beside(
    cached: &Cached,
    disk_is_empty: bool,
    guarded: Option<bool>,
) -> Vec<Finding> {
    let Cached { missing, empty, plan, .. } = cached;
    let mut findings = vec![judge_missing(missing, plan.bytes, disk_is_empty, guarded)];
    if !empty.is_empty() {
        let entries = count(empty.count, "entry has", "entries have");
        let message = format!("{entries} no data, and no file on disk: {empty}");
        findings.push(Finding::warning("cache.without_data", message).cure(
            "put the file into the upload directory if anybody has it, or restore a backup of \
             the database; `imagecached cleanup` drops such entries in time",
        ));
    }
    findings
}

fn judge_missing(
    missing: &Names,
    bytes: u64,
    disk_is_empty: bool,
    guarded: Option<bool>,
) -> Finding {
    const CHECK: &str = "cache.missing";
    if missing.is_empty() {
        return Finding::ok(CHECK, "every entry's file is on disk");
    }
    let entries = count(missing.count, "entry is", "entries are");
    let message = format!("{entries} not on disk ({}): {missing}", ByteSize(bytes));
    match guarded {
        Some(false) => Finding::note(CHECK, format!("{message}; they are being restored")),
        Some(true) => {
            Finding::note(CHECK, format!("{message}; deleted since the start, and kept here"))
                .cure("imagecached restore puts them back")
        }
        None if disk_is_empty => {
            Finding::note(CHECK, format!("{message}; the next start restores them"))
        }
        None => Finding::warning(CHECK, message).cure("imagecached restore"),
    }
}

pub(super) fn judge_room(needed: u64, free: u64) -> Finding {
    let (wanted, room) = (ByteSize(needed), ByteSize(free));
    if needed == 0 {
        return Finding::ok(
            "cache.room",
            format!("{room} are free, and nothing is to be restored"),
        );
    }
    let message = format!("{room} are free, and {wanted} are to be restored");
    if needed <= free {
        return Finding::ok("cache.room", message);
    }
    Finding::error("cache.room", message)
        .cure("make room, or raise the size of the disk; the newest files are restored first")
}

pub(super) fn judge_unsaved(unsaved: &Unsaved, daemon_runs: bool) -> Vec<Finding> {
    let Unsaved { new, changed, unreadable, young } = unsaved;
    let mut findings = Vec::new();
    let cure = if daemon_runs {
        "imagecached cache-all; then look for the reason in the daemon's log"
    } else {
        "imagecached cache-all"
    };
    if !new.is_empty() {
        let files = count(new.count, "file is", "files are");
        let message = format!("{files} on disk and NOT SAFE: {new}");
        findings.push(Finding::error("cache.unsaved", message).cure(cure));
    }
    if !changed.is_empty() {
        let files = count(changed.count, "file has", "files have");
        let message = format!("{files} changed since it was stored: {changed}");
        findings.push(Finding::warning("cache.changed", message).cure(cure));
    }
    if !unreadable.is_empty() {
        let files = count(unreadable.count, "file", "files");
        let message = format!("{files} cannot be stored, as this user may not read: {unreadable}");
        findings.push(
            Finding::error("cache.unreadable", message)
                .cure("run the app and imagecached as the same user, or chmod u+r them"),
        );
    }
    if *young > 0 {
        let files = count(*young, "file is", "files are");
        findings.push(Finding::note("cache.on_the_way", format!("{files} seconds old")));
    }
    if findings.is_empty() {
        findings.push(Finding::ok("cache.unsaved", "every file on disk is safe"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::directory::Tree;
    use crate::model::IndexRow;
    use crate::model::index::key;

    fn row(id: i64, path: &str, has_data: bool) -> IndexRow {
        IndexRow {
            id,
            original_path: path.into(),
            file_size: 10,
            mtime_ns: 0,
            access_is_old: true,
            has_data,
        }
    }

    fn shown(findings: &[Finding]) -> String {
        findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_the_cache_lacks_or_has_too_much_is_told() {
        let mut on_disk = Tree::default();
        on_disk.files = [key("here.jpg")].into_iter().collect();
        let mut cached = Cached::default();
        for (id, path, has_data) in [
            (1, "here.jpg", true),
            (2, "gone.jpg", true),
            (3, "lost.jpg", false),
            (4, "../../etc/passwd", true),
            (5, ".imagecached-self-test-1/a", true),
        ] {
            cached.note(&row(id, path, has_data), &on_disk);
        }
        cached.by_url.add("cloud.jpg");
        let mut findings = judge_cached(&cached);
        findings.extend(judge_beside(&cached, false, None));
        insta::assert_snapshot!(shown(&findings), @r#"
        ✓ ok       cache.entries         4 entries
        ✗ error    cache.by_url          1 entry is in an object store that is not the configured one: "cloud.jpg"
                                         cure: set object_store to where they are; or, for each whose file is on disk: imagecached cache -- PATH
        ! warning  cache.hostile         1 entry leads to no file of the upload directory: "../../etc/passwd" (the path has a part "..", which could lead out of the upload directory); none is restored
                                         cure: find out who wrote them; then: DELETE FROM image_cache WHERE id IN (4);
        • note     cache.scratch         1 entry left by an interrupted doctor or self-test
                                         cure: imagecached self-test removes them
        ! warning  cache.missing         1 entry is not on disk (10 B): "gone.jpg"
                                         cure: imagecached restore
        ! warning  cache.without_data    1 entry has no data, and no file on disk: "lost.jpg"
                                         cure: put the file into the upload directory if anybody has it, or restore a backup of the database; `imagecached cleanup` drops such entries in time
        "#);
    }

    #[test]
    fn missing_files_are_judged_by_who_is_there_to_restore_them() {
        let mut missing = Names::default();
        missing.add("a.jpg");
        let judged = [
            judge_missing(&Names::default(), 0, false, None),
            judge_missing(&missing, 10, true, None),
            judge_missing(&missing, 10, false, Some(true)),
            judge_missing(&missing, 10, false, Some(false)),
        ];
        assert!(!judged.iter().any(Finding::is_bad));
        insta::assert_snapshot!(shown(&judged), @r#"
        ✓ ok       cache.missing         every entry's file is on disk
        • note     cache.missing         1 entry is not on disk (10 B): "a.jpg"; the next start restores them
        • note     cache.missing         1 entry is not on disk (10 B): "a.jpg"; deleted since the start, and kept here
                                         cure: imagecached restore puts them back
        • note     cache.missing         1 entry is not on disk (10 B): "a.jpg"; they are being restored
        "#);
    }

    #[test]
    fn files_that_are_not_safe_are_told() {
        let mut unsaved = Unsaved { young: 1, ..Unsaved::default() };
        unsaved.new.add("new.jpg");
        unsaved.changed.add("changed.jpg");
        unsaved.unreadable.add("secret.jpg");
        let mut findings = judge_unsaved(&unsaved, true);
        findings.extend(judge_unsaved(&Unsaved::default(), false));
        findings.extend([judge_room(0, 5), judge_room(5, 5), judge_room(6, 5)]);
        insta::assert_snapshot!(shown(&findings), @r#"
        ✗ error    cache.unsaved         1 file is on disk and NOT SAFE: "new.jpg"
                                         cure: imagecached cache-all; then look for the reason in the daemon's log
        ! warning  cache.changed         1 file has changed since it was stored: "changed.jpg"
                                         cure: imagecached cache-all; then look for the reason in the daemon's log
        ✗ error    cache.unreadable      1 file cannot be stored, as this user may not read: "secret.jpg"
                                         cure: run the app and imagecached as the same user, or chmod u+r them
        • note     cache.on_the_way      1 file is seconds old
        ✓ ok       cache.unsaved         every file on disk is safe
        ✓ ok       cache.room            5 B are free, and nothing is to be restored
        ✓ ok       cache.room            5 B are free, and 5 B are to be restored
        ✗ error    cache.room            5 B are free, and 6 B are to be restored
                                         cure: make room, or raise the size of the disk; the newest files are restored first
        "#);
    }
}
