//! `cache-all`: store everything under the upload directory that is not stored yet.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::capture::{self, Capture, Deadline, Tally};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{move_payloads, output, progress};
use crate::daemon::summary::tell_restore;
use crate::model::Index;
use crate::model::health::Counters;
use crate::restore;
use crate::store::MANY_NEW;

/// Measured with `benches/gentle`: an app's queries take about as long as ever beside it.
const GENTLE: [(&str, &str); 2] = [("backlog_rate", "4MiB"), ("database_connections", "1")];

/// The capture has so long to end when everything is done. All it may have left are claims on objects to give
/// back: one that stays keeps its object from being removed until it ends by itself.
const END: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct CacheAll {
    /// Then move all payloads where the settings want them, as `imagecached move` does
    #[arg(long)]
    move_payloads: bool,
    /// Leave the database to the app: 4 MiB a second over one connection, unless --set says otherwise
    #[arg(long)]
    gentle: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl CacheAll {
    /// The settings that its flags stand for.
    pub fn settings(&self) -> &'static [(&'static str, &'static str)] {
        if self.gentle { &GENTLE } else { &[] }
    }

    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let tally = cache_all(context).await?;
        for path in &tally.examples {
            eprintln!("imagecached: not cached: {path}");
        }
        let Tally { cached, unchanged, skipped, failed, .. } = tally;
        if !self.json {
            output::line(&format!(
                "{cached} cached, {unchanged} unchanged, {skipped} skipped, {failed} failed"
            ))?;
        }
        let moved = match self.move_payloads {
            true => Some(move_payloads::by_settings(context).await?),
            false => None,
        };
        if self.json {
            let mut told = json!({
                "cached": cached, "unchanged": unchanged, "skipped": skipped, "failed": failed,
            });
            if let Some(moved) = &moved {
                told["payloads"] = move_payloads::as_json(moved);
            }
            output::json(&told)?;
        } else if let Some(moved) = &moved {
            move_payloads::print(moved)?;
        }
        let ended = moved.as_ref().map_or(Exit::Done, move_payloads::exit);
        Ok(if failed == 0 { ended } else { Exit::Incomplete })
    }
}

/// Stores everything that is new or changed.
pub async fn cache_all(context: &Context) -> Result<Tally, Failure> {
    let upload_dir = context.upload_dir()?;
    context.ready_store().await?;
    let remains = restore::torn::remove(context.store.as_ref(), &upload_dir).await?;
    if !remains.torn.missing.is_empty() {
        let began = Instant::now();
        let report = context.restoring(upload_dir.clone()).act(&remains.torn).await;
        tell_restore(&remains.torn, &report, began.elapsed());
    }
    let mut index = Index::default();
    context.store.index(&mut |row| index.note_stored(&row)).await?;
    let root = upload_dir.root().display().to_string();
    let capture = Capture::start(
        upload_dir,
        context.store.clone(),
        context.objects.clone(),
        context.capture_options(),
        index,
        context.health.clone(),
    )?;
    let counters = &context.health.counters;
    let scanner = capture.scanner();
    let tally = progress::during(
        "caching",
        || None,
        || Counters::get(&counters.captured_files),
        capture::cache_all(&scanner),
    )
    .await
    .map_err(|error| Failure::other(format!("cannot read the upload directory {root}: {error}")))?;
    capture.drain(&Deadline::at(Instant::now() + END)).await.map_err(Failure::other)?;
    if tally.cached >= MANY_NEW {
        // Everything is stored; what the tables lack now, lists can do without.
        let _ = context.prepare_store().await;
    }
    Ok(tally)
}
