//! `watch`: the daemon alone, for a disk that is shared with the app or outlives it.

use std::time::Duration;

use crate::cli::context::Context;
use crate::cli::ending::Ending;
use crate::cli::exit::{Exit, Failure};
use crate::cli::run::{tell_farewell, warn_of_lone_sqlite};
use crate::daemon::faces::Faces;
use crate::daemon::{Begun, Daemon};
use crate::process::{Signals, service_manager};

/// How often the parts are asked whether they live.
const CHECK: Duration = Duration::from_secs(2);

pub async fn watch(context: Context) -> Result<Exit, Failure> {
    let mut ending = Ending::new(context.settings.shutdown_limit);
    let mut signals = Signals::listen()?;
    let upload_dir = context.made_upload_dir()?;
    context.tell_started("watch", &upload_dir);
    warn_of_lone_sqlite(&context);
    let mut daemon = Daemon::start(context, upload_dir)?;
    let faces = Faces::beside(&daemon.parts, None);
    daemon.watch()?;
    daemon.keep(Begun { learn_only: true, ..Begun::default() });
    let _ = service_manager::ready();
    loop {
        tokio::select! {
            signal = signals.recv() => match signal {
                Some(signal) if signal.asks_to_end() => {
                    ending.note(signal);
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
    let farewell = ending.finish(daemon, &mut signals).await;
    if let Some(faces) = faces {
        faces.close().await;
    }
    Ok(tell_farewell(&farewell))
}
