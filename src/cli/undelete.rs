//! `undelete`: give entries back from the trash, and their files where the upload directory is.

use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use clap::Args;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::cli::trash::parsed;
use crate::model::UploadPath;
use crate::model::version::Undeleted;
use crate::restore::{self, Report};
use crate::store::{HistoryQuery, Which};
use crate::uploads::UploadDir;

#[derive(Debug, Args)]
pub struct Undelete {
    /// Upload paths: `list --trashed` shows them
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    paths: Vec<String>,
    /// Everything that is in the trash
    #[arg(long)]
    all: bool,
    /// With --all: only what came there within this time, such as 2h
    #[arg(long, requires = "all", value_name = "DURATION", value_parser = humantime::parse_duration)]
    within: Option<std::time::Duration>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Done {
    undeleted: HashSet<UploadPath>,
    /// Paths that nothing was given back to, and why.
    refused: Vec<(UploadPath, &'static str)>,
    /// What became of the files, where there is an upload directory.
    files: Option<Report>,
    /// Entries that have come back without bytes.
    without_data: u64,
}

impl Undelete {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let named = parsed(&self.paths)?;
        context.ready_store().await?;
        let paths = if self.all { self.in_trash(context).await? } else { named };
        let mut done = Done::default();
        for (path, became) in paths.iter().zip(context.store.undelete(&paths).await?) {
            match became {
                Undeleted::Restored(_) => drop(done.undeleted.insert(path.clone())),
                Undeleted::Occupied => done.refused.push((
                    path.clone(),
                    "has an entry already, which stays; move that one to the trash first",
                )),
                Undeleted::NotThere => done.refused.push((
                    path.clone(),
                    "is not in the trash; `imagecached list --trashed` shows what is",
                )),
            }
        }
        let upload_dir = context.upload_dir().ok().filter(|dir| dir.root().is_dir());
        if let Some(upload_dir) = upload_dir.filter(|_| !done.undeleted.is_empty()) {
            put_back(context, upload_dir, &mut done).await?;
        }
        self.tell(&done)?;
        Ok(if done.is_complete() { Exit::Done } else { Exit::Incomplete })
    }

    /// The paths that are in the trash, each once.
    async fn in_trash(&self, context: &Context) -> Result<Vec<UploadPath>, Failure> {
        let query = HistoryQuery { which: Which::Trash, ..HistoryQuery::default() };
        let since = self.within.and_then(|within| SystemTime::now().checked_sub(within));
        let recent = |ended: SystemTime| since.is_none_or(|since| ended >= since);
        let trashed = context.store.history(&query).await?.versions.into_iter();
        let paths: BTreeSet<UploadPath> = trashed
            .filter(|version| recent(version.ended_at.into()))
            .filter_map(|version| UploadPath::parse(&version.entry.original_path).ok())
            .collect();
        Ok(paths.into_iter().collect())
    }

    fn tell(&self, done: &Done) -> Result<(), Failure> {
        let (restored, kept) =
            done.files.as_ref().map_or((0, 0), |report| (report.restored, report.kept));
        for (path, why) in &done.refused {
            eprintln!("imagecached: {path} {why}");
        }
        if let Some(report) = &done.files {
            for damage in &report.damaged_examples {
                eprintln!("imagecached: {damage}");
            }
            for (path, why) in &report.failed_examples {
                eprintln!("imagecached: {path:?} cannot be put back: {why}");
            }
            if let Some(stop) = &report.stopped {
                eprintln!("imagecached: not every file is back: {stop}");
            }
        }
        if done.without_data > 0 {
            eprintln!("imagecached: {} entries have no data", done.without_data);
        }
        if self.json {
            let refused =
                done.refused.iter().map(|(path, why)| json!({ "path": path.as_str(), "why": why }));
            return output::json(&json!({
                "undeleted": done.undeleted.len(),
                "files_restored": done.files.as_ref().map(|report| report.restored),
                "without_data": done.without_data,
                "refused": refused.collect::<Vec<_>>(),
            }));
        }
        let entries = done.undeleted.len();
        output::line(&match &done.files {
            Some(_) => format!("{entries} entries are back, {} files", restored + kept),
            None => format!("{entries} entries are back; there is no upload directory here"),
        })
    }
}

impl Done {
    fn is_complete(&self) -> bool {
        self.refused.is_empty()
            && self.without_data == 0
            && self.files.as_ref().is_none_or(Report::is_complete)
    }
}

/// Restores the files of the entries that are back.
async fn put_back(
    context: &Context,
    upload_dir: UploadDir,
    done: &mut Done,
) -> Result<(), Failure> {
    let store = context.store.as_ref();
    let wanted: HashSet<&str> = done.undeleted.iter().map(UploadPath::as_str).collect();
    let counts = |path: &str| wanted.contains(path);
    let plan = restore::plan_for(store, &upload_dir, counts, &mut |_| {}).await?;
    let report = context.restoring(upload_dir).act(&plan).await;
    done.without_data = plan.without_data;
    done.files = Some(report);
    Ok(())
}
