//! What proves to Cloudinary that a request is ours.
//!
//! <https://cloudinary.com/documentation/authentication_signatures>; the official SDKs' second version of
//! the rule, which also keeps a value from passing for a further parameter.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

/// The parameters of a signed request. All but the file, the cloud, the kind of resource and the API key
/// are signed, and exactly these are held here.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// With one more; one without value is left out, as it is when it is signed.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.0.push((name, value));
        }
        self
    }

    /// The signature: 40 hexadecimal digits.
    #[must_use]
    pub fn signature(&self, secret: &str) -> String {
        let mut pairs: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}").replace('&', "%26"))
            .collect();
        pairs.sort();
        let mut digits = String::with_capacity(40);
        for byte in Sha1::digest(pairs.join("&") + secret) {
            write!(digits, "{byte:02x}").expect("writing to a string cannot fail");
        }
        digits
    }

    /// All fields of the request: these, the key and the signature.
    pub(super) fn signed(mut self, key: &str, secret: &str) -> Vec<(&'static str, String)> {
        let signature = self.signature(secret);
        self.0.extend([("api_key", key.to_owned()), ("signature", signature)]);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_hold() {
        let parameters =
            Parameters::default().with("timestamp", "1315060510").with("public_id", "sample_image");
        assert_eq!(parameters.signature("abcd"), "b4ad47fb4e25c7bf5f92a20089f9db59bc302313");
        // Cloudinary's documentation of signatures.
        let parameters = Parameters::default()
            .with("eager", "w_400,h_300,c_pad|w_260,h_200,c_crop")
            .with("public_id", "sample_image")
            .with("type", "")
            .with("timestamp", "1315060510");
        assert_eq!(parameters.signature("abcd"), "bfd09f95f331f558cbd1320e67aa8d488770583e");
    }
}
