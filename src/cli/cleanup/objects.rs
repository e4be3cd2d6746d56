//! What a cleanup does in the object store, and what it says about it.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

use crate::cleanup::Candidates;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::model::Digest;
use crate::model::index::key;
use crate::objects::{Pace, Removed, Stop};

/// Loose objects are counted up to here.
const MOST_COUNTED: u32 = 10_000;

/// As many places of objects that stay are named.
const PLACES: usize = 3;

/// What would become of objects.
pub struct Expected {
    place: String,
    /// Objects of the entries that would go, at most: others may refer to them too.
    with_entries: usize,
    /// Objects that wait to be removed.
    loose: usize,
    /// Why none would go.
    kept: Option<String>,
    stay: Stay,
}

/// What has become of objects.
pub struct Done {
    place: String,
    removed: Removed,
    stay: Stay,
}

/// Objects that nothing is done about: their store is not the configured one.
struct Stay {
    objects: usize,
    places: BTreeSet<String>,
}

/// The objects of entries that are to go.
#[derive(Default)]
pub struct Referred {
    /// Contents of objects in the configured store.
    ours: HashSet<Digest>,
    /// Others, by what stands for their URLs where there may be a million.
    elsewhere: HashSet<u128>,
    /// Where those are.
    places: BTreeSet<String>,
}

impl Referred {
    pub fn add(&mut self, context: &Context, candidates: &Candidates) {
        let urls = candidates.entries.iter().filter_map(|entry| entry.image_url.as_deref());
        for url in urls {
            match context.remote.as_ref().and_then(|remote| remote.content(url)) {
                Some(content) => drop(self.ours.insert(content)),
                None => {
                    self.elsewhere.insert(key(url));
                    if self.places.len() <= PLACES {
                        self.places.insert(place_of(url));
                    }
                }
            }
        }
    }
}

/// What would become of these objects, and of those that are loose.
pub async fn expected(context: &Context, referred: Referred) -> Result<Expected, Failure> {
    let with_entries = referred.ours.len();
    let stay = Stay::from(referred);
    let Some(objects) = &context.objects else {
        return Ok(Expected { place: String::new(), with_entries: 0, loose: 0, kept: None, stay });
    };
    let loose = objects.count_loose(MOST_COUNTED).await?;
    let mut kept = None;
    if !objects.may_remove() {
        kept = Some(Stop::SwitchedOff.to_string());
    } else if with_entries + loose > 0 {
        kept = match objects.neighbours().await {
            Ok(neighbours) if neighbours.all.is_empty() => None,
            Ok(neighbours) => Some(Stop::Shared(neighbours).to_string()),
            // It may be back when it comes to removing.
            Err(trouble) => Some(trouble.to_string()),
        };
    }
    Ok(Expected { place: objects.remote().describe(), with_entries, loose, kept, stay })
}

impl Expected {
    pub fn tell(&self) -> Result<(), Failure> {
        let Self { place, with_entries, loose, kept, stay } = self;
        if *with_entries > 0 {
            let objects = counted(*with_entries, "object");
            let line = format!("with them, up to {objects} in {place}, unless others refer to it");
            output::line(&line)?;
        }
        if *loose > 0 {
            let more = if *loose == MOST_COUNTED as usize { "at least " } else { "" };
            let objects = counted(*loose, "object");
            output::line(&format!("{more}{objects} in {place} wait for removal"))?;
        }
        if let Some(why) = kept.as_ref().filter(|_| with_entries + loose > 0) {
            output::line(&format!("objects stay: {why}"))?;
        }
        stay.tell()
    }

    pub fn json(&self) -> Value {
        let Self { place, with_entries, loose, kept, stay } = self;
        json!({
            "place": place,
            "of_candidates": with_entries,
            "loose": loose,
            "kept_because": kept,
            "elsewhere": stay.objects,
        })
    }
}

/// Removes what is loose: what the removed entries have let go of, and what was before.
pub async fn remove(context: &Context, referred: Referred) -> Done {
    let stay = Stay::from(referred);
    match &context.objects {
        Some(objects) => {
            let place = objects.remote().describe();
            Done { place, removed: objects.remove_loose(Pace::SWIFT).await, stay }
        }
        None => Done { place: String::new(), removed: Removed::default(), stay },
    }
}

