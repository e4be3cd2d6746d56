//! Flushing restored files to the disk, while the app already works with them.

use crate::uploads::Unflushed;

/// Flushes them on a thread of its own, which nobody waits for: where it does not come to its end, the note stays,
/// and the next start looks after it.
pub fn behind(unflushed: Option<Unflushed>) {
    let Some(unflushed) = unflushed else { return };
    let flushing = move || {
        if let Err(error) = unflushed.flush() {
            tracing::warn!(
                event = "flush_failed",
                reason = %error,
                "restored files may not be on the disk; look after the disk"
            );
        }
    };
    if let Err(error) = std::thread::Builder::new().name("flush".into()).spawn(flushing) {
        tracing::debug!(event = "flush_failed", reason = %error, "tried again at the next start");
    }
}
