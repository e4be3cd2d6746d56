//! The last look over the disk at the end of a daemon: for what nobody has told of.

use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use crate::capture::Deadline;
use crate::capture::intake::Intake;
use crate::daemon::Parts;
use crate::model::UploadPath;
use crate::uploads::{Found, scan};

/// How long a database that does not answer is left alone.
const RETRY: Duration = Duration::from_millis(200);

/// Why nothing is waited for where nothing can ever be stored.
const HOPELESS: &str = "the tables in the database are newer than this program, which can store nothing in them: \
                        use a newer imagecached";

/// Ends the watch and queues every file that is not safe; `index_is_known` when the daemon has learned what
/// the cache holds.
///
/// # Errors
/// Why there may be files that are not safe and that nobody has noticed: a daemon must not end as if
/// there were none.
pub async fn last_look(
    parts: &Arc<Parts>,
    intake: Option<Arc<Intake>>,
    index_is_known: bool,
    deadline: &Deadline,
) -> Result<(), &'static str> {
    let stopping = tokio::task::spawn_blocking(move || {
        if let Some(intake) = intake.and_then(Arc::into_inner) {
            intake.stop();
        }
    });
    // A disk that hangs must not take the time of what has been noticed already.
    let _ = deadline.bound(stopping).await;
    if !index_is_known {
        let asking = parts.clone();
        let unnoticed = tokio::task::spawn_blocking(move || asking.has_unnoticed_files());
        if let Some(Ok(false)) = deadline.bound(unnoticed).await {
            return Ok(());
        }
        if parts.is_hopeless() {
            return Err(HOPELESS);
        }
        // Without the index every file would seem new.
        let learned = deadline.bound(parts.learn_at_last()).await;
        learned.ok_or("the database has not said which files it holds")?;
    }
    let scanning = parts.clone();
    let scan = tokio::task::spawn_blocking(move || scanning.scan_and_tell(""));
    let scanned = deadline.bound(scan).await;
    scanned.map(drop).ok_or("there was no time to look over the upload directory")
}

impl Parts {
    /// Learns what the cache holds, as soon as somebody else has prepared the database.
    async fn learn_at_last(&self) {
        while self.scanner.is_held() || self.learn().await.is_err() {
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Whether nothing can be stored, however long it is waited for.
    pub(super) fn is_hopeless(&self) -> bool {
        self.scanner.is_held() && self.context.health.tables_are_newer()
    }

    /// Whether there are files that do not wait to be stored already.
    fn has_unnoticed_files(&self) -> bool {
        let waiting: HashSet<UploadPath> = self
            .with_capture(|capture| capture.unsaved_names())
            .unwrap_or_default()
            .into_iter()
            .collect();
        let patterns = &self.context.settings.patterns;
        let mut unnoticed = false;
        let walked = scan(self.upload_dir.root(), "", &mut |found| match found {
            Found::File(path, _) if patterns.takes(&path) && !waiting.contains(&path) => {
                unnoticed = true;
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        match walked {
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            walked => unnoticed || walked.is_err(),
        }
    }
}
