//! A restore that could not be finished: the disk was full, or an object store did not answer. It is
//! tried again until nothing is left, without a restart.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::daemon::{Parts, RestoreOutcome};
use crate::restore::{Report, Stop};
use crate::uploads::Disk;

/// It is tried again after so long, and at most. Each try takes a look at the whole tree and writes two
/// lines.
const RETRY: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(600));

/// How often a disk that was full is asked whether there is room.
const LOOK: Duration = Duration::from_secs(1);

/// Restores until nothing is left. `last` is what the restore before has come to.
pub async fn finish(parts: Arc<Parts>, mut last: Option<RestoreOutcome>) {
    let mut wait = RETRY.0;
    loop {
        let report = match &last {
            Some(Ok(report)) if report.left.is_empty() => return,
            Some(Ok(report)) => Some(report),
            _ => None,
        };
        tokio::select! {
            () = sleep(wait) => {}
            () = room_again(&parts, report) => {}
        }
        wait = next(wait);
        last = Some(parts.clone().restore().await);
    }
}

fn next(wait: Duration) -> Duration {
    (wait * 2).min(RETRY.1)
}

/// Returns once there is room for everything that a full disk has kept out. Never, when the disk had room
/// enough: then it is a quota that is full, of which the disk's room tells nothing.
async fn room_again(parts: &Parts, report: Option<&Report>) {
    let needed =
        report.filter(|report| matches!(report.stopped, Some(Stop::DiskFull(_)))).map(needed);
    let free = || Disk::under(parts.upload_dir.root()).map_or(0, |disk| disk.free);
    match needed {
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
