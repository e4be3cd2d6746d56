//! `migrate`: create or upgrade the tables.

use std::time::{Duration, Instant};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::settings::Settings;

pub async fn run(context: &Context) -> Result<Exit, Failure> {
    // Asked for by name, it is done whatever the setting `migrate` says.
    let settings = Settings { migrate: true, ..(*context.settings).clone() };
    let context = Context { settings: settings.into(), ..context.clone() };
    let wait = context.settings.database_wait.max(Duration::from_secs(1));
    context.wait_for_store(Instant::now() + wait).await?;
    let (_, version) = context.store.migrate().await?;
    let product = context.store.product();
    output::line(&format!("the tables in {product} are at version {version}"))?;
    Ok(Exit::Done)
}
