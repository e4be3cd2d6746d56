//! `serve`: the API and the admin panel alone, anywhere the database can be reached.

use std::time::Duration;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::daemon::faces::{self, Faces};
use crate::process::{Signals, service_manager};

/// How often the database is asked whether it answers: while it does not, and while it does.
const ASK: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// The flag of the commands that answer HTTP.
#[derive(Debug, Args)]
pub struct Listen {
    /// Answer HTTP (API, admin panel, metrics) on this address and port, such as 127.0.0.1:8310
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
}

pub async fn serve(context: Context) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    for note in &context.settings.database.notes {
        tracing::info!(event = "database_url", "{note}");
    }
    let mut faces =
        Faces::open(&context, context.settings.http.listen.unwrap_or(faces::DEFAULT)).await?;
    let _ = service_manager::ready();
    let end = async {
        loop {
            match signals.recv().await {
                Some(signal) if signal.asks_to_end() => break Ok(signal),
                Some(_) => {}
                None => break Err(Failure::other("signals can no longer be received")),
            }
        }
    };
    tokio::select! {
        signal = end => {
            let signal = signal?.name();
            tracing::info!(event = "signal", signal, "ending");
        }
        () = faces.ended() => return Err(Failure::other("the HTTP server has failed; restart it")),
        () = keep_asking(&context) => unreachable!("it asks for ever"),
    }
    let _ = service_manager::stopping();
    faces.close().await;
    Ok(Exit::Done)
}

/// Makes the tables once the database answers, and knows from then on whether it does.
async fn keep_asking(context: &Context) {
    let mut prepared = false;
    loop {
        let asked =
            if prepared { context.store.check().await } else { context.prepare_store().await };
        let health = &context.health;
        let wait = match asked {
            Ok(()) => {
                prepared = true;
                if health.set_database_away(None) {
                    tracing::info!(event = "database_back", "the database answers again");
                }
                ASK.1
            }
            Err(error) => {
                let reason = error.to_string();
                if !health.set_database_away(Some(reason.clone())) {
                    tracing::warn!(event = "database_away", reason, "nothing can be shown");
                }
                ASK.0
            }
        };
        // A watchdog of the service manager wants a sign of life.
        let _ = service_manager::alive();
        tokio::time::sleep(wait).await;
    }
}
