//! Going through a whole list, of which there may be a million entries: some at a time.

use crate::model::Entry;
use crate::store::{ListQuery, Store, StoreError};

/// Entries that are in memory at a time.
const PART: u32 = 1_000;

/// A list that is gone through to its end, or to the limit of its query. What is stored or changed meanwhile may be
/// missed, or come twice.
#[derive(Debug)]
pub struct Through {
    /// What is left; `None` at the end.
    query: Option<ListQuery>,
    /// How many entries are still wanted.
    left: u32,
    ids: std::vec::IntoIter<i64>,
}

impl Through {
    /// The list of this query.
    #[must_use]
    pub fn list(query: ListQuery) -> Self {
        let left = query.limit.unwrap_or(u32::MAX);
        // Where more match than a part holds, each part is found by going on through an index, and not by looking at
        // every entry again; where fewer do, one look at every entry has found all.
        let more = u64::from(PART) + 1;
        let query = ListQuery { count_up_to: query.is_filtered().then_some(more), ..query };
        Self { query: Some(query), left, ids: Vec::new().into_iter() }
    }

    /// The entries of these ids, however many: in the order of the query within each part, and the parts in that of
    /// the ids. Those that are gone are left out.
    #[must_use]
    pub fn named(ids: Vec<i64>, query: ListQuery) -> Self {
        let ids = ids.into_iter();
        Self { query: Some(query).filter(|_| ids.len() > 0), left: u32::MAX, ids }
    }

    /// The next part, which may be empty; `None` at the end.
    ///
    /// # Errors
    /// The store's. The same part comes the next time.
    pub async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<Entry>>, StoreError> {
        let Some(query) = &mut self.query else { return Ok(None) };
        if self.ids.len() > 0 {
            let some: Vec<i64> = self.ids.as_slice().iter().copied().take(PART as usize).collect();
            let count = some.len();
            let entries = store.list(&ListQuery { ids: Some(some), ..query.clone() }).await?;
            self.ids.by_ref().take(count).for_each(drop);
            if self.ids.len() == 0 {
                self.query = None;
            }
            return Ok(Some(entries));
        }
        query.limit = Some(self.left.min(PART));
        let page = store.page(query).await?;
        self.left -= self.left.min(PART);
        query.offset = 0;
        if !query.go_on(&page) || self.left == 0 {
            self.query = None;
        }
        Ok(Some(page.entries))
    }
}
