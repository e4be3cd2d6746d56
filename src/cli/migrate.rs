//! `migrate`: create or upgrade the tables.

use std::time::{Duration, Instant};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::settings::Settings;
use crate::store::Trouble;

pub async fn run(context: &Context) -> Result<Exit, Failure> {
    // Asked for by name, it is done whatever the setting `migrate` says. Only the database is waited for within
    // a time: the upgrade itself takes as long as it takes.
    let settings = Settings { migrate: false, ..(*context.settings).clone() };
    let asking = Context { settings: settings.into(), ..context.clone() };
    let wait = context.settings.database_wait.max(Duration::from_secs(1));
    match asking.wait_for_store(Instant::now() + wait).await {
        Err(error) if error.trouble != Trouble::Schema => return Err(error.into()),
        _ => {}
    }
    let (_, version) = context.store.migrate().await?;
    let product = context.store.product();
    output::line(&format!("the tables in {product} are at version {version}"))?;
    Ok(Exit::Done)
}
