//! The budget: how many bytes of file contents may be in memory at a time.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit of the budget, in bytes.
const UNIT: u64 = 1_024;

/// As many contents stand between readers and writers at most, however small they are: what is read is in
/// nobody's order any more, and a new upload comes behind all of it.
const MOST_CONTENTS: u32 = 1_024;

/// Memory for contents. Who asks first is served first, so that a large part is not passed over for ever by
/// many small ones.
#[derive(Debug)]
pub struct Budget {
    units: Arc<Semaphore>,
    all: u32,
    runtime: Handle,
}

impl Budget {
    /// Of so many bytes, for threads beside the runtime of the caller.
    pub fn new(bytes: u64) -> Self {
        let all = units(bytes).max(1);
        Self { units: Arc::new(Semaphore::new(all as usize)), all, runtime: Handle::current() }
    }

    /// Waits, on a thread that may, until there is room for a content; it is free again when the permit is
    /// dropped. What is larger than the whole budget gets all of it.
    pub fn permit(&self, bytes: u64) -> OwnedSemaphorePermit {
        self.permit_now(bytes).unwrap_or_else(|| {
            self.runtime
                .block_on(self.units.clone().acquire_many_owned(self.wanted(bytes)))
                .expect("the budget's semaphore is never closed")
        })
    }

    /// As [`Budget::permit`], where nobody has to wait for it.
    pub fn permit_now(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        self.units.clone().try_acquire_many_owned(self.wanted(bytes)).ok()
    }

    fn wanted(&self, bytes: u64) -> u32 {
        let least = (self.all / MOST_CONTENTS).max(1);
        units(bytes).clamp(least, self.all)
    }
}

fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX >> 3)
}
