//! The token: who knows it may change things.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::model::secret::{SHORTEST_TOKEN, withstands_guessing};

/// The secret that opens the gate. Never shown.
#[derive(Clone)]
pub struct Token(String);

/// A token that is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token has {0} characters and can be guessed; use {SHORTEST_TOKEN} or more, from `openssl rand -hex 16`"
)]
pub struct TooShort(usize);

impl Token {
    /// Takes an operator's token.
    ///
    /// # Errors
    /// When it has fewer than [`SHORTEST_TOKEN`] characters.
    pub fn parse(text: &str) -> Result<Self, TooShort> {
        let text = text.trim();
        match text.chars().count() {
            length if length < SHORTEST_TOKEN => Err(TooShort(length)),
            _ => Ok(Self(text.to_owned())),
        }
    }

    /// A token that nobody can guess: 128 random bits.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        Ok(Self(random_hex()?))
    }

    /// Whether it withstands any number of guesses that can be sent over a network.
    #[must_use]
    pub fn withstands_guessing(&self) -> bool {
        withstands_guessing(&self.0)
    }

    /// Whether `given` is the token, in a time that tells nothing about it.
    #[must_use]
    pub fn matches(&self, given: &str) -> bool {
        // Of digests, which have one length: comparing the texts would tell theirs.
        let digest = |text: &str| crate::model::Digest::of(text.as_bytes()).to_string();
        digest(&self.0).as_bytes().ct_eq(digest(given).as_bytes()).into()
    }

    /// Signs a text. `purpose` keeps a signature for one thing from being used for another.
    #[must_use]
    pub fn sign(&self, purpose: &str, text: &str) -> String {
        let mut mac = self.mac();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether `signature` is ours, in a time that tells nothing about it.
    #[must_use]
    pub fn signed(&self, purpose: &str, text: &str, signature: &str) -> bool {
        self.sign(purpose, text).as_bytes().ct_eq(signature.as_bytes()).into()
    }

    /// The token itself, for the link that is printed at start.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(self.0.as_bytes()).expect("HMAC takes a key of any length")
    }
}

/// 128 random bits in hexadecimal digits.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random_hex() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_matches_itself_only() {
        let token = Token::parse(" 0123456789abcdef\n").unwrap();
        assert!(token.matches("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeF"] {
            assert!(!token.matches(other), "{other}");
        }
        assert_eq!(Token::parse("short").unwrap_err(), TooShort(5));
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert!(Token::random().unwrap().withstands_guessing() && !token.withstands_guessing());
        assert_ne!(Token::random().unwrap().expose(), Token::random().unwrap().expose());
    }

    #[test]
    fn a_signature_is_for_one_text_and_one_purpose() {
        let token = Token::parse("0123456789abcdef").unwrap();
        let signature = token.sign("session", "text");
        assert!(token.signed("session", "text", &signature));
        assert!(!token.signed("session", "texts", &signature));
        assert!(!token.signed("form", "text", &signature));
        assert!(!token.signed("sessio", "n\0text", &signature));
        let other = Token::parse("0123456789abcdeF").unwrap();
        assert!(!other.signed("session", "text", &signature));
    }
}
