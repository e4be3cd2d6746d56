//! The flush: waits until every file that was closed before it is safe.
//!
//! First all that the kernel has to tell is heard, by a round trip through the watcher's thread and then
//! through the intake's; where the watcher may have missed something, a scan takes its place. Then the
//! queue has every file that is meant, and those are waited for. What a writer has open is not meant.

use std::time::Instant;

use tokio::time::timeout_at;

use crate::capture::intake::Hearing;
use crate::capture::scan::Scanner;
use crate::model::UploadPath;

/// As many unsafe files are named.
const NAMED: usize = 20;

/// What a flush has seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flushed {
    /// Files that were waited for and are safe now.
    pub safe: u64,
    /// Files that are not.
    pub unsaved: u64,
    /// Some of those.
    pub examples: Vec<UploadPath>,
    /// There may be more files than these that are not safe, and why.
    pub unsure: Option<String>,
}

/// Waits until every file that was closed before this call is safe, at the latest until `deadline`.
pub async fn flush(scanner: &Scanner, hearing: Option<&Hearing>, deadline: Instant) -> Flushed {
    let called = Instant::now();
    let heard = async {
        let Some(hearing) = hearing else { return Err("the watch is not set yet".to_owned()) };
        let heard = hearing.catch_up().await.ok_or("the watch has ended")?;
        if !heard.watching || scanner.last_scan() < scanner.last_miss().max(Some(heard.lost_at)) {
            scanner
                .scan_since(called)
                .await
                .map_err(|error| format!("the upload directory cannot be scanned: {error}"))?;
        }
        Ok(())
    };
    let unsure = match timeout_at(deadline.into(), heard).await {
        Ok(Ok(())) => None,
        Ok(Err(why)) => Some(why),
        Err(_) => Some("the time was not enough to look for new files".to_owned()),
    };
    let followed = scanner.follow_waiting();
    // Running into the deadline is told by what is left over.
    let _ = timeout_at(deadline.into(), followed.until(|_| true)).await;
    let counts = followed.so_far();
    Flushed {
        safe: counts.safe + counts.unchanged,
        unsaved: (counts.waiting.len() + counts.failed.len()) as u64,
        examples: counts.waiting.iter().chain(&counts.failed).take(NAMED).cloned().collect(),
        unsure,
    }
}
