//! `cleanup --forget-database`: remove the mark of a database that is gone from the object store.

use serde_json::json;

use crate::cli::cleanup::configured;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::objects::{Forgotten, Neighbours};

/// Removes the mark of another database, or shows it.
pub async fn run(context: &Context, name: &str, yes: bool, as_json: bool) -> Result<Exit, Failure> {
    let objects = configured(context)?;
    context.ready_store().await?;
    let Neighbours { place, all } = objects.neighbours().await?;
    let Some(neighbour) = all.iter().find(|neighbour| neighbour.mark.name == name) else {
        let known: Vec<String> = all.iter().map(ToString::to_string).collect();
        let known = if known.is_empty() { "none".into() } else { known.join("; ") };
        return Err(Failure::other(format!(
            "no other database of the name {name:?} uses {place}; there are: {known}"
        )));
    };
    let mut forgotten = false;
    if yes {
        forgotten = matches!(objects.forget(name).await?, Forgotten::Gone(_));
    }
    if as_json {
        output::json(&json!({
            "name": name, "note": neighbour.mark.note, "place": place, "forgotten": forgotten,
        }))?;
    } else if forgotten {
        output::line(&format!("{neighbour}: forgotten"))?;
    } else {
        output::line(&format!(
            "{neighbour}\nonce it is forgotten, objects that it still refers to may be removed; \
             nothing was done: add --yes if it is gone"
        ))?;
    }
    Ok(Exit::Done)
}
