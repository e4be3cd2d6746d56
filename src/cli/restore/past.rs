//! `restore --as-of TIME --to DIR`: a whole past state, in a directory.

use std::io;
use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::{report_json, report_line};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, progress};
use crate::daemon::summary::tell_restore;
use crate::model::health::Counters;
use crate::model::plan::Plan;
use crate::model::{ByteSize, Timestamp};
use crate::restore::past::{PastPlan, plan};
use crate::settings::check_upload_dir;
use crate::uploads::UploadDir;

/// What nobody can count, since nothing is left of it.
const NOT_NAMED: &str = "files that were removed for good since then are not among these: nothing is left \
                         that would name them";

/// A past state that is wanted.
pub struct Past<'p> {
    pub time: Timestamp,
    pub to: &'p Path,
    pub dry_run: bool,
    pub json: bool,
}

impl Past<'_> {
    pub async fn restore(&self, context: &Context) -> Result<Exit, Failure> {
        let to = self.directory(context)?;
        context.ready_store().await?;
        let began = Instant::now();
        let past = plan(context.store.as_ref(), &to, self.time).await?;
        let whole = past.whole();
        if self.dry_run {
            self.print_plan(&whole, &past)?;
            return Ok(Exit::Done);
        }
        to.make().map_err(|error| self.refused(&format!("it cannot be made: {error}")))?;
        let counters = &context.health.counters;
        let total = whole.missing.len() as u64;
        let (unknown, examples) = (past.unknown, past.unknown_examples.clone());
        let report = progress::during(
            "restoring",
            || Some(total),
            || Counters::get(&counters.restored_files),
            context.restoring(to).act_past(self.time, past),
        )
        .await;
        for path in &examples {
            let as_of = self.time.exact();
            tracing::warn!(
                event = "past_unknown",
                path,
                as_of,
                "its content of that time is not kept"
            );
        }
        tell_restore(&whole, &report, began.elapsed());
        if self.json {
            let mut told = report_json(&whole, &report);
            told["as_of"] = json!(self.time.exact());
            told["unknown"] = json!(unknown);
            told["unknown_examples"] = json!(examples);
            output::json(&told)?;
        } else {
            let line = report_line(&whole, &report);
            output::line(&format!(
                "{line}, {unknown} of unknown content; as of {}",
                self.time.exact()
            ))?;
            output::line(NOT_NAMED)?;
        }
        let complete = report.is_complete() && whole.refused == 0 && unknown == 0;
        Ok(if complete { Exit::Done } else { Exit::Incomplete })
    }

    /// Where it is to go. Nothing is mixed with files of another time, but for the upload directory: who
    /// names that wants what is missing there.
    fn directory(&self, context: &Context) -> Result<UploadDir, Failure> {
        let root = check_upload_dir(self.to, true, &std::env::current_dir()?, None)
            .map_err(|error| self.refused(&error.why))?;
        let uploads = context.upload_dir().ok();
        if let Some(uploads) = uploads.filter(|uploads| root.starts_with(uploads.root())) {
            if root == uploads.root() {
                return Ok(uploads);
            }
            let why =
                "it is in the upload directory, where its files would be taken for new uploads";
            return Err(self.refused(why));
        }
        match std::fs::read_dir(&root).map(|mut files| files.next().is_none()) {
            Ok(true) => Ok(UploadDir::new(root)),
            Ok(false) => Err(self.refused("it is not empty")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(UploadDir::new(root)),
            Err(error) => Err(self.refused(&error.to_string())),
        }
    }

    fn refused(&self, why: &str) -> Failure {
        Failure::other(format!(
            "cannot restore to {}: {why}; name a new or an empty directory, or the upload directory itself, \
             where files that exist are left alone",
            self.to.display()
        ))
    }

    fn print_plan(&self, whole: &Plan, past: &PastPlan) -> Result<(), Failure> {
        if self.json {
            return output::json(&json!({
                "as_of": self.time.exact(),
                "missing": whole.missing.len(),
                "bytes": whole.bytes,
                "present": whole.present,
                "without_data": whole.without_data,
                "refused": whole.refused,
                "unknown": past.unknown,
                "unknown_examples": past.unknown_examples,
            }));
        }
        for path in &past.unknown_examples {
            output::line(&format!("{path:?}: its content of that time is not kept"))?;
        }
        for (path, why) in &whole.refused_examples {
            output::line(&format!("{path:?} would be refused: {why}"))?;
        }
        output::line(&format!(
            "{} would be restored ({}), {} present, {} refused, {} without data, {} of unknown content; as of {}",
            whole.missing.len(),
            ByteSize(whole.bytes),
            whole.present,
            whole.refused,
            whole.without_data,
            past.unknown,
            self.time.exact()
        ))?;
        output::line(NOT_NAMED)
    }
}
