//! Objects: what this database has in an object store, from the claim before an upload to the removal
//! of what nobody refers to any more.
//!
//! ```text
//! capture --> claim --> upload --> put --> release
//!                                   |
//! remove, put, relocate --> loose objects --> removal --> gone
//! the store's list ------> orphans --^
//! ```
//!
//! An object goes only when no entry refers to it and nobody is about to, which the ledger in the database
//! decides (`store/ledger.rs`), and only from a store that no other database has marked: names of objects
//! name contents, so that two databases that share a store share its objects (`mark`).

mod claims;
mod mark;
mod orphans;
mod removal;

use std::fmt;
use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

pub use claims::NoClaim;
pub use mark::{Forgotten, Neighbour, Neighbours};
pub use orphans::{Compared, Differs, compare, shown};
pub use removal::{Pace, Removed, Stop};

use crate::objects::mark::Standing;
use crate::remote::{Remote, RemoteError};
use crate::store::{Store, StoreError};

/// An object store, as one database uses it.
pub struct Objects {
    remote: Arc<dyn Remote>,
    store: Arc<dyn Store>,
    /// Where the database is: `host:port/database`, or the path of its file. No secret is in it.
    database: String,
    /// Whether objects may be removed at all.
    may_remove: bool,
    mark_name: OnceCell<String>,
    standing: Mutex<Standing>,
}

/// Either side may say no.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Objects {
    /// Nothing is asked of anybody yet. `database` tells copies of one database apart.
    #[must_use]
    pub fn new(
        remote: Arc<dyn Remote>,
        store: Arc<dyn Store>,
        database: String,
        may_remove: bool,
    ) -> Self {
        let (mark_name, standing) = (OnceCell::new(), Mutex::default());
        Self { remote, store, database, may_remove, mark_name, standing }
    }

    /// The object store.
    #[must_use]
    pub fn remote(&self) -> &Arc<dyn Remote> {
        &self.remote
    }

    /// Whether the settings allow that objects are removed.
    #[must_use]
    pub fn may_remove(&self) -> bool {
        self.may_remove
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({:?}, of {})", self.remote, self.database)
    }
}