impl Done {
    /// What has become of objects that no candidate had.
    pub fn of(place: String, removed: Removed) -> Self {
        Self { place, removed, stay: Stay { objects: 0, places: BTreeSet::new() } }
    }

    pub fn tell(&self) -> Result<(), Failure> {
        let Self { place, removed, stay } = self;
        if removed.objects > 0 {
            let objects = counted(removed.objects as usize, "object");
            output::line(&format!("{objects} removed from {place}"))?;
        }
        if removed.elsewhere > 0 {
            let objects = counted(removed.elsewhere as usize, "object");
            output::line(&format!(
                "{objects} that no entry refers to are not in {place}, and stay"
            ))?;
        }
        if removed.busy > 0 {
            let objects = counted(removed.busy as usize, "object");
            output::line(&format!("{objects} left for later: just being uploaded or removed"))?;
        }
        if let Some(error) = &removed.failure {
            let objects = counted(removed.failed as usize, "object");
            eprintln!("imagecached: {objects} not removed, tried again in an hour: {error}");
        } else if let Some(stop) = &removed.stopped {
            eprintln!("imagecached: objects stay: {stop}");
        }
        stay.tell()
    }

    pub fn json(&self) -> Value {
        let Self { place, removed, stay } = self;
        json!({
            "place": place,
            "removed": removed.objects,
            "busy": removed.busy,
            "failed": removed.failed,
            "elsewhere": removed.elsewhere as usize + stay.objects,
            "kept_because": removed.stopped.as_ref().map(ToString::to_string),
        })
    }

    /// Objects that are to stay leave nothing undone.
    pub fn exit(&self) -> Exit {
        match &self.removed.stopped {
            Some(Stop::Trouble(_)) => Exit::Incomplete,
            Some(Stop::Shared(_) | Stop::SwitchedOff) | None if self.removed.failed == 0 => {
                Exit::Done
            }
            _ => Exit::Incomplete,
        }
    }
}

impl From<Referred> for Stay {
    fn from(referred: Referred) -> Self {
        Self { objects: referred.elsewhere.len(), places: referred.places }
    }
}

impl Stay {
    fn tell(&self) -> Result<(), Failure> {
        if self.objects == 0 {
            return Ok(());
        }
        let mut places: Vec<&str> = self.places.iter().map(String::as_str).collect();
        if places.len() > PLACES {
            places.truncate(PLACES);
            places.push("…");
        }
        let objects = counted(self.objects, "object");
        output::line(&format!(
            "{objects} of these entries stay in {}, which is not the configured object store",
            places.join(", ")
        ))
    }
}

/// Where a URL leads, without what may be signed in it, and without the object's own name.
fn place_of(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return "an unknown place".into() };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or_default();
    let path: Vec<&str> = path.split('/').collect();
    let kept = match scheme {
        // https://res.cloudinary.com/CLOUD/…
        "http" | "https" => path.len().min(1),
        _ => path.len().saturating_sub(2),
    };
    let place = format!("{scheme}://{host}/{}", path[..kept].join("/"));
    let place = place.trim_end_matches('/').escape_debug();
    place.take(200).collect()
}

/// A number and its noun.
pub(super) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::place_of;

    #[test]
    fn a_place_is_told_without_what_may_be_secret() {
        for (url, place) in [
            ("s3://shop/media/ab/cdef", "s3://shop/media"),
            ("s3://shop/ab/cdef", "s3://shop"),
            ("file:///mnt/objects/ab/cdef", "file:///mnt/objects"),
            (
                "https://res.cloudinary.com/shop/raw/authenticated/s--s3cret--/v1/f/ab/cdef",
                "https://res.cloudinary.com/shop",
            ),
            ("https://u:s3cret@host/a/b?token=s3cret", "https://host/a"),
            ("nonsense", "an unknown place"),
        ] {
            assert_eq!(place_of(url), place, "{url}");
        }
    }
}
