//! `restore`: put missing files back and exit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, progress};
use crate::daemon::summary::tell_restore;
use crate::model::ByteSize;
use crate::model::health::Counters;
use crate::model::plan::Plan;
use crate::restore::{self, PlanError, Report};
use crate::store::{ListQuery, Sort};

#[derive(Debug, Args)]
pub struct Restore {
    /// Only show what would be restored
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let upload_dir =
            if self.dry_run { context.upload_dir()? } else { context.made_upload_dir()? };
        context.ready_store().await?;
        let began = Instant::now();
        let store = context.store.as_ref();
        let plan = restore::plan(store, &upload_dir, &mut |_| {}).await?;
        if self.dry_run {
            self.print_plan(context, &plan).await?;
            return Ok(Exit::Done);
        }
        let counters = &context.health.counters;
        let total = plan.missing.len() as u64;
        let restoring = restore::Restore {
            store: context.store.clone(),
            remote: context.remote.clone(),
            workers: context.settings.database_connections as usize,
            durable: context.durable(&upload_dir),
            upload_dir,
            patience: Some(context.settings.database_wait),
            health: context.health.clone(),
            on_restored: Arc::new(|_, _| {}),
            gate: Arc::default(),
            in_vain: HashMap::new(),
        };
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
        let Report { restored, bytes, kept, damaged, failed, left, .. } = report;
        let refused = failed + plan.refused;
        let present = plan.present + kept;
        if self.json {
            return output::json(&json!({
                "restored": restored,
                "bytes": bytes,
                "present": present,
                "damaged": damaged,
                "refused": refused,
                "without_data": plan.without_data,
                "left": left.len(),
            }));
        }
        let bytes = ByteSize(*bytes);
        output::line(&format!(
            "{restored} restored ({bytes}), {present} present, {damaged} damaged, \
             {refused} refused, {} without data, {} left",
            plan.without_data,
            left.len()
        ))
    }

    async fn print_plan(&self, context: &Context, plan: &Plan) -> Result<(), Failure> {
        let missing: HashSet<i64> = plan.missing.iter().map(|m| m.id).collect();
        let query = ListQuery { sort: Sort::Updated, descending: true, ..ListQuery::default() };
        let entries = if missing.is_empty() {
            Vec::new()
        } else {
            let mut entries = context.store.list(&query).await?;
            entries.retain(|entry| missing.contains(&entry.id));
            entries
        };
        if self.json {
            return output::json(&json!({
                "missing": entries.iter().map(output::entry).collect::<Vec<_>>(),
                "bytes": plan.bytes,
                "present": plan.present,
                "without_data": plan.without_data,
                "refused": plan.refused,
            }));
        }
        for entry in &entries {
            output::line(&format!("{}\t{}", entry.original_path, ByteSize(entry.file_size)))?;
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

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Store(error) => error.into(),
            error @ PlanError::UploadDir { .. } => Self::other(error),
        }
    }
}
