//! Flushing restored files to the disk, while the app already works with them.

use crate::uploads::Unflushed;

/// Flushes them on a thread of its own, which nobody waits for: where it does not come to its end, the note stays,
/// and the next start looks after it.
pub fn behind(unflushed: [Option<Unflushed>; 2]) {
    // The last one covers those before, whose locks would keep it from removing the note.
    let Some(last) = unflushed.into_iter().flatten().last() else { return };
    let flushing = move || {
        if let Err(error) = last.flush() {
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
