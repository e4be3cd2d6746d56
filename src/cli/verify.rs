//! `verify`: read stored files back, compare them with the disk, and mend what one side has lost.

use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::capture::Deadline;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, progress};
use crate::model::ByteSize;
use crate::model::names::Names;
use crate::model::version::{PastRow, Shelf};
use crate::payload::check::Progress;
use crate::uploads::UploadDir;
use crate::verify::{Former, Mender, Report, Sample, Selection, Told, Verifying};

/// As many entries are named.
const NAMED: usize = 50;

/// What mends has so long to end when everything is done: it has nothing left to do.
const END: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Verify {
    /// Upload paths, or patterns in gitignore syntax; all entries without any
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Only a part of them, such as 1%: others each time
    #[arg(long, value_name = "SHARE")]
    sample: Option<Share>,
    /// Only tell what would be mended
    #[arg(long)]
    dry_run: bool,
    /// Only check what is stored: compare with no file and mend nothing
    #[arg(long)]
    no_disk: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A share of all entries: above 0 and up to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Share(f64);

impl FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let share = text.trim().strip_suffix('%').and_then(|number| number.trim().parse().ok());
        match share.map(|percent: f64| percent / 100.0) {
            Some(share) if share > 0.0 && share <= 1.0 => Ok(Self(share)),
            _ => Err("write a share of the entries, such as 1% or 0.5%, up to 100%"),
        }
    }
}

impl Verify {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let selection = self.selection()?;
        let upload_dir = if self.no_disk { None } else { upload_dir_here(context)? };
        context.ready_store().await?;
        let mends = upload_dir.clone().filter(|_| !self.dry_run);
        let capture = mends.as_ref().map(|dir| context.capture(dir)).transpose()?;
        let mender = capture.as_ref().zip(mends).map(|(capture, upload_dir)| Mender {
            scanner: capture.scanner(),
            restoring: Some(context.restoring(upload_dir)),
        });
        let seen = Arc::<Progress>::default();
        let verifying = Verifying {
            store: context.store.clone(),
            remote: context.remote.clone(),
            selection,
            upload_dir,
            mender,
            patterns: context.settings.patterns.clone(),
            places: context.capture_options().places,
            patience: context.settings.database_wait,
            progress: seen.clone(),
        };
        let mut named = Vec::new();
        let mut unnamed = 0_u64;
        let mut tell = |told: Told| match named.len() < NAMED {
            true => named.push(told),
            false => unnamed += 1,
        };
        let total = || Some(seen.total());
        let work = verifying.run(&mut tell);
        let (report, done) = progress::during("verifying", total, || seen.done(), work).await;
        if let Some(capture) = capture {
            let deadline = Deadline::at(Instant::now() + END);
            // What could not be stored was told with its entry.
            let _ = capture.drain(&deadline).await;
        }
        if done.is_ok()
            && report.verified + report.changed + report.former.verified == 0
            && !self.paths.is_empty()
        {
            let paths = self.paths.join(" ");
            return Err(Failure::other(format!(
                "no entry matches {paths}; `imagecached list` shows what is stored"
            )));
        }
        let stopped = done.err();
        if self.json {
            let reason = stopped.as_ref().map(ToString::to_string);
            output::json(&as_json(&report, &named, unnamed, reason))?;
        } else {
            print(&report, &named, unnamed, self.dry_run)?;
        }
        match stopped {
            Some(error) => Err(error.into()),
            None if report.is_well() => Ok(Exit::Done),
            None => Ok(Exit::Findings),
        }
    }

    fn selection(&self) -> Result<Selection, Failure> {
        let names = match self.paths.as_slice() {
            [] => None,
            paths => Some(Names::new(paths).map_err(|why| {
                Failure::usage(format!("{why}; write \\ before a character that is meant as it is"))
            })?),
        };
        let seed =
            || getrandom::u64().map_err(|error| Failure::other(format!("no chance: {error}")));
        let sample = match self.sample {
            Some(Share(share)) => Some(Sample::share(share, seed()?)),
            None => None,
        };
        Ok(Selection { names, sample })
    }
}

/// The upload directory, if there is one here.
fn upload_dir_here(context: &Context) -> Result<Option<UploadDir>, Failure> {
    let upload_dir = context.upload_dir()?;
    let root = upload_dir.root().display().to_string();
    match upload_dir.open() {
        Ok(_) => Ok(Some(upload_dir)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("imagecached: there is no {root} here: only what is stored is checked");
            Ok(None)
        }
        Err(error) => {
            Err(Failure::other(format!("cannot read the upload directory {root}: {error}")))
        }
    }
}

fn print(report: &Report, named: &[Told], unnamed: u64, dry_run: bool) -> Result<(), Failure> {
    for told in named {
        let row = match told.row {
            PastRow::Entry(id) => format!("entry {id}"),
            PastRow::Version(id) => format!("version {id}"),
        };
        output::line(&format!("{:?} ({row}): {}", told.path, told.text))?;
        if let Some(cure) = &told.cure {
            output::line(&format!("    cure: {cure}"))?;
        }
    }
    if unnamed > 0 {
        output::line(&format!(
            "{unnamed} more, not named here: cure these first, then verify again"
        ))?;
    }
    let Report { verified, bytes, changed, left_out, out_of_reach, .. } = report;
    let mended = match dry_run {
        true => format!("{} would be mended", report.mendable),
        false => format!("{} mended", report.mended()),
    };
    let not_mended = report.not_mended() - if dry_run { report.mendable } else { 0 };
    let mut sum = format!(
        "{verified} verified ({}), {mended}, {not_mended} not mended, {out_of_reach} out of reach, \
         {left_out} without data, {changed} changed meanwhile",
        ByteSize(*bytes)
    );
    let Former { verified, bytes, damaged, out_of_reach, .. } = report.former;
    if verified > 0 {
        let bytes = ByteSize(bytes);
        sum += &format!(
            "; {verified} former contents ({bytes}), {damaged} damaged, {out_of_reach} out of reach"
        );
    }
    output::line(&sum)
}

fn as_json(report: &Report, named: &[Told], unnamed: u64, stopped: Option<String>) -> Value {
    let of = |shelf| -> Vec<Value> {
        named.iter().filter(|told| told.row.shelf() == shelf).map(finding).collect()
    };
    let former = &report.former;
    json!({
        "verified": report.verified,
        "bytes": report.bytes,
        "changed": report.changed,
        "left_out": report.left_out,
        "mended": report.mended(),
        "stored_again": report.stored_again,
        "captured": report.captured,
        "restored": report.restored,
        "mendable": report.mendable,
        "not_mended": report.not_mended(),
        "damaged": report.damaged,
        "missing": report.missing,
        "not_stored": report.not_stored,
        "differs": report.differs,
        "out_of_reach": report.out_of_reach,
        "findings": of(Shelf::Entries),
        "versions": {
            "verified": former.verified,
            "bytes": former.bytes,
            "changed": former.changed,
            "damaged": former.damaged,
            "out_of_reach": former.out_of_reach,
            "findings": of(Shelf::History),
        },
        "not_named": unnamed,
        "stopped": stopped,
    })
}

fn finding(told: &Told) -> Value {
    json!({
        "id": told.row.id(),
        "path": told.path,
        "what": told.what,
        "text": told.text,
        "mended": told.mended,
        "cure": told.cure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        assert_eq!("1%".parse(), Ok(Share(0.01)));
        assert_eq!(" 0.5 %".parse(), Ok(Share(0.005)));
        assert_eq!("100%".parse(), Ok(Share(1.0)));
        for wrong in ["0%", "101%", "-1%", "1", "NaN%", "half", ""] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
