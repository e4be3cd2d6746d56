//! A past state: what every path had at a moment, put into a directory.
//!
//! Contents of the time are with the entries or in the history, and may move from the one to the other while
//! they are restored. So only rows with the very content that was chosen become files, and the choice
//! is made again until each has become something. What nobody can know is told, and not guessed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::model::entry::PayloadKind;
use crate::model::plan::{Missing, Plan};
use crate::model::scratch::is_scratch;
use crate::model::version::{Past, PastRow, Shelf};
use crate::model::{IndexRow, Timestamp};
use crate::restore::report::NAMED;
use crate::restore::{PlanError, Report, Restore, Stop, on_disk};
use crate::store::Store;
use crate::uploads::UploadDir;

/// So often the choice is made again. A content moves twice when it is replaced and given back.
const MOST_CHOICES: u32 = 8;

/// What a restore of a past state will do.
#[derive(Debug, Default)]
pub struct PastPlan {
    /// What is still with the entries, and what is in the history.
    shares: [Share; 2],
    /// Paths that had a content at the time, which nobody has kept.
    pub unknown: u64,
    /// Some of them.
    pub unknown_examples: Vec<String>,
}

/// The part of a plan that is on one shelf.
#[derive(Debug, Default)]
struct Share {
    plan: Plan,
    /// Sha256 of the content that is meant, as the database has it, by the row's id.
    contents: HashMap<i64, String>,
}

const SHELVES: [Shelf; 2] = [Shelf::Entries, Shelf::History];

impl PastPlan {
    /// Both shares together. An id in it may be an entry's or a version's.
    #[must_use]
    pub fn whole(&self) -> Plan {
        let mut whole = Plan::default();
        for Share { plan, .. } in &self.shares {
            whole.missing.extend(&plan.missing);
            whole.bytes += plan.bytes;
            whole.present += plan.present;
            whole.without_data += plan.without_data;
            whole.refused += plan.refused;
            whole.refused_examples.extend(plan.refused_examples.iter().cloned());
        }
        whole
    }

    /// Takes one path into account.
    fn consider(&mut self, past: Past, is_on_disk: impl FnOnce(&str) -> bool) {
        let Some(content) = past.content else {
            self.unknown += 1;
            if self.unknown_examples.len() < NAMED {
                self.unknown_examples.push(past.original_path);
            }
            return;
        };
        let row = IndexRow {
            id: content.row.id(),
            original_path: past.original_path,
            file_size: content.file_size,
            mtime_ns: content.mtime_ns,
            access_is_old: false,
            has_data: content.payload != PayloadKind::None,
        };
        let share = &mut self.shares[content.row.shelf() as usize];
        let before = share.plan.missing.len();
        share.plan.consider(&row, is_on_disk);
        if share.plan.missing.len() > before {
            share.contents.insert(row.id, content.sha256);
        }
    }

    /// Leaves only rows that were not tried before; notes those that are left as tried.
    fn narrow(&mut self, tried: &mut HashSet<PastRow>) {
        for (shelf, share) in SHELVES.into_iter().zip(&mut self.shares) {
            share.plan.missing.retain(|missing| tried.insert(shelf.row(missing.id)));
        }
    }

    fn missing(&self) -> impl Iterator<Item = &Missing> {
        self.shares.iter().flat_map(|share| &share.plan.missing)
    }
}

/// Compares what every path had at this moment, by the database's clock, with the disk.
///
/// # Errors
/// As [`plan`](super::plan).
pub async fn plan(
    store: &dyn Store,
    upload_dir: &UploadDir,
    time: Timestamp,
) -> Result<PastPlan, PlanError> {
    let on_disk = on_disk(upload_dir).await?;
    let mut plan = PastPlan::default();
    let mut each = |past: Past| {
        if !is_scratch(&past.original_path) {
            plan.consider(past, |path| on_disk.contains(path));
        }
    };
    store.state_at(time, &mut each).await?;
    Ok(plan)
}

impl Restore {
    /// Carries the plan of a past state out.
    pub async fn act_past(self, time: Timestamp, mut plan: PastPlan) -> Report {
        let mut report = Report::default();
        let mut tried = HashSet::new();
        plan.narrow(&mut tried);
        for _ in 0..MOST_CHOICES {
            let due = plan.missing().count() as u64 + report.accounted();
            for (shelf, share) in SHELVES.into_iter().zip(plan.shares) {
                if report.stopped.is_some() {
                    report.left.extend(share.plan.missing);
                    continue;
                }
                let contents = Some(Arc::new(share.contents));
                let one = Self { shelf, contents, ..self.clone() };
                report.merge(one.act(&share.plan).await);
            }
            if report.stopped.is_some() || report.accounted() >= due {
                return report;
            }
            // Some have moved on since they were chosen.
            plan = match self::plan(self.store.as_ref(), &self.upload_dir, time).await {
                Ok(plan) => plan,
                Err(PlanError::Store(error)) => {
                    report.stopped = Some(Stop::Store(error));
                    return report;
                }
                Err(PlanError::UploadDir { source, .. }) => {
                    report.stopped = Some(Stop::UploadDir(source));
                    return report;
                }
            };
            plan.narrow(&mut tried);
        }
        report.left.extend(plan.missing());
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::version::PastContent;

    fn past(path: &str, row: PastRow) -> Past {
        let content = PastContent {
            row,
            since: Timestamp(1),
            file_size: 10,
            sha256: "ab".into(),
            mtime_ns: 0,
            mode: 0o644,
            payload: PayloadKind::Inline,
        };
        Past { original_path: path.into(), content: Some(content) }
    }

    #[test]
    fn each_content_is_read_from_where_it_is_and_tried_once() {
        let mut plan = PastPlan::default();
        plan.consider(past("a", PastRow::Entry(1)), |_| false);
        plan.consider(past("b", PastRow::Version(1)), |_| false);
        plan.consider(past("c", PastRow::Version(2)), |_| true);
        plan.consider(past("../d", PastRow::Version(3)), |_| false);
        plan.consider(Past { original_path: "e".into(), content: None }, |_| false);
        let whole = plan.whole();
        assert_eq!((whole.missing.len(), whole.bytes), (2, 20));
        assert_eq!((whole.present, whole.refused, plan.unknown), (1, 1, 1));
        assert_eq!(plan.unknown_examples, ["e"]);
        let mut tried = HashSet::from([PastRow::Entry(1)]);
        plan.narrow(&mut tried);
        assert_eq!(plan.missing().map(|missing| missing.id).collect::<Vec<_>>(), [1]);
        assert_eq!(tried, HashSet::from([PastRow::Entry(1), PastRow::Version(1)]));
        plan.narrow(&mut tried);
        assert_eq!(plan.missing().count(), 0);
    }
}
