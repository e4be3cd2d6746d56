//! `trash`: move entries to the trash by hand, or those whose files are missing.

use clap::Args;
use serde_json::json;

use crate::cleanup::kept_until;
use crate::cli::cleanup::kept;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, JsonArray};
use crate::daemon::State;
use crate::model::plan::Plan;
use crate::model::scratch::is_scratch;
use crate::model::version::{Leaving, Trash};
use crate::model::{ByteSize, UploadPath};
use crate::restore;
use crate::store::{ListQuery, Store, Through};
use crate::uploads::UploadDir;

#[derive(Debug, Args)]
pub struct TrashEntries {
    /// Upload paths of the entries; their files must not be on disk
    #[arg(required_unless_present = "missing", conflicts_with = "missing")]
    paths: Vec<String>,
    /// Every entry whose file is not on disk: after deletes that the brake did not let pass
    #[arg(long)]
    missing: bool,
    /// With --missing: do it; without this flag the command only shows what it would do
    #[arg(long, requires = "missing")]
    yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl TrashEntries {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if context.settings.deletes.keep.is_zero() {
            return Err(Failure::usage(
                "there is no trash: keep_deleted is 0s. Set how long it keeps, such as \
                 keep_deleted=30d",
            ));
        }
        match self.missing {
            true => self.trash_missing(context).await,
            false => self.trash_named(context).await,
        }
    }

    async fn trash_named(&self, context: &Context) -> Result<Exit, Failure> {
        let paths = parsed(&self.paths)?;
        context.ready_store().await?;
        let stored = context.store.stored(&paths).await?;
        let root = context.upload_dir().ok().and_then(|dir| dir.open().ok());
        let (mut leaving, mut kept_back) = (Vec::new(), Vec::new());
        for path in &paths {
            let on_disk = root.as_ref().is_some_and(|root| !root.is_missing(path).unwrap_or(false));
            match stored.get(path) {
                None => kept_back.push((path, "is not in the cache")),
                Some(_) if on_disk => kept_back.push((
                    path,
                    "is on disk, where it would be found and stored again: delete the file first",
                )),
                Some(stored) => leaving.push(Leaving { id: stored.id, sha256: stored.sha256 }),
            }
        }
        let trashed = context.store.trash(&leaving, Trash::Removed).await?;
        for (path, why) in &kept_back {
            eprintln!("imagecached: {path} {why}");
        }
        self.tell(context, trashed)?;
        Ok(if kept_back.is_empty() { Exit::Done } else { Exit::Incomplete })
    }

    async fn trash_missing(&self, context: &Context) -> Result<Exit, Failure> {
        let upload_dir = context.upload_dir()?;
        context.ready_store().await?;
        let daemon = State::read(&context.settings.state_dir, upload_dir.root());
        if daemon.is_some_and(|daemon| !daemon.restore_finished) {
            return Err(Failure::other(
                "the daemon has not yet restored everything: what is missing may be on its way back; \
                 try again when it has (`imagecached status`)",
            ));
        }
        let store = context.store.as_ref();
        let plan = missing(store, &upload_dir).await?;
        if !self.yes {
            return self.show(store, &plan).await;
        }
        let leaving: Vec<Leaving> =
            plan.missing.iter().map(|missing| Leaving::from(missing.id)).collect();
        let trashed = store.trash(&leaving, Trash::Deleted).await?;
        self.tell(context, trashed)?;
        Ok(Exit::Done)
    }

    async fn show(&self, store: &dyn Store, plan: &Plan) -> Result<Exit, Failure> {
        let mut json = self.json.then(|| JsonArray::named("candidates"));
        let missing: Vec<i64> = plan.missing.iter().map(|missing| missing.id).collect();
        let mut list = Through::named(missing.clone(), ListQuery::default());
        while let Some(entries) = list.next(store).await? {
            for entry in &entries {
                match &mut json {
                    Some(json) => json.add(&output::entry(entry))?,
                    None => {
                        let size = ByteSize(entry.file_size);
                        let path = entry.original_path.escape_debug();
                        output::line(&format!("{}\t{size}\t{path}", entry.updated_at))?;
                    }
                }
            }
            if !output::is_read() {
                break;
            }
        }
        if let Some(json) = json {
            json.end_with(&json!({ "trashed": 0, "bytes": plan.bytes, "present": plan.present }))?;
            return Ok(Exit::Done);
        }
        output::line(&format!(
            "{} of {} entries ({}) are not on disk",
            missing.len(),
            missing.len() as u64 + plan.present,
            ByteSize(plan.bytes)
        ))?;
        if !missing.is_empty() {
            output::line("nothing was moved to the trash: add --yes to do it")?;
        }
        Ok(Exit::Done)
    }

    fn tell(&self, context: &Context, trashed: u64) -> Result<(), Failure> {
        let until = kept_until(context.settings.deletes.keep);
        if self.json {
            return output::json(&json!({ "trashed": trashed, "kept_until": until.to_string() }));
        }
        output::line(&format!("{trashed} entries moved to the trash"))?;
        if trashed > 0 {
            output::line(&kept(until))?;
        }
        Ok(())
    }
}

/// The entries whose files are not on disk. A disk without a single file tells nothing.
async fn missing(store: &dyn Store, upload_dir: &UploadDir) -> Result<Plan, Failure> {
    let plan = restore::plan_for(store, upload_dir, |path| !is_scratch(path), &mut |_| {}).await?;
    if plan.present == 0 && !plan.missing.is_empty() {
        return Err(Failure::other(format!(
            "none of {} files is in {}: that looks like a fresh or unmounted disk, not like deletes; \
             name the paths if they are to go",
            plan.missing.len(),
            upload_dir.root().display()
        )));
    }
    Ok(plan)
}

/// Upload paths as they were given.
pub fn parsed(paths: &[String]) -> Result<Vec<UploadPath>, Failure> {
    let parse = |path: &String| {
        UploadPath::parse(path).map_err(|why| Failure::usage(format!("{path}: {why}")))
    };
    paths.iter().map(parse).collect()
}
