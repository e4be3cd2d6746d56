//! `cleanup --orphans`: drop objects that no entry refers to.

use serde_json::json;

use crate::cli::cleanup::configured;
use crate::cli::cleanup::objects::{Done, counted};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::model::ByteSize;
use crate::objects::{Compared, Differs, Objects, Pace, Removed, Stop, shown};

/// As many orphans are held in memory and removed at a time.
const AT_A_TIME: usize = 10_000;

/// Removes objects that no entry refers to, or shows them.
pub async fn run(context: &Context, yes: bool, as_json: bool) -> Result<Exit, Failure> {
    let objects = configured(context)?;
    context.ready_store().await?;
    let neighbours = objects.neighbours().await?;
    let refusal = if !objects.may_remove() {
        Some(Stop::SwitchedOff)
    } else if !neighbours.all.is_empty() {
        Some(Stop::Shared(neighbours))
    } else {
        None
    };
    let place = objects.remote().describe();
    if let (Some(stop), true) = (&refusal, yes) {
        return Err(Failure::other(format!("nothing was removed from {place}: {stop}")));
    }
    if !yes {
        let mut told = Ok(());
        let compared = objects
            .compare(&mut |differs| {
                if let (Differs::Orphan(object), false, Ok(())) = (differs, as_json, &told) {
                    told = output::line(&format!("{}\t{}", ByteSize(object.size), shown(object)));
                }
            })
            .await?;
        told?;
        return show(&place, &compared, refusal.as_ref(), as_json);
    }
    let removed = remove(objects).await?;
    let (none, stopped) = (removed.objects == 0, removed.stopped.is_some());
    let done = Done::of(place, removed);
    if as_json {
        output::json(&json!({ "objects": done.json() }))?;
    } else {
        if none {
            output::line(&format!("0 objects removed from {}", objects.remote().describe()))?;
        }
        done.tell()?;
    }
    Ok(if stopped { Exit::Incomplete } else { done.exit() })
}

/// Notes orphans as loose and removes what is loose, a bounded number at a time.
async fn remove(objects: &Objects) -> Result<Removed, Failure> {
    let mut gone = 0;
    loop {
        let mut found = Vec::new();
        objects
            .compare(&mut |differs| match differs {
                Differs::Orphan(object) if found.len() < AT_A_TIME => {
                    found.push((object.content, object.url.clone()));
                }
                _ => {}
            })
            .await?;
        objects.loosen(&found).await?;
        let removed = objects.remove_loose(Pace::SWIFT).await;
        gone += removed.objects;
        // There may be more than were held; but those that stayed would come again.
        if found.len() < AT_A_TIME || removed.objects == 0 || removed.stopped.is_some() {
            return Ok(Removed { objects: gone, ..removed });
        }
    }
}

fn show(
    place: &str,
    compared: &Compared,
    refusal: Option<&Stop>,
    as_json: bool,
) -> Result<Exit, Failure> {
    let Compared { objects, orphans, orphan_bytes, .. } = *compared;
    let kept = refusal.map(ToString::to_string);
    if as_json {
        output::json(&json!({
            "place": place,
            "objects": objects,
            "orphans": orphans,
            "bytes": orphan_bytes,
            "kept_because": kept,
        }))?;
        return Ok(Exit::Done);
    }
    output::line(&format!(
        "{orphans} of {} ({}) in {place} are older than a day, and no entry refers to them",
        counted(objects as usize, "object"),
        ByteSize(orphan_bytes)
    ))?;
    match kept {
        Some(why) => output::line(&format!("they stay: {why}"))?,
        None if orphans > 0 => output::line("nothing was removed: add --yes to remove them")?,
        None => {}
    }
    Ok(Exit::Done)
}
