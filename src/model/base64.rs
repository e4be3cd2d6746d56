//! Base64 as it stands in `image_data`: the standard alphabet, padded, one line (RFC 4648, section 4).
//!
//! `base64-simd` does the work at several times the speed of the scalar code; `base64` reads what a
//! person or another program may have put into the column: line breaks, no padding.

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The column does not hold base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("image_data is not base64: {0}")]
pub struct Base64Error(String);

/// How many characters `bytes` raw bytes take.
#[must_use]
pub const fn encoded_len(bytes: u64) -> u64 {
    bytes.div_ceil(3) * 4
}

/// Bytes to base64.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(bytes)
}

/// Base64 to bytes, put into `out` in place of what was there.
///
/// # Errors
/// When the text has characters outside the alphabet (white space aside) or ends in the middle.
pub fn decode_into(text: &str, out: &mut Vec<u8>) -> Result<(), Base64Error> {
    out.clear();
    if base64_simd::STANDARD.decode_append(text.as_bytes(), out).is_ok() {
        return Ok(());
    }
    out.clear();
    let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    LENIENT.decode_vec(&dense, out).map_err(|error| Base64Error(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
        let mut out = Vec::new();
        decode_into(text, &mut out).map(|()| out)
    }

    #[test]
    fn the_published_vectors_hold() {
        // RFC 4648, section 10.
        for (raw, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encode(raw.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), raw.as_bytes());
        }
    }

    #[test]
    fn line_breaks_and_missing_padding_are_read() {
        assert_eq!(decode("Zm9v\r\nYmFy\n").unwrap(), b"foobar");
        assert_eq!(decode("Zg").unwrap(), b"f");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["Z", "Zm9v!", "Zm9v=YmFy", "گربه"] {
            assert!(decode(text).is_err(), "{text:?} was read");
        }
    }

    proptest! {
        #[test]
        fn there_and_back(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            let text = encode(&bytes);
            prop_assert_eq!(text.len() as u64, encoded_len(bytes.len() as u64));
            prop_assert_eq!(decode(&text).unwrap(), bytes);
        }
    }
}
