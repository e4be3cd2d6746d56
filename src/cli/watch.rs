//! `watch`: the daemon alone, for a disk that is shared with the app or outlives it.

use std::time::{Duration, Instant};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::{tell_farewell, warn_of_lone_sqlite};
use crate::daemon::{Begun, Daemon};
use crate::process::{Signals, service_manager};

/// How often the parts are asked whether they live.
const CHECK: Duration = Duration::from_secs(2);

/// What is left of the time to end after a second signal.
const HURRY: Duration = Duration::from_secs(5);

pub async fn watch(context: Context) -> Result<Exit, Failure> {
    let limit = context.settings.shutdown_limit;
    let mut signals = Signals::listen()?;
    let upload_dir = context.made_upload_dir()?;
    context.tell_started("watch", &upload_dir);
    warn_of_lone_sqlite(&context);
    let mut daemon = Daemon::start(context, upload_dir)?;
    daemon.watch()?;
    daemon.keep(Begun { learn_only: true, ..Begun::default() });
    let _ = service_manager::ready();
    loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(signal) if signal.asks_to_end() => {
                    tracing::info!(event = "signal", signal = signal.name(), "ending");
                    break;
                }
                Some(_) => {}
                None => return Err(Failure::other("signals can no longer be received")),
            },
            () = tokio::time::sleep(CHECK) => {
                daemon.check().map_err(Failure::other)?;
            }
        }
    }
    let _ = service_manager::stopping();
    let deadline = Instant::now() + limit;
    let finish = daemon.finish(deadline);
    tokio::pin!(finish);
    let farewell = tokio::select! {
        farewell = &mut finish => farewell,
        () = second_signal(&mut signals) => {
            tracing::warn!(event = "signal", "asked to end again: hurrying");
            match tokio::time::timeout(HURRY, finish).await {
                Ok(farewell) => farewell,
                Err(_) => return Err(Failure {
                    exit: Exit::Incomplete,
                    message: "ended before every upload was safe, as asked twice".into(),
                }),
            }
        }
    };
    Ok(tell_farewell(&farewell))
}

async fn second_signal(signals: &mut Signals) {
    let began = Instant::now();
    while let Some(signal) = signals.recv().await {
        if signal.asks_to_end() && began.elapsed() > Duration::from_secs(1) {
            return;
        }
    }
    std::future::pending().await
}
