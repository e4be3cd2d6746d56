//! What a list is asked for: its filters, its order and its place, out of an address and back into one.

use crate::http::Problem;
use crate::model::entry::PayloadKind;
use crate::store::{ListQuery, Sort};

use super::fields::Fields;

/// Entries on a page, unless somebody wants fewer or more.
const LIMIT: u32 = 50;

/// Most entries on a page.
const MOST: u32 = 200;

/// The years after which nobody asks any more.
const MOST_DAYS: u32 = 36_500;

/// Kinds of files that the list can be narrowed to: the value of the filter is the start of a MIME type.
pub const KINDS: [&str; 5] = ["image/", "video/", "audio/", "application/", "text/"];

/// A list as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub search: Option<String>,
    pub kind: Option<&'static str>,
    pub payload: Option<PayloadKind>,
    pub on_disk: Option<bool>,
    pub days: Option<u32>,
    pub sort: Sort,
    pub descending: bool,
    pub limit: u32,
    /// Where the page begins.
    pub cursor: Option<String>,
}

/// The name of an order in addresses.
pub fn sort_name(sort: Sort) -> &'static str {
    match sort {
        Sort::Path => "path",
        Sort::Size => "size",
        Sort::Created => "created",
        Sort::Updated => "updated",
        Sort::Accessed => "accessed",
        Sort::Id => "id",
    }
}

impl Wanted {
    /// Reads an address.
    ///
    /// # Errors
    /// When a filter has a value that it cannot have.
    pub fn read(fields: &Fields) -> Result<Self, Problem> {
        let unknown = |name: &str, text: &str| {
            Problem::bad_request(format!("{name}: there is no such choice as {text:?}"))
        };
        let kind = fields.get("type").map(|text| {
            KINDS.into_iter().find(|kind| *kind == text).ok_or_else(|| unknown("type", text))
        });
        let payload = fields.get("payload").map(|text| {
            [PayloadKind::Inline, PayloadKind::Chunks, PayloadKind::Url, PayloadKind::None]
                .into_iter()
                .find(|kind| kind.as_str() == text)
                .ok_or_else(|| unknown("payload", text))
        });
        let on_disk = fields.get("on_disk").map(|text| match text {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(unknown("on_disk", text)),
        });
        let sort = fields.get("sort").map(|text| {
            [Sort::Path, Sort::Size, Sort::Created, Sort::Updated, Sort::Accessed]
                .into_iter()
                .find(|sort| sort_name(*sort) == text)
                .ok_or_else(|| unknown("sort", text))
        });
        let sort = sort.transpose()?;
        let descending = match fields.get("order") {
            Some("ascending") => false,
            Some("descending") => true,
            Some(text) => return Err(unknown("order", text)),
            // What came last is what one looks for.
            None => sort.is_none(),
        };
        Ok(Self {
            search: fields.get("search").map(str::to_owned),
            kind: kind.transpose()?,
            payload: payload.transpose()?,
            on_disk: on_disk.transpose()?,
            days: fields.number("days")?.map(|days: u32| days.min(MOST_DAYS)),
            sort: sort.unwrap_or(Sort::Updated),
            descending,
            limit: fields.number("limit")?.unwrap_or(LIMIT).clamp(1, MOST),
            cursor: fields.get("cursor").map(str::to_owned),
        })
    }

    /// Whether anything is left out.
    pub fn filters(&self) -> bool {
        self.search.is_some()
            || self.kind.is_some()
            || self.payload.is_some()
            || self.on_disk.is_some()
            || self.days.is_some()
    }

    /// The store's part of it.
    pub fn query(&self) -> ListQuery {
        ListQuery {
            search: self.search.clone(),
            mime: self.kind.map(str::to_owned),
            payload: self.payload,
            not_accessed_days: self.days,
            sort: self.sort,
            descending: self.descending,
            ..ListQuery::default()
        }
    }

    /// The query of an address that asks for it, from its first page.
    pub fn address(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let mut add = |name, value: Option<&str>| {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        };
        add("search", self.search.as_deref());
        add("type", self.kind);
        add("payload", self.payload.map(PayloadKind::as_str));
        add("on_disk", self.on_disk.map(|yes| if yes { "yes" } else { "no" }));
        add("days", self.days.map(|days| days.to_string()).as_deref());
        add("sort", Some(sort_name(self.sort)));
        add("order", Some(if self.descending { "descending" } else { "ascending" }));
        if self.limit != LIMIT {
            add("limit", Some(&self.limit.to_string()));
        }
        format!("?{}", query.finish())
    }

    /// As [`Wanted::address`], of the page that begins at a cursor.
    pub fn address_at(&self, cursor: &str) -> String {
        let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        format!("{}&cursor={cursor}", self.address())
    }

    /// The same list in another order; asked for the order that it has, it is turned round.
    #[must_use]
    pub fn sorted_by(&self, sort: Sort) -> Self {
        let descending = if sort == self.sort { !self.descending } else { sort != Sort::Path };
        Self { sort, descending, cursor: None, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_comes_back_as_it_was() {
        for text in [
            "?sort=updated&order=descending",
            "?search=a+%26+%DA%AF&type=image%2F&payload=none&on_disk=no&days=90&sort=size&order=ascending\
             &limit=20",
        ] {
            let wanted = Wanted::read(&Fields::parse(&text.as_bytes()[1..])).unwrap();
            assert_eq!(wanted.address(), text);
        }
        let wanted = Wanted::read(&Fields::default()).unwrap();
        assert!(!wanted.filters());
        assert!(wanted.address_at("a/b").ends_with("&cursor=a%2Fb"));
        assert!(!wanted.sorted_by(Sort::Updated).descending);
        assert!(!wanted.sorted_by(Sort::Path).descending);
        assert!(wanted.sorted_by(Sort::Size).descending);
    }

    #[test]
    fn values_that_no_filter_has_are_refused() {
        for text in ["type=x", "payload=x", "on_disk=x", "sort=x", "order=x", "days=-1", "limit=x"]
        {
            assert!(Wanted::read(&Fields::parse(text.as_bytes())).is_err(), "{text}");
        }
        let wanted = Wanted::read(&Fields::parse(b"limit=100000&days=999999999")).unwrap();
        assert_eq!((wanted.limit, wanted.days), (MOST, Some(MOST_DAYS)));
    }
}
