//! Storing everything under the upload directory that is not stored yet, beside whatever else a capture
//! does. The figures are those of this run.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::capture::follow::Followed;
use crate::capture::scan::{Scanned, Scanner};
use crate::model::UploadPath;

/// A file that is being written, or a database that is away, is waited for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// As many files that failed are named.
const NAMED: usize = 20;

/// How many files became what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub cached: u64,
    /// Their content was stored before.
    pub unchanged: u64,
    /// Left out: by a pattern, by the settings, or since they are no files.
    pub skipped: u64,
    pub failed: u64,
    /// Some of the files that failed.
    pub examples: Vec<UploadPath>,
}

/// Stores everything that is new or changed.
///
/// # Errors
/// When the upload directory cannot be read.
pub async fn cache_all(scanner: &Scanner) -> io::Result<Tally> {
    let followed = scanner.follow();
    let (walker, adds) = (scanner.clone(), followed.clone());
    let scanned = tokio::task::spawn_blocking(move || walker.scan_followed(&adds))
        .await
        .expect("a scan does not panic")?;
    // No access is renewed where nothing is a day old: a second run writes no row.
    let _ = scanner.renew_access(&scanned.old_access).await;
    patiently(scanner, &followed).await;
    Ok(tally(&followed, &scanned))
}

/// Stores these files, whether or not they are stored: what is stored may be damaged.
pub async fn cache_again(scanner: &Scanner, paths: &[UploadPath]) -> Tally {
    let followed = scanner.follow();
    let (walker, adds, again) = (scanner.clone(), followed.clone(), paths.to_vec());
    let noting = tokio::task::spawn_blocking(move || {
        for path in again {
            walker.note_anew(path, &adds);
        }
    });
    noting.await.expect("noting a file does not panic");
    patiently(scanner, &followed).await;
    scanner.forget_anew(paths);
    let mut tally = tally(&followed, &Scanned::default());
    tally.skipped += followed.so_far().gone;
    tally
}

/// Waits until the last word is spoken of every followed file. As long as they become safe, there is no
/// hurry; what is in somebody's hands ends by the limits of those hands.
async fn patiently(scanner: &Scanner, followed: &Arc<Followed>) {
    let mut last = (followed.pending(), Instant::now());
    loop {
        tokio::select! {
            () = followed.until(|counts| counts.held_open.is_empty()) => return,
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
        let now = followed.pending();
        if now != last.0 || scanner.in_hands(followed) || scanner.backlog_rests() {
            last = (now, Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            return;
        }
    }
}

fn tally(followed: &Followed, scanned: &Scanned) -> Tally {
    let counts = followed.so_far();
    let unsaved = counts.failed.iter().chain(&counts.waiting).chain(&counts.held_open);
    Tally {
        cached: counts.safe,
        unchanged: scanned.unchanged + counts.unchanged,
        skipped: scanned.skipped + scanned.excluded + counts.left_out,
        failed: scanned.unreadable + counts.unsaved() as u64,
        examples: unsaved.take(NAMED).cloned().collect(),
    }
}
