//! `run -- CMD`: restore, watch, start the app, and save its last upload after its end.

use std::ffi::OsString;
use std::future::pending;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::time::sleep_until;

use crate::cli::context::Context;
use crate::cli::ending::Ending;
use crate::cli::exit::{Exit, Failure};
use crate::cli::serve::Listen;
use crate::daemon::faces::Faces;
use crate::daemon::{Begun, Daemon, Farewell, Parts};
use crate::process::{Child, Signal, Signals, SpawnError, service_manager};
use crate::store::StoreError;

/// How often the parts are asked whether they live.
const CHECK: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub listen: Listen,
    /// The app's command, executed as it is, without a shell
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// How the time before the app's start went.
enum Boot {
    Begun(Begun),
    /// A signal asked to end before there was an app.
    Ended(Signal),
}

impl Run {
    pub async fn run(self, context: Context) -> Result<ExitCode, Failure> {
        let deadline = Instant::now() + context.settings.boot_deadline;
        let mut signals = Signals::listen()?;
        let upload_dir = context.made_upload_dir()?;
        context.tell_started("run", &upload_dir);
        warn_of_lone_sqlite(&context);
        let mut daemon = Daemon::start(context, upload_dir)?;
        let faces = Faces::beside(&daemon.parts, app_port());
        let begun = match boot(&daemon.parts, &mut signals, deadline).await? {
            Boot::Begun(begun) => begun,
            Boot::Ended(signal) => {
                let shown = signal.name();
                tracing::info!(event = "signal", signal = shown, "ended before the app started");
                return Ok(exit_code(128 + signal.number));
            }
        };
        daemon.watch()?;
        let child = match self.start_app(&daemon.parts).await {
            Ok(child) => child,
            Err(error) => {
                tracing::error!(event = "app_not_started", reason = %error, "no app, no daemon");
                return Ok(exit_code(error.code()));
            }
        };
        daemon.keep(begun);
        let exit = accompany(daemon, child, signals).await;
        if let Some(faces) = faces {
            faces.close().await;
        }
        Ok(exit)
    }

    /// Starts the app at a moment when nothing of ours stands in the upload directory.
    async fn start_app(&self, parts: &Parts) -> Result<Child, SpawnError> {
        // A single slow file must not keep the app from starting.
        let gate = tokio::time::timeout(Duration::from_secs(2), parts.gate.write()).await;
        let child = Child::spawn(&self.command);
        drop(gate);
        let child = child?;
        let command = self.command.join(std::ffi::OsStr::new(" "));
        tracing::info!(
            event = "app_started",
            pid = child.id(),
            command = %command.display(),
            "the app runs"
        );
        let _ = service_manager::ready();
        Ok(child)
    }
}

/// The port that the platform gives to the app.
fn app_port() -> Option<u16> {
    std::env::var("PORT").ok()?.trim().parse().ok()
}

/// Waits for the database and restores, at the latest until the boot deadline.
async fn boot(
    parts: &Arc<Parts>,
    signals: &mut Signals,
    deadline: Instant,
) -> Result<Boot, Failure> {
    let settings = &parts.context.settings;
    let database_deadline = deadline.min(Instant::now() + settings.database_wait);
    let mut begun = Begun::default();
    let ready = tokio::select! {
        ready = parts.context.wait_for_store(database_deadline) => ready,
        signal = end_signal(signals) => return Ok(Boot::Ended(signal)),
    };
    if let Err(error) = ready {
        without_database(parts, error)?;
        return Ok(Boot::Begun(begun));
    }
    begun.store_ready = true;
    parts.store_is_ready();
    let mut restore = tokio::spawn(parts.clone().restore_at_last());
    tokio::select! {
        done = &mut restore => {
            begun.restored = matches!(done, Ok(Ok(report)) if report.left.is_empty());
        }
        () = sleep_until(deadline.into()) => {
            tracing::warn!(
                event = "boot_deadline",
                "the app starts now; the rest is restored behind it"
            );
            begun.restore = Some(restore);
        }
        signal = end_signal(signals) => return Ok(Boot::Ended(signal)),
    }
    Ok(Boot::Begun(begun))
}

/// The database did not answer in time: the app comes first, unless the operator sees it otherwise.
fn without_database(parts: &Parts, error: StoreError) -> Result<(), Failure> {
    if parts.context.settings.database_required {
        let Failure { message, .. } = error.into();
        let message = format!("{message}; the app is not started, as database_required says");
        return Err(Failure { exit: Exit::Database, message });
    }
    let reason = error.to_string();
    tracing::error!(
        event = "database_away",
        reason,
        "THE APP STARTS WITHOUT ITS UPLOADS, and nothing is protected until the database answers"
    );
    parts.context.health.set_database_away(Some(reason));
    Ok(())
}

