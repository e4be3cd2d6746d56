//! Reading rows: the columns of each `SELECT` in their order, the same for all databases. Numbers and
//! yes-or-no come as 64-bit integers, moments as microseconds since 1970.
//!
//! A list of columns that more than one statement selects is a macro here, beside what reads it: the words for a
//! place and a moment (`place!`, `micros!`) are those of the database that uses it.

mod entry;
mod history;
mod ledger;
mod list;

use sqlx::{Decode, Row, Type};

use crate::model::entry::PayloadKind;

pub(super) use entry::{entry_columns, fetched, index_row, known, unreadable};
pub(super) use history::{
    history_page, history_totals, leaving, past_columns, past_state, undeleted,
};
pub(super) use ledger::{let_go, loose_object, verdict};
pub(super) use list::{growth, page, totals};

/// A type that can be read from a row of `R`.
pub(super) trait Column<'r, R: Row>: Decode<'r, R::Database> + Type<R::Database> {}
impl<'r, R: Row, T: Decode<'r, R::Database> + Type<R::Database>> Column<'r, R> for T {}

/// A place as the `SELECT`s give it: 1 inline, 2 chunks, 3 URL, 0 none.
fn place(number: i64) -> PayloadKind {
    match number {
        1 => PayloadKind::Inline,
        2 => PayloadKind::Chunks,
        3 => PayloadKind::Url,
        _ => PayloadKind::None,
    }
}

/// The number that [`place`] reads.
pub(super) fn place_number(place: PayloadKind) -> i64 {
    match place {
        PayloadKind::Inline => 1,
        PayloadKind::Chunks => 2,
        PayloadKind::Url => 3,
        PayloadKind::None => 0,
    }
}

/// A size or count. Negative ones can only have been written by somebody else: taken for 0.
pub(super) fn size(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn mode(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
