//! A text that is never shown.

use std::fmt;

/// A token with fewer characters can be guessed.
pub const SHORTEST_TOKEN: usize = 16;

/// One of so many characters, and with so many different ones among them, cannot be guessed over a
/// network, however often somebody may try. People choose texts of 32 characters with some 48 bits of
/// chance in them (NIST SP 800-63 of 2006, appendix A); ten thousand guesses a second take centuries for
/// that, and the 128 bits of `openssl rand -hex 16` more than there will be.
const UNGUESSABLE: (usize, usize) = (32, 10);

/// Whether a token withstands any number of guesses that can be sent over a network.
#[must_use]
pub fn withstands_guessing(token: &str) -> bool {
    let different: std::collections::HashSet<char> = token.chars().collect();
    token.chars().count() >= UNGUESSABLE.0 && different.len() >= UNGUESSABLE.1
}

/// A secret. Its `Debug` tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the secret as it is.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_varied_tokens_withstand_guessing() {
        for token in ["0123456789abcdef0123456789abcdef", "the-vase-of-Isfahan-is-on-the-top-shelf"]
        {
            assert!(withstands_guessing(token), "{token}");
        }
        for token in
            ["", "0123456789abcdef0123456789abcde", &"ab".repeat(40), "correct-horse-battery"]
        {
            assert!(!withstands_guessing(token), "{token}");
        }
    }
}
