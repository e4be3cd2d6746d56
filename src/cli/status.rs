//! `status`: how many files are stored, and what is not.

use std::ops::ControlFlow;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::daemon::{State, VerifyState};
use crate::model::health::Watcher;
use crate::model::{ByteSize, Index, Look};
use crate::store::Totals;
use crate::uploads::{Found, UploadDir, scan};

#[derive(Debug, Args)]
pub struct Status {
    /// Print the status as JSON
    #[arg(long)]
    json: bool,
}

/// The disk beside the cache.
#[derive(Debug, Default)]
struct OnDisk {
    files: u64,
    /// Files that the cache does not hold as they are.
    unsaved: u64,
}

impl Status {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        context.ready_store().await?;
        let totals = context.store.totals().await?;
        // Where the upload directory is not (another container), the database is all there is.
        let upload_dir = context.upload_dir();
        let (on_disk, daemon) = match &upload_dir {
            Ok(upload_dir) => (
                look(context, upload_dir).await?,
                State::read(&context.settings.state_dir, upload_dir.root()),
            ),
            Err(refused) => {
                eprintln!("imagecached: {}", refused.message);
                (None, None)
            }
        };
        if self.json {
            output::json(&as_json(context, &totals, on_disk.as_ref(), daemon.as_ref()))?;
        } else {
            output::line(&as_text(context, &totals, on_disk.as_ref(), daemon.as_ref()))?;
        }
        Ok(Exit::Done)
    }
}

/// Compares the disk with the cache; `None` when there is no directory.
async fn look(context: &Context, upload_dir: &UploadDir) -> Result<Option<OnDisk>, Failure> {
    let mut index = Index::default();
    context.store.index(&mut |row| index.note_stored(&row)).await?;
    let root = upload_dir.root().to_owned();
    let patterns = context.settings.patterns.clone();
    let walk = move || {
        let mut on_disk = OnDisk::default();
        scan(&root, "", &mut |found| {
            if let Found::File(path, stat) = found
                && patterns.takes(&path)
            {
                on_disk.files += 1;
                on_disk.unsaved += u64::from(index.scanned(&path, &stat) != Look::Same);
            }
            ControlFlow::Continue(())
        })
        .map(|_| on_disk)
    };
    let walked = tokio::task::spawn_blocking(walk).await.expect("a walk does not panic");
    match walked {
        Ok(on_disk) => Ok(Some(on_disk)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let root = upload_dir.root().display();
            Err(Failure::other(format!("cannot read the upload directory {root}: {error}")))
        }
    }
}

fn as_json(
    context: &Context,
    totals: &Totals,
    on_disk: Option<&OnDisk>,
    daemon: Option<&State>,
) -> Value {
    json!({
        "database": context.store.product(),
        "entries": totals.entries,
        "with_data": totals.with_data,
        "without_data": totals.entries - totals.with_data,
        "inline": totals.inline,
        "chunked": totals.chunked,
        "by_url": totals.by_url,
        "file_bytes": totals.file_bytes,
        "database_bytes": totals.database_bytes,
        "files_on_disk": on_disk.map(|disk| disk.files),
        "unsaved": on_disk.map(|disk| disk.unsaved),
        "daemon": daemon,
        "last_errors": daemon.map(|daemon| daemon.last_errors.clone()).unwrap_or_default(),
    })
}

fn as_text(
    context: &Context,
    totals: &Totals,
    on_disk: Option<&OnDisk>,
    daemon: Option<&State>,
) -> String {
    let mut lines = vec![format!(
        "{} entries in {}, {} with data: {} in the row, {} in chunks, {} by URL",
        totals.entries,
        context.store.product(),
        totals.with_data,
        totals.inline,
        totals.chunked,
        totals.by_url
    )];
    let files = ByteSize(totals.file_bytes);
    lines.push(match totals.database_bytes {
        Some(bytes) => format!("{files} of files, {} in the database", ByteSize(bytes)),
        None => format!("{files} of files"),
    });
    lines.push(match on_disk {
        Some(OnDisk { files, unsaved: 0 }) => format!("{files} files on disk, every one is safe"),
        Some(OnDisk { files, unsaved }) => format!("{files} files on disk, {unsaved} NOT SAFE"),
        None => "no upload directory here".into(),
    });
    let Some(daemon) = daemon else {
        lines.push("no daemon runs here".into());
        return lines.join("\n");
    };
    let watcher = match &daemon.watcher {
        Watcher::Off => "not watching".to_owned(),
        Watcher::Watching => "watching".to_owned(),
        Watcher::Degraded(reason) => format!("DEGRADED, scanning only: {reason}"),
    };
    lines.push(format!(
        "the daemon (pid {}) is {watcher}; {} files became safe since it started, {} restored",
        daemon.pid, daemon.captured_files, daemon.restored_files
    ));
    if let Some(reason) = &daemon.database_away {
        lines.push(format!("THE DATABASE IS AWAY: {reason}"));
    }
    if let Some(reason) = &daemon.restore_stopped {
        lines.push(format!("DEGRADED, THE RESTORE HAS STOPPED AND IS TRIED AGAIN: {reason}"));
    }
    if let Some(reason) = &daemon.delete_brake {
        lines.push(format!("DELETES WERE NOT TAKEN FOR MEANT: {reason}"));
    }
    if let Some(verify) = &daemon.verify {
        let VerifyState { entries, mended, not_mended, damaged_versions, last_round } = verify;
        let round = match last_round {
            Some(at) => format!("around all of them at {at}"),
            None => "not yet around all of them".into(),
        };
        let not_mended = match not_mended {
            0 => "all well".into(),
            count => format!("{count} NOT MENDED: `imagecached verify` names them"),
        };
        lines.push(format!(
            "it has verified {entries} entries, {mended} mended, {not_mended}; {round}"
        ));
        if *damaged_versions > 0 {
            lines.push(format!(
                "{damaged_versions} FORMER CONTENTS ARE DAMAGED: `imagecached verify` names them"
            ));
        }
    }
    lines.extend(daemon.last_errors.iter().map(|error| format!("{}  {}", error.at, error.text)));
    lines.join("\n")
}
