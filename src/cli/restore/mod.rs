//! `restore`: put missing files back and exit; with `--as-of`, those of a past state.

mod past;

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, JsonArray};
use crate::cli::{past_time, progress};
use crate::daemon::summary::tell_restore;
use crate::model::health::Counters;
use crate::model::plan::Plan;
use crate::model::{ByteSize, Timestamp};
use crate::restore::{self, PlanError, Report};
use crate::store::{ListQuery, Sort, Through};

#[derive(Debug, Args)]
pub struct Restore {
    /// Give back what was there at this time, deleted files and former contents included: 2026-11-20,
    /// "2026-11-20 14:00" (UTC), or 3d for three days ago
    #[arg(long, value_name = "TIME", value_parser = past_time::parse, requires = "to")]
    as_of: Option<Timestamp>,
    /// New or empty directory for it, or the upload directory, where only what is missing is put back
    #[arg(long, value_name = "DIR", requires = "as_of")]
    to: Option<PathBuf>,
    /// Only show what would be restored
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if let (Some(time), Some(to)) = (self.as_of, &self.to) {
            let wanted = past::Past { time, to, dry_run: self.dry_run, json: self.json };
            return wanted.restore(context).await;
        }
        let upload_dir =
            if self.dry_run { context.upload_dir()? } else { context.made_upload_dir()? };
        context.ready_store().await?;
        let began = Instant::now();
        let store = context.store.as_ref();
        if !self.dry_run {
            // What is torn is restored, and what is not flushed stays so: this does not wait for the disk.
            restore::torn::remove(store, &upload_dir).await?;
        }
        let plan = restore::plan(store, &upload_dir, &mut |_| {}).await?;
        if self.dry_run {
            self.print_plan(context, &plan).await?;
            return Ok(Exit::Done);
        }
        let counters = &context.health.counters;
        let total = plan.missing.len() as u64;
        let restoring = context.restoring_at_start(upload_dir);
        let report = progress::during(
            "restoring",
            || Some(total),
            || Counters::get(&counters.restored_files),
            restoring.act(&plan),
        )
        .await;
        tell_restore(&plan, &report, began.elapsed());
        self.print_report(&plan, &report)?;
        let complete = report.is_complete() && plan.refused == 0;
        Ok(if complete { Exit::Done } else { Exit::Incomplete })
    }

    fn print_report(&self, plan: &Plan, report: &Report) -> Result<(), Failure> {
        if self.json {
            return output::json(&report_json(plan, report));
        }
        output::line(&report_line(plan, report))
    }

    async fn print_plan(&self, context: &Context, plan: &Plan) -> Result<(), Failure> {
        let mut json = self.json.then(|| JsonArray::named("missing"));
        let missing = plan.missing.iter().map(|missing| missing.id).collect();
        let newest_first =
            ListQuery { sort: Sort::Updated, descending: true, ..ListQuery::default() };
        let mut list = Through::named(missing, newest_first);
        while let Some(entries) = list.next(context.store.as_ref()).await? {
            for entry in &entries {
                match &mut json {
                    Some(json) => json.add(&output::entry(entry))?,
                    None => {
                        let size = ByteSize(entry.file_size);
                        output::line(&format!("{}\t{size}", entry.original_path))?;
                    }
                }
            }
            if !output::is_read() {
                break;
            }
        }
        if let Some(json) = json {
            return json.end_with(&json!({
                "bytes": plan.bytes,
                "present": plan.present,
                "without_data": plan.without_data,
                "refused": plan.refused,
            }));
        }
        for (path, why) in &plan.refused_examples {
            output::line(&format!("{path:?} would be refused: {why}"))?;
        }
        output::line(&format!(
            "{} would be restored ({}), {} present, {} refused, {} without data",
            plan.missing.len(),
            ByteSize(plan.bytes),
            plan.present,
            plan.refused,
            plan.without_data
        ))
    }
}

fn report_json(plan: &Plan, report: &Report) -> Value {
    json!({
        "restored": report.restored,
        "bytes": report.bytes,
        "present": plan.present + report.kept,
        "damaged": report.damaged,
        "refused": plan.refused + report.failed,
        "without_data": plan.without_data,
        "left": report.left.len(),
    })
}

fn report_line(plan: &Plan, report: &Report) -> String {
    format!(
        "{} restored ({}), {} present, {} damaged, {} refused, {} without data, {} left",
        report.restored,
        ByteSize(report.bytes),
        plan.present + report.kept,
        report.damaged,
        plan.refused + report.failed,
        plan.without_data,
        report.left.len()
    )
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Store(error) => error.into(),
            error @ PlanError::UploadDir { .. } => Self::other(error),
        }
    }
}
