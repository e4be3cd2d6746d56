//! `cache PATH…`: store single files.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::capture::{Capture, Deadline, Options};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::model::settle::Sign;
use crate::model::{Index, UploadPath};
use crate::store::{ListQuery, Store};
use crate::uploads::{OpenError, UploadDir};

/// A file that is being written is waited for so long.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub struct Cache {
    /// Files beneath the upload directory, as upload paths or as paths of the file system
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Label of the model that the files belong to, such as shop.product
    #[arg(long, value_name = "LABEL", requires = "object_id")]
    content_type: Option<String>,
    /// Key of the object that the files belong to
    #[arg(long, value_name = "KEY", requires = "content_type")]
    object_id: Option<String>,
}

impl Cache {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let upload_dir = context.upload_dir()?;
        let mut refused = 0;
        let mut paths = Vec::new();
        for given in &self.paths {
            match upload_path(&upload_dir, given) {
                Ok(path) => paths.push(path),
                Err(reason) => {
                    refused += 1;
                    eprintln!("imagecached: {}: {reason}", given.display());
                }
            }
        }
        context.ready_store().await?;
        let owner = self.content_type.clone().zip(self.object_id.clone());
        let unsaved = store(context, upload_dir.clone(), &paths, owner).await?;
        for path in &paths {
            if !unsaved.contains(path)
                && is_stored(context.store.as_ref(), &upload_dir, path).await?
            {
                output::line(&format!("{path}: safe"))?;
            } else {
                refused += 1;
                eprintln!("imagecached: {path}: not stored; see the lines above");
            }
        }
        Ok(if refused == 0 { Exit::Done } else { Exit::Incomplete })
    }
}

async fn store(
    context: &Context,
    upload_dir: UploadDir,
    paths: &[UploadPath],
    owner: Option<(String, String)>,
) -> Result<Vec<UploadPath>, Failure> {
    // With an empty index every file is read, and rewritten whatever is stored: somebody who names a
    // file may know that its entry is damaged.
    let capture = Capture::start(
        upload_dir,
        context.store.clone(),
        context.objects.clone(),
        Options { owner, rewrite: true, ..context.capture_options() },
        Index::default(),
        context.health.clone(),
    )?;
    let scanner = capture.scanner();
    for path in paths {
        scanner.note_anyway(path.clone(), Sign::Found);
    }
    let deadline = Deadline::at(Instant::now() + PATIENCE);
    let _ = deadline.bound(capture.idle()).await;
    let unsaved = capture.unsaved_names();
    let drained = capture.drain(&deadline).await.map_err(Failure::other)?;
    // Nothing is noted any more, so what was left at the end was left before.
    Ok(if drained.unsaved == 0 { Vec::new() } else { unsaved })
}

/// Whether the entry is the one of the file as it is now.
async fn is_stored(
    store: &dyn Store,
    upload_dir: &UploadDir,
    path: &UploadPath,
) -> Result<bool, Failure> {
    let query = ListQuery { path: Some(path.clone()), ..ListQuery::default() };
    let entries = store.list(&query).await?;
    let stat = upload_dir.open()?.stat(path)?;
    Ok(entries.first().zip(stat).is_some_and(|(entry, stat)| {
        entry.has_data() && (entry.file_size, entry.mtime_ns) == (stat.size, stat.mtime_ns)
    }))
}

/// What the user means: an upload path, or a path of the file system that leads into the upload
/// directory.
pub fn upload_path(upload_dir: &UploadDir, given: &Path) -> Result<UploadPath, String> {
    let open = |path: &UploadPath| match upload_dir.open().map(|root| root.open(path)) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(OpenError::Gone)) => Err("there is no such file in the upload directory".to_owned()),
        Ok(Err(OpenError::Skip(why))) => Err(why.to_string()),
        Ok(Err(OpenError::Io(error))) | Err(error) => Err(error.to_string()),
    };
    let mut last = "it is not beneath the upload directory".to_owned();
    if given.is_relative() {
        match UploadPath::from_relative(given).map_err(|why| why.to_string()) {
            Ok(path) => match open(&path) {
                Ok(()) => return Ok(path),
                Err(reason) => last = reason,
            },
            Err(reason) => last = reason,
        }
    }
    let absolute = std::path::absolute(given).map_err(|error| error.to_string())?;
    if let Ok(inside) = absolute.strip_prefix(upload_dir.root()) {
        let path = UploadPath::from_relative(inside).map_err(|why| why.to_string())?;
        return open(&path).map(|()| path);
    }
    Err(last)
}
