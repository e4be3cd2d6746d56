//! What the daemon does for HTTP: see [`Guard`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::daemon::Parts;
use crate::http::{Flushed, Guard, GuardState, Restored, Tally};
use crate::model::UploadPath;
use crate::uploads::UploadDir;

/// The daemon, as HTTP asks it.
pub struct Guarding(pub Arc<Parts>);

#[async_trait]
impl Guard for Guarding {
    fn upload_dir(&self) -> &UploadDir {
        &self.0.upload_dir
    }

    fn state(&self) -> GuardState {
        let (unsaved, oldest_unsaved) = self.0.scanner.unsaved();
        let progress = *self.0.progress.borrow();
        GuardState {
            unsaved,
            oldest_unsaved,
            restore_planned: progress.planned,
            restore_finished: progress.finished,
        }
    }

    async fn cache_all(&self) -> Result<Tally, String> {
        Err("not yet".into())
    }

    async fn cache_again(&self, _paths: &[UploadPath]) -> Result<Tally, String> {
        Err("not yet".into())
    }

    async fn restore(&self, _ids: Option<&[i64]>) -> Result<Restored, String> {
        Err("not yet".into())
    }

    async fn flush(&self, _limit: Duration) -> Flushed {
        Flushed::default()
    }
}
