//! `watch`: the daemon alone, for a disk that is shared with the app or outlives it.

use std::time::{Duration, Instant};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::{another_signal, tell_farewell, warn_of_lone_sqlite};
use crate::daemon::{Begun, Daemon};
use crate::process::{Signals, service_manager};

/// How often the parts are asked whether they live.
const CHECK: Duration = Duration::from_secs(2);

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
    let asked = Instant::now();
    let hurry = another_signal(&mut signals, Some(asked));
    let farewell = daemon.finish(asked + limit, hurry).await;
    Ok(tell_farewell(&farewell))
}
