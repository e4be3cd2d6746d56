//! Rows of the object ledger, and what rows that go let go of.

use sqlx::{ColumnIndex, Result, Row};

use crate::model::Timestamp;
use crate::model::entry::ChunkSet;
use crate::store::ledger::{LooseObject, Verdict};
use crate::store::put::{self, LetGo};
use crate::store::rows::{Column, size};

/// What removed rows let go of. `chunk_set, sha256, image_url, file_size`
///
/// A value that cannot be read names nothing; a row that holds one must be removable all the same.
pub(in crate::store) fn let_go<R: Row>(rows: &[R]) -> LetGo
where
    usize: ColumnIndex<R>,
    for<'r> Option<i64>: Column<'r, R>,
    for<'r> &'r str: Column<'r, R>,
    for<'r> i64: Column<'r, R>,
{
    let mut let_go = LetGo::default();
    for row in rows {
        let set = row.try_get::<Option<i64>, _>(0).ok().flatten().map(ChunkSet);
        let_go.sets.extend(set);
        let is_large = row.try_get(3).is_ok_and(|bytes| put::is_large(size(bytes)));
        let_go.large.extend(set.filter(|_| is_large));
        let content = row.try_get::<&str, _>(1).ok().and_then(|text| text.parse().ok());
        let url = row.try_get(2).unwrap_or_default();
        let_go.objects.extend(put::object_of(content, url, ""));
    }
    let_go
}

/// `content, url, since`; nothing for a row whose content is no digest: somebody else has written it.
pub(in crate::store) fn loose_object<'r, R: Row>(row: &'r R) -> Result<Option<LooseObject>>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
    &'r str: Column<'r, R>,
    String: Column<'r, R>,
{
    let Ok(content) = row.try_get::<&str, _>(0)?.parse() else {
        return Ok(None);
    };
    Ok(Some(LooseObject { content, url: row.try_get(1)?, since: Timestamp(row.try_get(2)?) }))
}

/// What is there against the removal of an object. `an entry, a claim, let go of again`
pub(in crate::store) fn verdict<'r, R: Row>(row: &'r R) -> Result<Verdict>
where
    usize: ColumnIndex<R>,
    i64: Column<'r, R>,
{
    let is = |column: usize| row.try_get::<i64, _>(column).map(|number| number != 0);
    Ok(Verdict { referred: is(0)?, claimed: is(1)?, again: is(2)? })
}
