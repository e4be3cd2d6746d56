//! Cursors: where the next page of a list begins, or the one before ends, as a text that means nothing to
//! others.
//!
//! Signed together with the query, so that what comes back is what was given, for the same list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::http::Problem;
use crate::http::gate::token::Token;
use crate::store::{ListQuery, Page, Spot};

const PURPOSE: &str = "cursor";

/// Which way a list goes on from a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    After,
    Before,
}

/// The cursors of the pages beside this one: the one before, and the next.
pub fn beside(token: &Token, query: &ListQuery, page: &Page) -> (Option<String>, Option<String>) {
    let cursor = |way, spot: &Option<Spot>| Some(write(token, query, way, spot.as_ref()?));
    (cursor(Way::Before, &page.previous), cursor(Way::After, &page.next))
}

fn write(token: &Token, query: &ListQuery, way: Way, spot: &Spot) -> String {
    let way = match way {
        Way::After => "",
        Way::Before => "b",
    };
    let place = format!("{way}{}.{}", spot.id, URL_SAFE_NO_PAD.encode(&spot.key));
    let signature = token.sign(PURPOSE, &signed(query, &place));
    format!("{place}.{signature}")
}

/// The query, of the page that a cursor stands for.
///
/// # Errors
/// When it is none of ours, or of another list.
pub fn at(token: &Token, query: ListQuery, cursor: &str) -> Result<ListQuery, Problem> {
    match read(token, &query, cursor) {
        Some((Way::After, spot)) => Ok(ListQuery { after: Some(spot), ..query }),
        Some((Way::Before, spot)) => Ok(ListQuery { before: Some(spot), ..query }),
        None => {
            let detail = "cursor: not one that this list has given (it is good for the same filters and \
                          order, as long as the token is the same); ask without it for the first page";
            Err(Problem::bad_request(detail))
        }
    }
}

fn read(token: &Token, query: &ListQuery, cursor: &str) -> Option<(Way, Spot)> {
    let (place, signature) = cursor.rsplit_once('.')?;
    if !token.signed(PURPOSE, &signed(query, place), signature) {
        return None;
    }
    let (id, key) = place.split_once('.')?;
    let (way, id) = match id.strip_prefix('b') {
        Some(id) => (Way::Before, id),
        None => (Way::After, id),
    };
    let key = String::from_utf8(URL_SAFE_NO_PAD.decode(key).ok()?).ok()?;
    Some((way, Spot { key, id: id.parse().ok()? }))
}

/// What makes a list the same: all but where a page begins, how much comes and what is told beside it.
fn signed(query: &ListQuery, place: &str) -> String {
    let (after, before, limit, count_up_to) = (None, None, None, None);
    let list = ListQuery { after, before, limit, count_up_to, ..query.clone() };
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
        let spot = |id| Some(Spot { key: "é.5".into(), id });
        let page = Page { next: spot(-7), previous: spot(8), ..Page::default() };
        let (previous, next) = beside(&token, &query, &page);
        let (previous, next) = (previous.unwrap(), next.unwrap());
        let more = ListQuery { limit: Some(9), count_up_to: Some(10), ..query.clone() };
        let found = at(&token, more.clone(), &next).unwrap();
        assert_eq!((found.after, found.before, found.limit), (page.next, None, Some(9)));
        let found = at(&token, more, &previous).unwrap();
        assert_eq!((found.after, found.before), (None, page.previous));
        let other = ListQuery { descending: true, ..query.clone() };
        assert!(at(&token, other, &next).is_err());
        let forged = [next.replacen("-7", "-8", 1), format!("b{next}"), previous[1..].to_owned()];
        let odd = ["", ".", "..", "b", "1.2.3", "b1.2.3", &next[1..]].map(str::to_owned);
        for cursor in odd.into_iter().chain(forged) {
            assert_eq!(at(&token, query.clone(), &cursor).unwrap_err().status, 400, "{cursor}");
        }
        assert_eq!(beside(&token, &query, &Page::default()), (None, None));
    }
}
