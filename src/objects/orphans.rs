//! Do entries and objects agree? Objects that no entry refers to, present or former, and entries whose object is
//! gone.
//!
//! A crash between an upload and its entry leaves an orphan, and so does whoever deletes rows behind our
//! back. Both sides may have a million: of the objects 33 bytes each are held, entries come page by page.

use std::time::{Duration, SystemTime};

use crate::model::entry::PayloadKind;
use crate::model::{Digest, Entry};
use crate::objects::{Objects, Trouble};
use crate::remote::{Listed, Remote};
use crate::store::{HistoryQuery, ListQuery, Sort, Store};

/// An object that no entry refers to may belong to an upload that is under way.
const YOUNG: Duration = Duration::from_secs(24 * 3600);

/// Entries that are read at a time.
const PAGE: u32 = 1_000;

/// As many objects that were not in the list are asked for once more: in a store that has lost all of
/// them, each question would take its time.
const ASKED_FOR: u64 = 200;

/// Orphans that are noted as loose with one statement.
const BATCH: usize = 500;

/// How entries and objects agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// All objects of ours in the store.
    pub objects: u64,
    /// Entries whose object is not there.
    pub gone: u64,
    /// Objects that no entry refers to, present or former, older than a day.
    pub orphans: u64,
    /// Their size in bytes.
    pub orphan_bytes: u64,
}

/// What differs: told one at a time.
#[derive(Debug, Clone, Copy)]
pub enum Differs<'d> {
    /// The object of this entry is not there.
    Gone(&'d Entry),
    /// No entry refers to this object, which is older than a day.
    Orphan(&'d Listed),
}

/// Compares the entries with the objects of the store, and tells what differs.
///
/// # Errors
/// Of the database or the object store.
pub async fn compare(
    store: &dyn Store,
    remote: &dyn Remote,
    tell: &mut (dyn FnMut(Differs<'_>) + Send),
) -> Result<Compared, Trouble> {
    let mut compared = Compared::default();
    let mut contents: Vec<Digest> = Vec::new();
    // Objects first: one that is uploaded meanwhile has no entry yet, and is not looked at.
    remote.list(&mut |listed| contents.push(listed.content)).await?;
    compared.objects = contents.len() as u64;
    contents.sort_unstable();
    contents.dedup();
    let mut referred = vec![false; contents.len()];
    let mut query = ListQuery {
        payload: Some(PayloadKind::Url),
        sort: Sort::Id,
        limit: Some(PAGE),
        ..ListQuery::default()
    };
    loop {
        let page = store.page(&query).await?;
        for entry in &page.entries {
            let url = entry.image_url.as_deref().unwrap_or_default();
            let Some(content) = remote.content(url) else { continue };
            match contents.binary_search(&content) {
                Ok(at) => referred[at] = true,
                // It was not there when the objects were listed, and may be by now: an upload, or a move.
                Err(_) if compared.gone < ASKED_FOR && remote.size(url).await?.is_some() => {}
                Err(_) => {
                    compared.gone += 1;
                    tell(Differs::Gone(entry));
                }
            }
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    // Then what has ceased: an entry that goes there meanwhile is seen on one side at least. One that is taken
    // out of the trash may not be, and whoever removes its object asks the database once more.
    let mut former = HistoryQuery {
        payload: Some(PayloadKind::Url),
        limit: Some(PAGE),
        ..HistoryQuery::default()
    };
    loop {
        let page = store.history(&former).await?;
        for version in &page.versions {
            let url = version.entry.image_url.as_deref().unwrap_or_default();
            let content = remote.content(url);
            if let Some(at) = content.and_then(|content| contents.binary_search(&content).ok()) {
                referred[at] = true;
            }
        }
        former.after = page.next;
        if former.after.is_none() {
            break;
        }
    }
    if referred.iter().all(|referred| *referred) {
        return Ok(compared);
    }
    // URLs and sizes are asked for again rather than held: there are few orphans as a rule.
    let now = SystemTime::now();
    let mut orphan = |listed: Listed| {
        let unreferred = contents.binary_search(&listed.content).is_ok_and(|at| !referred[at]);
        if unreferred && now.duration_since(listed.modified).is_ok_and(|age| age > YOUNG) {
            compared.orphans += 1;
            compared.orphan_bytes += listed.size;
            tell(Differs::Orphan(&listed));
        }
    };
    remote.list(&mut orphan).await?;
    Ok(compared)
}

/// An object as it may be shown. Some stores sign their URLs: whoever has such a one can read the file.
#[must_use]
pub fn shown(object: &Listed) -> String {
    match object.url.starts_with("http") {
        true => object.content.to_string(),
        false => object.url.clone(),
    }
}

impl Objects {
    /// As [`compare`], for this database and its store.
    ///
    /// # Errors
    /// Of the database or the object store.
    pub async fn compare(
        &self,
        tell: &mut (dyn FnMut(Differs<'_>) + Send),
    ) -> Result<Compared, Trouble> {
        compare(self.store.as_ref(), self.remote.as_ref(), tell).await
    }

    /// Notes orphans as loose. A removal looks for entries once more before it takes any of them.
    ///
    /// # Errors
    /// Of the database.
    pub async fn loosen(&self, orphans: &[(Digest, String)]) -> Result<(), Trouble> {
        for batch in orphans.chunks(BATCH) {
            self.store.loosen(batch).await?;
        }
        Ok(())
    }
}
