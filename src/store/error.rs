//! What can go wrong with the database, in the terms of what to do about it.

/// The kinds of trouble that callers treat differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The server cannot be reached, went away, or has no free connection: wait and try again.
    Away,
    /// Somebody else holds a lock, or two writers met: try again at once or soon.
    Busy,
    /// The server has no room left (disk, plan limit, read-only): wait long, tell plainly.
    Full,
    /// Name, password or rights are refused: an operator must act; try again now and then.
    Denied,
    /// Our tables are missing, or newer than this program.
    Schema,
    /// The database refuses this very value (too large a packet, bad encoding): other rows may pass.
    Value,
    /// Anything else.
    Other,
}

/// A failed call of the store: says what was being done, why it failed and what to do. Never holds a
/// password.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {cause}{}", cure.as_deref().map(|cure| format!("; {cure}")).unwrap_or_default())]
pub struct StoreError {
    /// What was being done, such as `store 12 entries in PostgreSQL`.
    pub operation: String,
    /// The kind.
    pub trouble: Trouble,
    /// What the database or the driver said.
    pub cause: String,
    /// What to do, when it is known.
    pub cure: Option<String>,
}

impl StoreError {
    /// Whether the same call can succeed later without anybody changing the data.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !matches!(self.trouble, Trouble::Value)
    }
}
