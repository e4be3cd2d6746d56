//! `cache-all`: store everything under the upload directory that is not stored yet.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use crate::capture::scan::{Scanned, Scanner};
use crate::capture::{Capture, CaptureDied, Deadline, Drained};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{move_payloads, output, progress};
use crate::model::Index;
use crate::model::health::Counters;

/// A file that is being written is waited for so long.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub struct CacheAll {
    /// Then move all payloads where the settings want them, as `imagecached move` does
    #[arg(long)]
    move_payloads: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// How many files became what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    pub cached: u64,
    pub unchanged: u64,
    pub skipped: u64,
    pub failed: u64,
    /// Some of the files that failed.
    pub examples: Vec<String>,
}

impl CacheAll {
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
    let work = store_all(capture, scanner);
    let (scanned, drained) =
        progress::during("caching", || None, || Counters::get(&counters.captured_files), work)
            .await
            .map_err(|error| match error {
                Trouble::Scan(error) => {
                    Failure::other(format!("cannot read the upload directory {root}: {error}"))
                }
                Trouble::Died(error) => Failure::other(error),
            })?;
    Ok(Tally {
        cached: Counters::get(&counters.captured_files),
        unchanged: scanned.unchanged + Counters::get(&counters.unchanged_files),
        skipped: scanned.skipped + scanned.excluded + Counters::get(&counters.left_out_files),
        failed: scanned.unreadable + drained.unsaved as u64,
        examples: drained.examples.iter().map(ToString::to_string).collect(),
    })
}

enum Trouble {
    Scan(std::io::Error),
    Died(CaptureDied),
}

async fn store_all(capture: Capture, scanner: Scanner) -> Result<(Scanned, Drained), Trouble> {
    let walker = scanner.clone();
    let scanned = tokio::task::spawn_blocking(move || walker.scan(""))
        .await
        .expect("a scan does not panic")
        .map_err(Trouble::Scan)?;
    // No access is renewed where nothing is a day old: a second run writes no row.
    let _ = scanner.renew_access(&scanned.old_access).await;
    let mut last = (usize::MAX, Instant::now());
    loop {
        tokio::select! {
            () = capture.idle() => break,
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
        // As long as files become safe, there is no hurry.
        let unsaved = scanner.unsaved().0;
        // What is in somebody's hands ends by the limits of those hands.
        if unsaved != last.0 || capture.in_flight() > 0 {
            last = (unsaved, Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            break;
        }
    }
    let drained = capture.drain(&Deadline::at(Instant::now() + Duration::from_secs(2))).await;
    Ok((scanned, drained.map_err(Trouble::Died)?))
}
