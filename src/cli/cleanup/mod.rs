//! `cleanup`: drop entries that nobody has used for long and that are not on disk, with their objects.

mod forget;
mod objects;
mod orphans;

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use crate::cleanup::{
    Candidates, CleanupError, Destination, Sum, Unused, carry_out, kept_until, purge,
};
use crate::cli::cleanup::objects::Referred;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, JsonArray};
use crate::model::ByteSize;
use crate::model::Timestamp;
use crate::objects::{Objects, Trouble};
use crate::store::Purged;

#[derive(Debug, Args)]
pub struct Cleanup {
    /// Not seen on disk, restored or read for so many days
    #[arg(long, default_value_t = 90, value_name = "N")]
    days: u32,
    /// Instead of entries, drop objects in the object store that no entry refers to, older than a day
    #[arg(long, conflicts_with = "days")]
    orphans: bool,
    /// Instead, forget a database that shared the object store and is gone: `doctor` has its name
    #[arg(long, value_name = "NAME", conflicts_with_all = ["days", "orphans"])]
    forget_database: Option<String>,
    /// Not into the trash: what goes cannot be taken back
    #[arg(long, conflicts_with_all = ["orphans", "forget_database"])]
    for_good: bool,
    /// Do it; without this flag the command only shows what it would do
    #[arg(long)]
    yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Cleanup {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if let Some(name) = &self.forget_database {
            return forget::run(context, name, self.yes, self.json).await;
        }
        if self.orphans {
            return orphans::run(context, self.yes, self.json).await;
        }
        let upload_dir = context.upload_dir()?;
        context.ready_store().await?;
        let unused = Unused::begin(&upload_dir, self.days).await?;
        match self.yes {
            true => self.remove(context, unused).await,
            false => self.show(context, unused).await,
        }
    }

    async fn remove(&self, context: &Context, mut unused: Unused) -> Result<Exit, Failure> {
        let (store, keeping) = (context.store.as_ref(), context.keeping());
        let to = keeping.destination(self.for_good);
        let (mut sum, mut referred) = (Sum::default(), Referred::default());
        let mut json = self.json.then(|| JsonArray::named("candidates"));
        while let Some(part) = unused.next(store).await? {
            sum.removed += carry_out(store, &part, to).await?;
            referred.add(context, &part);
            print_json(json.as_mut(), &part)?;
            sum.add(part, 0);
        }
        let removed = sum.removed;
        let purged = purge(store, keeping).await?;
        let objects = objects::remove(context, referred).await;
        if let Some(json) = json {
            let mut result = self.result(&sum);
            result["objects"] = objects.json();
            result["kept_until"] = match to {
                Destination::Trash => kept_until(keeping.trash).to_string().into(),
                Destination::Nowhere => serde_json::Value::Null,
            };
            result["purged"] = json!({ "versions": purged.versions, "trashed": purged.trashed });
            json.end_with(&result)?;
        } else {
            let bytes = ByteSize(sum.bytes);
            output::line(&format!("{removed} entries removed ({bytes})"))?;
            if removed > 0 && to == Destination::Trash {
                output::line(&kept(kept_until(keeping.trash)))?;
            }
            let Purged { versions, trashed } = purged;
            if versions + trashed > 0 {
                output::line(&format!(
                    "purged for good, as their time was over: {trashed} in the trash, {versions} versions"
                ))?;
            }
            objects.tell()?;
        }
        Ok(objects.exit())
    }

    async fn show(&self, context: &Context, mut unused: Unused) -> Result<Exit, Failure> {
        let (mut sum, mut referred) = (Sum::default(), Referred::default());
        let mut json = self.json.then(|| JsonArray::named("candidates"));
        while let Some(part) = unused.next(context.store.as_ref()).await? {
            for entry in part.entries.iter().filter(|_| !self.json) {
                output::line(&format!(
                    "{}\t{}\t{}",
                    entry.last_accessed,
                    ByteSize(entry.file_size),
                    entry.original_path.escape_debug()
                ))?;
            }
            referred.add(context, &part);
            print_json(json.as_mut(), &part)?;
            sum.add(part, 0);
            if !output::is_read() {
                return Ok(Exit::Done);
            }
        }
        let objects = objects::expected(context, referred).await?;
        if let Some(json) = json {
            let mut result = self.result(&sum);
            result["objects"] = objects.json();
            json.end_with(&result)?;
            return Ok(Exit::Done);
        }
        let (count, in_use) = (sum.entries, sum.in_use);
        output::line(&format!(
            "{count} entries ({}) have not been accessed for {} days and are not on disk; \
             {in_use} are on disk and kept",
            ByteSize(sum.bytes),
            self.days
        ))?;
        objects.tell()?;
        if count > 0 {
            output::line("nothing was removed: add --yes to remove them")?;
        }
        Ok(Exit::Done)
    }

    fn result(&self, sum: &Sum) -> serde_json::Value {
        json!({
            "days": self.days,
            "removed": sum.removed,
            "bytes": sum.bytes,
            "in_use": sum.in_use,
        })
    }
}

/// Prints what would go, or went: nobody keeps all of it in memory.
fn print_json(json: Option<&mut JsonArray>, part: &Candidates) -> Result<(), Failure> {
    let Some(json) = json else { return Ok(()) };
    part.entries.iter().try_for_each(|entry| json.add(&output::entry(entry)))
}

/// How long what was just removed can be taken back.
pub fn kept(until: Timestamp) -> String {
    format!("kept in the trash until {until}: `imagecached undelete PATH` gives one back")
}

fn configured(context: &Context) -> Result<&Arc<Objects>, Failure> {
    context.objects.as_ref().ok_or_else(|| {
        Failure::other("no object store is configured: set object_store, or CLOUDINARY_URL")
    })
}

impl From<CleanupError> for Failure {
    fn from(error: CleanupError) -> Self {
        match error {
            CleanupError::Store(error) => error.into(),
            error @ CleanupError::UploadDir { .. } => Self::other(error),
        }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Remote(error) => error.into(),
            Trouble::Store(error) => error.into(),
        }
    }
}
