//! The removal of loose objects: asked for in the ledger, carried out in the store, and noted as done.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};

use crate::model::Digest;
use crate::objects::{Neighbours, Objects, Trouble};
use crate::remote::RemoteError;
use crate::store::StoreError;
use crate::store::ledger::{LooseObject, Removal};

/// Loose objects that are read at a time.
const PAGE: u32 = 200;

/// Objects that somebody has claimed are passed over; with so many of them something is wrong.
const MOST_CLAIMED: usize = 10_000;

/// A look at the marks is good for so long: far less than what a new database waits until it relies on
/// what is in the store.
const FRESH: Duration = Duration::from_secs(5 * 60);

/// A removal that takes longer is given up: an hour after its beginning another process may have ended
/// it, and the content may have been uploaded again.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// How fast objects are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Removals under way at a time.
    pub at_a_time: usize,
    /// Objects looked at in one call.
    pub most: u64,
}

impl Pace {
    /// Beside an app.
    pub const GENTLE: Self = Self { at_a_time: 1, most: 10_000 };
    /// For somebody who waits for it.
    pub const SWIFT: Self = Self { at_a_time: 8, most: u64::MAX };
}

/// What has become of loose objects.
#[derive(Debug, Default)]
pub struct Removed {
    /// Gone.
    pub objects: u64,
    /// Kept: an entry refers to them after all.
    pub referred: u64,
    /// Left for later: somebody is about to refer to them, or another process removes them.
    pub busy: u64,
    /// In a store, or under a prefix, that is not the configured one: they stay there.
    pub elsewhere: u64,
    /// The store refused to remove these; they are tried again in an hour.
    pub failed: u64,
    /// Why, of one of them.
    pub failure: Option<RemoteError>,
    /// Why the others were not looked at.
    pub stopped: Option<Stop>,
}

/// Why a removal stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The settings want it so.
    #[error("remove_objects = false keeps every object")]
    SwitchedOff,
    /// Other databases use the store.
    #[error("{neighbours}; nothing is removed there; {cure}", neighbours = .0, cure = .0.cure())]
    Shared(Neighbours),
    /// The database or the store does not answer.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

enum Fate {
    Gone,
    Referred,
    Busy,
    Elsewhere,
    Failed(RemoteError),
    Trouble(StoreError),
    /// Not looked at.
    Left,
}

impl Objects {
    /// Removes loose objects, as many as the pace allows. Stops when the database or the store is away:
    /// what is left is loose, and goes the next time.
    pub async fn remove_loose(&self, pace: Pace) -> Removed {
        let mut removed = Removed::default();
        if let Err(stop) = self.remove_pages(pace, &mut removed).await {
            removed.stopped = Some(stop);
        }
        removed
    }

    /// How many objects are loose; counts up to `most`.
    ///
    /// # Errors
    /// Of the database.
    pub async fn count_loose(&self, most: u32) -> Result<usize, Trouble> {
        Ok(self.store.loose(most).await?.len())
    }

    async fn remove_pages(&self, pace: Pace, removed: &mut Removed) -> Result<(), Stop> {
        if !self.may_remove {
            return Err(Stop::SwitchedOff);
        }
        let mut passed_over: HashSet<Digest> = HashSet::new();
        let mut looked_at = 0;
        while looked_at < pace.most && passed_over.len() < MOST_CLAIMED {
            let most = PAGE + passed_over.len() as u32;
            let mut page = self.store.loose(most).await.map_err(Trouble::from)?;
            page.retain(|object| !passed_over.contains(&object.content));
            page.truncate(usize::try_from(pace.most - looked_at).unwrap_or(usize::MAX));
            if page.is_empty() {
                return Ok(());
            }
            let count = page.len() as u64;
            let looked = Instant::now();
            let neighbours = self.marked_neighbours().await?;
            if !neighbours.all.is_empty() {
                return Err(Stop::Shared(neighbours));
            }
            let giving_up = AtomicBool::new(false);
            let one = |object: LooseObject| {
                let giving_up = &giving_up;
                async move {
                    if giving_up.load(Ordering::Relaxed) || looked.elapsed() > FRESH {
                        return (object, Fate::Left);
                    }
                    let fate = self.remove_one(&object).await;
                    let ends = match &fate {
                        Fate::Failed(error) => error.is_temporary(),
                        Fate::Trouble(_) => true,
                        _ => false,
                    };
                    // Those that are under way are not cut off: they would be blocked for an hour.
                    giving_up.fetch_or(ends, Ordering::Relaxed);
                    (object, fate)
                }
            };
            let mut fates = stream::iter(page).map(one).buffer_unordered(pace.at_a_time);
            let (mut end, mut left) = (None, 0);
            while let Some((object, fate)) = fates.next().await {
                match fate {
                    Fate::Gone => removed.objects += 1,
                    Fate::Referred => removed.referred += 1,
                    Fate::Elsewhere => removed.elsewhere += 1,
                    Fate::Busy => {
                        removed.busy += 1;
                        passed_over.insert(object.content);
                    }
                    Fate::Failed(error) => {
                        removed.failed += 1;
                        if error.is_temporary() {
                            end = Some(error.clone().into());
                        }
                        removed.failure = Some(error);
                    }
                    Fate::Trouble(error) => end = Some(error.into()),
                    Fate::Left => left += 1,
                }
            }
            if let Some(trouble) = end {
                return Err(Stop::Trouble(trouble));
            }
            if left == count {
                return Ok(()); // A store that needs minutes to show its marks has no time for more.
            }
            looked_at += count - left;
        }
        Ok(())
    }

    async fn remove_one(&self, object: &LooseObject) -> Fate {
        let LooseObject { content, url, .. } = object;
        match self.store.begin_removal(object).await {
            Ok(Removal::Begun) => {}
            Ok(Removal::Referred) => return Fate::Referred,
            Ok(Removal::Claimed | Removal::UnderWay) => return Fate::Busy,
            Err(error) => return Fate::Trouble(error),
        }
        // Nobody here can remove it, and as a loose object it would be in the way for ever. Should its
        // store be configured again, it is found there as an orphan.
        let ours = self.remote.content(url) == Some(*content);
        if ours {
            let removing = tokio::time::timeout(LONGEST, self.remote.remove(url));
            match removing.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Fate::Failed(error),
                Err(_) => return Fate::Failed(self.endless()),
            }
        }
        match self.store.end_removal(object).await {
            Ok(()) if ours => {
                tracing::debug!(event = "object_removed", %content, "no entry refers to it");
                Fate::Gone
            }
            Ok(()) => Fate::Elsewhere,
            Err(error) => Fate::Trouble(error),
        }
    }

    fn endless(&self) -> RemoteError {
        RemoteError {
            operation: format!("remove from {}", self.remote.describe()),
            trouble: crate::remote::Trouble::Away,
            cause: format!("no end of it within {LONGEST:?}"),
            cure: None,
            retry_after: None,
        }
    }
}
