//! A restore that could not be finished: the disk was full, or the database or an object store did not answer. It
//! is tried again until nothing is left, without a restart: the one at the start, and one that was asked for
//! over HTTP.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::daemon::{Parts, RestoreOutcome};
use crate::restore::{Report, Stop};
use crate::uploads::Disk;

/// It is tried again after so long, and at most. Each try takes a look at the whole tree and writes two
/// lines.
const RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// The wait where the database has gone away in the middle: a restore begins with waiting until it is back.
const DATABASE_AWAY: Duration = Duration::from_secs(1);

/// How often a disk that was full is asked whether there is room.
const LOOK: Duration = Duration::from_secs(1);

/// What has to be known of a restore that has stopped before its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unfinished {
    /// As many bytes must be free on the disk, which was full.
    room: Option<u64>,
    /// The database has gone away.
    database_away: bool,
}

impl Unfinished {
    /// Of a restore that has left something undone; `None` where nothing is left.
    pub fn of(report: &Report) -> Option<Self> {
        let was_full = matches!(report.stopped, Some(Stop::DiskFull(_)));
        let database_away = matches!(report.stopped, Some(Stop::Store(_)));
        let unfinished = Self { room: was_full.then(|| needed(report)), database_away };
        (!report.left.is_empty()).then_some(unfinished)
    }

    /// Of a restore of which nothing is known, not even whether it has begun.
    fn of_outcome(outcome: Option<RestoreOutcome>) -> Option<Self> {
        match outcome {
            Some(Ok(report)) => Self::of(&report),
            _ => Some(Self::default()),
        }
    }
}

/// Restores until nothing is left. `last` is what the restore before has come to.
pub async fn finish(parts: Arc<Parts>, last: Option<RestoreOutcome>) {
    follow(parts, Unfinished::of_outcome(last)).await;
}

/// As [`finish`], for every restore that stops while the daemon runs. Runs until it is aborted.
pub async fn keep(parts: Arc<Parts>) {
    let mut unfinished = parts.unfinished.subscribe();
    loop {
        // The sender is part of `parts`.
        let found = unfinished.wait_for(Option::is_some).await;
        let last = found.ok().and_then(|found| *found);
        parts.unfinished.send_replace(None);
        follow(parts.clone(), last).await;
    }
}

async fn follow(parts: Arc<Parts>, mut last: Option<Unfinished>) {
    let mut wait = RETRY.0;
    while let Some(unfinished) = last {
        tokio::select! {
            () = sleep(if unfinished.database_away { DATABASE_AWAY } else { wait }) => {}
            () = room_again(&parts, unfinished) => {}
        }
        wait = next(wait);
        last = Unfinished::of_outcome(Some(parts.clone().restore_at_last().await));
    }
}

fn next(wait: Duration) -> Duration {
    (wait * 2).min(RETRY.1)
}

/// Returns once there is room for everything that a full disk has kept out. Never, when the disk had room
/// enough: then it is a quota that is full, of which the disk's room tells nothing.
async fn room_again(parts: &Parts, unfinished: Unfinished) {
    let free = || Disk::under(parts.upload_dir.root()).map_or(0, |disk| disk.free);
    match unfinished.room {
        Some(needed) if free() < needed => {
            while free() < needed {
                sleep(LOOK).await;
            }
        }
        _ => std::future::pending().await,
    }
}

/// Room for the files that are left, each with a block of its own for what it does not fill, and for its
/// name.
fn needed(report: &Report) -> u64 {
    const BLOCKS: u64 = 8 << 10;
    report.left.iter().map(|missing| missing.bytes + BLOCKS).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t28_an_hour_of_tries_makes_few_lines() {
        let hour = Duration::from_secs(3_600);
        let mut tries = 0;
        let (mut wait, mut at) = (RETRY.0, RETRY.0);
        while at < hour {
            tries += 1;
            wait = next(wait);
            at += wait;
        }
        assert!(tries * 2 <= 20, "{tries} tries");
    }
}