/// Stands beside the app until its end, then saves what it has left.
async fn accompany(daemon: Daemon, mut child: Child, mut signals: Signals) -> ExitCode {
    let limit = daemon.parts.context.settings.shutdown_limit;
    let mut ending = Ending::new(limit);
    let mut dead = false;
    let exit = loop {
        let give_up = async {
            match ending.deadline() {
                // The rest of the time belongs to the uploads, whatever the app does.
                Some(deadline) => sleep_until((deadline.moment() - reserve(limit)).into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            exit = child.wait() => break Some(exit),
            () = give_up => break None,
            Some(signal) = signals.recv() => {
                pass_on(&child, signal);
                ending.note(signal);
            }
            () = tokio::time::sleep(CHECK), if !dead => {
                if let Err(error) = daemon.check() {
                    dead = true;
                    tracing::error!(event = "failed", "{error}");
                }
            }
        }
    };
    let exit = match exit {
        Some(exit) => exit,
        // Ended before the last look over the disk: nothing can be uploaded after it.
        None => {
            tracing::warn!(event = "app_killed", "the app has not ended in time");
            if let Err(error) = child.signal(9) {
                tracing::warn!(event = "signal", signal = "KILL", reason = %error, "cannot send it");
            }
            child.wait().await
        }
    };
    tracing::info!(event = "app_exited", code = exit.code(), "the app has ended");
    let farewell = ending.finish(daemon, &mut signals).await;
    tell_farewell(&farewell);
    exit_code(exit.code())
}

/// As much of the time to end is kept for the last uploads.
fn reserve(limit: Duration) -> Duration {
    (limit / 4).min(Duration::from_secs(4))
}

fn pass_on(child: &Child, signal: Signal) {
    tracing::debug!(event = "signal", signal = signal.name(), "received");
    if signal.from_terminal {
        return; // The terminal has sent it to the app as well.
    }
    if let Err(error) = child.signal(signal.number) {
        let (shown, reason) = (signal.name(), error.to_string());
        tracing::warn!(event = "signal", signal = shown, reason, "cannot pass it on");
    }
}

async fn end_signal(signals: &mut Signals) -> Signal {
    loop {
        match signals.recv().await {
            Some(signal) if signal.asks_to_end() => return signal,
            Some(_) => {} // There is no app yet that could be meant.
            None => pending().await,
        }
    }
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// The last line: how many files were saved in how long, and how many were not.
pub fn tell_farewell(farewell: &Farewell) -> Exit {
    let Farewell { saved, took, unsure, outcome } = farewell;
    let took_ms = took.as_millis() as u64;
    match outcome {
        Ok(drained) if drained.unsaved == 0 && unsure.is_none() => {
            tracing::info!(event = "drained", saved, unsaved = 0, took_ms, "every upload is safe");
            Exit::Done
        }
        Ok(drained) => {
            let (unsaved, examples) = (drained.unsaved, format!("{:?}", drained.examples));
            let what = match unsaved {
                0 => "IT IS NOT KNOWN WHETHER EVERY UPLOAD IS SAFE",
                _ => "SOME UPLOADS ARE NOT SAFE",
            };
            tracing::error!(event = "drained", saved, unsaved, took_ms, examples, unsure, "{what}");
            Exit::Incomplete
        }
        Err(error) => {
            tracing::error!(event = "failed", saved, took_ms, "{error}");
            Exit::Failed
        }
    }
}

/// On a disk that is thrown away, an SQLite file goes with the uploads.
pub fn warn_of_lone_sqlite(context: &Context) {
    use crate::model::Target;
    if let Target::Sqlite(path) = &context.settings.database.target {
        let platform = context.platform.as_ref();
        let ephemeral = platform.and_then(|platform| platform.ephemeral_disk).unwrap_or(false);
        let path = path.display().to_string();
        if ephemeral {
            tracing::error!(
                event = "sqlite_ephemeral",
                path,
                "THIS PROTECTS NOTHING: the SQLite file is thrown away with the disk; set DATABASE_URL"
            );
        } else {
            tracing::warn!(
                event = "sqlite_ephemeral",
                path,
                "files are kept in an SQLite file: on a disk that is thrown away this protects nothing"
            );
        }
    }
}
