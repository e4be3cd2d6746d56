//! `cleanup`: drop entries that nobody has used for long and that are not on disk.

use clap::Args;
use serde_json::json;

use crate::cleanup::{CleanupError, carry_out, find};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::model::ByteSize;

#[derive(Debug, Args)]
pub struct Cleanup {
    /// Not seen on disk, restored or read for so many days
    #[arg(long, default_value_t = 90, value_name = "N")]
    days: u32,
    /// Do it; without this flag the command only shows what it would do
    #[arg(long)]
    yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Cleanup {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let upload_dir = context.upload_dir()?;
        context.ready_store().await?;
        let store = context.store.as_ref();
        let candidates = find(store, &upload_dir, self.days).await?;
        let bytes: u64 = candidates.entries.iter().map(|entry| entry.file_size).sum();
        let removed = if self.yes { carry_out(store, &candidates).await? } else { 0 };
        let (count, in_use) = (candidates.entries.len(), candidates.in_use.len());
        if self.json {
            output::json(&json!({
                "days": self.days,
                "removed": removed,
                "candidates": candidates.entries.iter().map(output::entry).collect::<Vec<_>>(),
                "bytes": bytes,
                "in_use": in_use,
            }))?;
            return Ok(Exit::Done);
        }
        if self.yes {
            output::line(&format!("{removed} entries removed ({})", ByteSize(bytes)))?;
            return Ok(Exit::Done);
        }
        for entry in &candidates.entries {
            output::line(&format!(
                "{}\t{}\t{}",
                entry.last_accessed,
                ByteSize(entry.file_size),
                entry.original_path.escape_debug()
            ))?;
        }
        output::line(&format!(
            "{count} entries ({}) have not been accessed for {} days and are not on disk; \
             {in_use} are on disk and kept",
            ByteSize(bytes),
            self.days
        ))?;
        if count > 0 {
            output::line("nothing was removed: add --yes to remove them")?;
        }
        Ok(Exit::Done)
    }
}

impl From<CleanupError> for Failure {
    fn from(error: CleanupError) -> Self {
        match error {
            CleanupError::Store(error) => error.into(),
            error @ CleanupError::UploadDir { .. } => Self::other(error),
        }
    }
}
