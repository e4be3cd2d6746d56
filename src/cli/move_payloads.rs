//! `move`: payloads go where the settings want them, or where the user does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, progress};
use crate::model::ByteSize;
use crate::model::entry::PayloadKind;
use crate::model::places::Place;
use crate::process::{Signal, Signals};
use crate::relocation::{Plan, Relocating, Report, Selection, Stop, Why, Wish};

/// Signals to end that come within this time are one.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub struct Move {
    /// Upload paths, or patterns in gitignore syntax; all entries without any
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Move payloads here, whatever the settings say of their sizes
    #[arg(long, value_enum, value_name = "PLACE")]
    to: Option<To>,
    /// Only payloads that are here
    #[arg(long, value_enum, value_name = "PLACE")]
    from: Option<To>,
    /// Only show what would be moved
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A place, as users call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// Base64 in the entry's row, up to inline_limit
    Inline,
    /// Rows of 1 MiB in the database
    Chunks,
    /// The object store
    #[value(alias = "url")]
    Remote,
}

impl Move {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let kind = self.from.map(|from| match from {
            To::Inline => PayloadKind::Inline,
            To::Chunks => PayloadKind::Chunks,
            To::Remote => PayloadKind::Url,
        });
        let selection = Selection::new(kind, &self.paths).map_err(|why| {
            Failure::usage(format!("{why}; write \\ before a character that is meant as it is"))
        })?;
        let to = self.to.map(|to| match to {
            To::Inline => Place::Inline,
            To::Chunks => Place::Chunks,
            To::Remote => Place::Remote,
        });
        if to == Some(Place::Remote) && context.remote.is_none() {
            return Err(Failure {
                exit: Exit::Settings,
                message:
                    "--to remote: no object store is configured; set object_store, as README.md \
                          shows under \"Object stores\""
                        .into(),
            });
        }
        context.ready_store().await?;
        let relocating = relocating(context, to, selection);
        if self.dry_run {
            let plan = relocating.plan().await?;
            self.must_have_met_one(plan.looked_at())?;
            if self.json {
                output::json(&plan_as_json(&plan))?;
            } else {
                print_plan(&plan)?;
            }
            return Ok(Exit::Done);
        }
        let report = carry_out(context, relocating).await?;
        if report.stopped.is_none() {
            self.must_have_met_one(report.looked_at())?;
        }
        if self.json {
            output::json(&as_json(&report))?;
        } else {
            print(&report)?;
        }
        Ok(exit(&report))
    }

    /// Who names a path has made a mistake when there is nothing of that name.
    fn must_have_met_one(&self, looked_at: u64) -> Result<(), Failure> {
        if looked_at > 0 || self.paths.is_empty() {
            return Ok(());
        }
        let paths = self.paths.join(" ");
        Err(Failure::other(format!(
            "no entry matches {paths}; `imagecached list` shows what is stored"
        )))
    }
}

/// Moves all payloads where the settings want them.
pub async fn by_settings(context: &Context) -> Result<Report, Failure> {
    carry_out(context, relocating(context, None, Selection::default())).await
}

fn relocating(context: &Context, to: Option<Place>, selection: Selection) -> Relocating {
    Relocating {
        store: context.store.clone(),
        objects: context.objects.clone(),
        wish: Wish { places: context.capture_options().places, to },
        selection,
        patience: context.settings.database_wait,
        progress: Arc::default(),
    }
}

/// Moves until all is done. A signal to end lets it stop between two payloads, a second one at once,
/// which costs nothing but the payload that is under way.
async fn carry_out(context: &Context, relocating: Relocating) -> Result<Report, Failure> {
    let mut signals = Signals::listen()?;
    let total = match relocating.selection.is_all() {
        true => Some(context.store.totals().await?.entries),
        false => None,
    };
    let progress = relocating.progress.clone();
    let moving = progress::during("moving", || total, || progress.looked_at(), relocating.run());
    tokio::pin!(moving);
    let mut asked: Option<Instant> = None;
    loop {
        tokio::select! {
            report = &mut moving => return Ok(report),
            signal = end_signal(&mut signals) => match asked {
                None => {
                    asked = Some(Instant::now());
                    progress.stop();
                    eprintln!(
                        "imagecached: {}: it stops after the files that are under way; again: at once",
                        signal.name()
                    );
                }
                Some(first) if first.elapsed() > SAME_SIGNAL => {
                    return Err(Failure {
                        exit: Exit::Incomplete,
                        message: "stopped at once; nothing is lost, and running it again goes on".into(),
                    });
                }
                Some(_) => {}
            }
        }
    }
}

