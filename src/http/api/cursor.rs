//! Cursors: where the next page of a list begins, as a text that means nothing to others.
//!
//! Signed together with the query, so that what comes back is what was given, for the same list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::http::Problem;
use crate::http::gate::token::Token;
use crate::store::{After, ListQuery};

const PURPOSE: &str = "cursor";

/// Writes a cursor.
pub fn write(token: &Token, query: &ListQuery, after: &After) -> String {
    let place = format!("{}.{}", after.id, URL_SAFE_NO_PAD.encode(&after.key));
    let signature = token.sign(PURPOSE, &signed(query, &place));
    format!("{place}.{signature}")
}

/// Reads a cursor.
///
/// # Errors
/// When it is none of ours, or of another list.
pub fn read(token: &Token, query: &ListQuery, cursor: &str) -> Result<After, Problem> {
    let read = || {
        let (place, signature) = cursor.rsplit_once('.')?;
        if !token.signed(PURPOSE, &signed(query, place), signature) {
            return None;
        }
        let (id, key) = place.split_once('.')?;
        let key = String::from_utf8(URL_SAFE_NO_PAD.decode(key).ok()?).ok()?;
        Some(After { key, id: id.parse().ok()? })
    };
    read().ok_or_else(|| {
        let detail = "cursor: not one that this list has given (it is good for the same filters and order, \
                      as long as the token is the same); ask without it for the first page";
        Problem::bad_request(detail)
    })
}

/// What makes a list the same: all but where it begins and how much comes.
fn signed(query: &ListQuery, place: &str) -> String {
    let list = ListQuery { after: None, limit: None, ..query.clone() };
    format!("{list:?} {place}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Sort;

    #[test]
    fn a_cursor_is_good_for_its_list_only() {
        let token = Token::parse("0123456789abcdef").unwrap();
        let query = ListQuery { sort: Sort::Size, limit: Some(5), ..ListQuery::default() };
        let after = After { key: "é.5".into(), id: -7 };
        let cursor = write(&token, &query, &after);
        let more = ListQuery { limit: Some(9), ..query.clone() };
        assert_eq!(read(&token, &more, &cursor).unwrap(), after);
        let other = ListQuery { descending: true, ..query.clone() };
        assert!(read(&token, &other, &cursor).is_err());
        let forged = cursor.replacen("-7", "-8", 1);
        for odd in ["", ".", "..", "1.2.3", &forged, &cursor[1..]] {
            assert_eq!(read(&token, &query, odd).unwrap_err().status, 400, "{odd}");
        }
    }
}
