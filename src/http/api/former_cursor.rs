//! Cursors of lists of former entries: as those of entries, but these lists have one order.

use crate::http::Problem;
use crate::http::gate::token::Token;
use crate::store::HistoryQuery;

const PURPOSE: &str = "cursor of former entries";

/// Writes a cursor.
pub fn write(token: &Token, query: &HistoryQuery, after: i64) -> String {
    let place = after.to_string();
    let signature = token.sign(PURPOSE, &signed(query, &place));
    format!("{place}.{signature}")
}

/// Reads a cursor.
///
/// # Errors
/// When it is none of ours, or of another list.
pub fn read(token: &Token, query: &HistoryQuery, cursor: &str) -> Result<i64, Problem> {
    let read = || {
        let (place, signature) = cursor.rsplit_once('.')?;
        let ours = token.signed(PURPOSE, &signed(query, place), signature);
        ours.then(|| place.parse().ok()).flatten()
    };
    read().ok_or_else(|| {
        let detail = "cursor: not one that this list has given (it is good for the same filters, as long as \
                      the token is the same); ask without it for the first page";
        Problem::bad_request(detail)
    })
}

/// What makes a list the same: all but where it begins and how much comes.
fn signed(query: &HistoryQuery, place: &str) -> String {
    let list = HistoryQuery { after: None, limit: None, ..query.clone() };
    format!("{list:?} {place}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Which;

    #[test]
    fn a_cursor_of_former_entries_is_good_for_its_list_only() {
        let token = Token::parse("0123456789abcdef").unwrap();
        let query = HistoryQuery { which: Which::Trash, ..HistoryQuery::default() };
        let cursor = write(&token, &query, 17);
        let more = HistoryQuery { limit: Some(9), after: Some(3), ..query.clone() };
        assert_eq!(read(&token, &more, &cursor).unwrap(), 17);
        assert!(read(&token, &HistoryQuery::default(), &cursor).is_err());
        let forged = cursor.replacen("17", "18", 1);
        for odd in ["", ".", "17", "17.", &forged] {
            assert_eq!(read(&token, &query, odd).unwrap_err().status, 400, "{odd}");
        }
    }
}
