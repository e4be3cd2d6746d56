//! What a form or an address carries: names and values, some of them more than once.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::http::Problem;

/// The fields of a form, or of an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `name=value&…`; what is not UTF-8 is replaced.
    pub fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// The first value of this name, unless it is empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, value)| found == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// A number.
    ///
    /// # Errors
    /// When the value is none.
    pub fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, Problem> {
        let read = |text: &str| {
            let text = latin_digits(text.trim());
            text.parse()
                .map_err(|_| Problem::bad_request(format!("{name}: {text:?} is no number for it")))
        };
        self.get(name).map(read).transpose()
    }

    /// All numbers of this name.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn numbers<N: FromStr>(&self, name: &str) -> Result<Vec<N>, Problem> {
        let of_name = self.0.iter().filter(|(found, _)| found == name);
        of_name
            .map(|(_, text)| {
                let refused =
                    || Problem::bad_request(format!("{name}: {text:?} is no number for it"));
                text.parse().map_err(|_| refused())
            })
            .collect()
    }
}

/// Who writes Persian may write its digits, on any of the keyboards there are.
fn latin_digits(text: &str) -> String {
    let latin = |c: char| match u32::from(c) {
        digit @ 0x06f0..=0x06f9 => char::from(b'0' + (digit - 0x06f0) as u8),
        digit @ 0x0660..=0x0669 => char::from(b'0' + (digit - 0x0660) as u8),
        _ => c,
    };
    text.chars().map(latin).collect()
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        let fields = Fields::parse("id=1&id=2&q=%DA%AF+x&empty=&days=۹۰&odd=9x".as_bytes());
        assert_eq!(fields.numbers::<i64>("id").unwrap(), [1, 2]);
        assert_eq!(fields.get("q"), Some("گ x"));
        assert_eq!((fields.get("empty"), fields.get("none")), (None, None));
        assert_eq!(fields.number("days").unwrap(), Some(90));
        assert_eq!(fields.number::<u32>("none").unwrap(), None);
        assert!(fields.number::<u32>("odd").is_err());
        assert!(Fields::parse(b"id=x").numbers::<i64>("id").is_err());
        assert_eq!(Fields::parse(b"a=%ff").get("a"), Some("\u{fffd}"));
    }
}