async fn end_signal(signals: &mut Signals) -> Signal {
    loop {
        match signals.recv().await {
            Some(signal) if signal.asks_to_end() => return signal,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

/// How a command ends that has moved payloads.
pub fn exit(report: &Report) -> Exit {
    match &report.stopped {
        Some(Stop::Store(_)) => Exit::Database,
        _ if report.is_complete() => Exit::Done,
        _ => Exit::Incomplete,
    }
}

/// Prints what was done, for people.
pub fn print(report: &Report) -> Result<(), Failure> {
    print_skipped(&report.skipped)?;
    if report.changed > 0 {
        output::line(&format!("{} were replaced or removed meanwhile", report.changed))?;
    }
    if let Some(stop) = &report.stopped {
        eprintln!("imagecached: {stop}; not all entries were looked at: run it again to go on");
    }
    let skipped: u64 = report.skipped.values().sum();
    output::line(&format!(
        "{} moved, {} already there, {skipped} skipped, {} failed",
        report.moved, report.already_there, report.failed
    ))
}

/// What was done, for programs.
pub fn as_json(report: &Report) -> Value {
    json!({
        "moved": report.moved,
        "moved_bytes": report.moved_bytes,
        "already_there": report.already_there,
        "changed": report.changed,
        "skipped": skipped_as_json(&report.skipped),
        "failed": report.failed,
        "stopped": report.stopped.as_ref().map(ToString::to_string),
    })
}

fn print_plan(plan: &Plan) -> Result<(), Failure> {
    print_skipped(&plan.skipped)?;
    let (mut entries, mut bytes) = (0, 0);
    for ((from, to), (some, size)) in &plan.moves {
        output::line(&format!("{from} -> {to}: {some} ({})", ByteSize(*size)))?;
        entries += some;
        bytes += size;
    }
    let skipped: u64 = plan.skipped.values().sum();
    output::line(&format!(
        "{entries} would be moved ({}), {} already there, {skipped} skipped",
        ByteSize(bytes),
        plan.already_there
    ))
}

fn plan_as_json(plan: &Plan) -> Value {
    let moves = plan.moves.iter().map(|((from, to), (entries, bytes))| {
        json!({ "from": from, "to": to, "entries": entries, "bytes": bytes })
    });
    json!({
        "moves": moves.collect::<Vec<_>>(),
        "already_there": plan.already_there,
        "skipped": skipped_as_json(&plan.skipped),
    })
}

fn print_skipped(skipped: &BTreeMap<Why, u64>) -> Result<(), Failure> {
    for (why, count) in skipped {
        let reason = match why {
            Why::NoData => {
                "have no data, so there is nothing to move: `imagecached list --payload none` names \
                 them, and `imagecached cache PATH` stores those whose file is on a disk"
            }
            Why::TooLarge => {
                "are over inline_limit, and stay where they are: raise it (--set inline_limit=…) if \
                 rows shall hold them"
            }
            Why::NotKept => {
                "are over inline_limit, and large_files = \"skip\" would not keep them: they stay, \
                 since a move throws nothing away"
            }
        };
        output::line(&format!("{count} {reason}"))?;
    }
    Ok(())
}

fn skipped_as_json(skipped: &BTreeMap<Why, u64>) -> Value {
    let count = |why| skipped.get(&why).copied().unwrap_or_default();
    json!({
        "no_data": count(Why::NoData),
        "over_inline_limit": count(Why::TooLarge),
        "not_kept": count(Why::NotKept),
    })
}
