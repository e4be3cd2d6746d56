//! A browser's session: a signed cookie that the server need not remember.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::http::gate::token::{Token, random_hex};

/// Name of the cookie.
pub const COOKIE: &str = "imagecached_session";

/// How long a session lasts.
pub const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// A session that is valid now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// `seconds.random`: when it ends, since 1970, and what makes it one of its own.
    text: String,
}

impl Session {
    /// A new session.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn begin(now: SystemTime) -> Result<Self, getrandom::Error> {
        let ends = seconds(now) + LIFETIME.as_secs();
        Ok(Self { text: format!("{ends}.{}", random_hex()?) })
    }

    /// What goes into the cookie.
    #[must_use]
    pub fn cookie_value(&self, token: &Token) -> String {
        format!("{}.{}", self.text, token.sign("session", &self.text))
    }

    /// Reads a cookie; `None` when it is not ours, was changed, or has ended.
    #[must_use]
    pub fn read(cookie: &str, token: &Token, now: SystemTime) -> Option<Self> {
        let (text, signature) = cookie.rsplit_once('.')?;
        if !token.signed("session", text, signature) {
            return None;
        }
        let ends: u64 = text.split_once('.')?.0.parse().ok()?;
        (seconds(now) < ends).then(|| Self { text: text.to_owned() })
    }

    /// What each form of this session carries, so that no other site can send it.
    #[must_use]
    pub fn form_token(&self, token: &Token) -> String {
        token.sign("form", &self.text)
    }

    /// Whether a form was made for this session.
    #[must_use]
    pub fn made_form(&self, token: &Token, form_token: &str) -> bool {
        token.signed("form", &self.text, form_token)
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_believed_until_its_end_and_only_unchanged() {
        let token = Token::parse("0123456789abcdef").unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let session = Session::begin(now).unwrap();
        let cookie = session.cookie_value(&token);
        assert_eq!(Session::read(&cookie, &token, now), Some(session.clone()));
        let late = now + LIFETIME;
        assert_eq!(Session::read(&cookie, &token, late), None);
        let longer = cookie.replacen('1', "9", 1);
        assert_eq!(Session::read(&longer, &token, now), None);
        let other = Token::parse("another token, long").unwrap();
        assert_eq!(Session::read(&cookie, &other, now), None);
        for odd in ["", ".", "..", "a.b", &cookie[1..], &format!("{cookie}0")] {
            assert_eq!(Session::read(odd, &token, now), None, "{odd}");
        }
        let form = session.form_token(&token);
        assert!(session.made_form(&token, &form));
        assert!(!Session::begin(now).unwrap().made_form(&token, &form));
        assert!(!session.made_form(&token, ""));
    }
}
