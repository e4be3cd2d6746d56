//! What goes from the disk while it is watched, for whoever wants to know.

/// What went from the disk while the watch stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// A file was deleted, or a directory, whose files have told the same before.
    Deleted(String),
    /// A file, or a directory with everything in it, was moved away.
    MovedAway(String),
    /// Something may have gone unheard; why.
    Unheard(String),
}

/// Whom the intake tells what went. Called on its thread, which must not wait.
pub type Listener = Box<dyn Fn(Gone) + Send>;
