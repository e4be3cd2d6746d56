//! Payloads out of a database that somebody else writes to: what passes is what was stored.
//!
//! The first line is the size and the sha256 that the entry claims; the rest is `image_data`.

use imagecached::model::{Digest, base64};
use imagecached::payload::damage;
use imagecached::store::{Fetched, FetchedPayload};

pub fn check(data: &[u8]) {
    there_and_back(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (claims, text) = text.split_once('\n').unwrap_or((text, ""));
    let (size, sha256) = claims.split_once(' ').unwrap_or((claims, ""));
    let file_size = size.parse().unwrap_or(0);
    verify(file_size, sha256, FetchedPayload::Inline(text));
    verify(file_size, sha256, FetchedPayload::OneChunk(text.as_bytes()));
    verify(file_size, sha256, FetchedPayload::None);

    let mut bytes = b"of an entry before".to_vec();
    if base64::decode_into(text, &mut bytes).is_ok() {
        let content = bytes.clone();
        // An honest entry of these bytes passes, even where the text is not as we would write it.
        let sha256 = Digest::of(&content).to_string();
        assert!(verify(content.len() as u64, &sha256, FetchedPayload::Inline(text)));
        // White space says nothing.
        let broken: String = text.chars().flat_map(|c| [c, '\n']).collect();
        base64::decode_into(&broken, &mut bytes).expect("line breaks are read over");
        assert_eq!(bytes, content);
    }
}

fn there_and_back(data: &[u8]) {
    let text = base64::encode(data);
    assert_eq!(text.len() as u64, base64::encoded_len(data.len() as u64));
    let mut bytes = b"of an entry before".to_vec();
    base64::decode_into(&text, &mut bytes).expect("what was encoded is base64");
    assert_eq!(bytes, data);
}

/// Whether the entry passes; then its bytes are those that it claims.
fn verify(file_size: u64, sha256: &str, payload: FetchedPayload<'_>) -> bool {
    let row =
        Fetched { id: 1, original_path: "a", file_size, sha256, mtime_ns: 0, mode: 0o644, payload };
    let mut buffer = b"of an entry before".to_vec();
    match damage::verified(&row, &mut buffer) {
        Ok(bytes) => {
            assert_eq!(bytes.len() as u64, file_size);
            assert!(sha256.eq_ignore_ascii_case(&Digest::of(bytes).to_string()));
            true
        }
        Err(reason) => {
            assert!(!reason.to_string().is_empty());
            false
        }
    }
}
