//! The MIME type of a file: from its content first, from its name second.

/// As many bytes of a file's start as tell its type.
pub const HEAD_BYTES: usize = 8_192;

/// When neither content nor name tells.
pub const UNKNOWN: &str = "application/octet-stream";

/// The MIME type of a file whose first bytes are `head` (up to [`HEAD_BYTES`]) and whose name is `name`.
///
/// SVG and other text has no magic number: the name decides there.
#[must_use]
pub fn of(head: &[u8], name: &str) -> String {
    let by_name = mime_guess::from_path(name).first_raw();
    match (infer::get(head).map(|kind| kind.mime_type()), by_name) {
        // Office documents, EPUB and the like are ZIP archives, and SVG is XML: the name is more exact.
        (Some("application/zip" | "text/xml" | "application/xml"), Some(named)) => named,
        (Some(content), _) => content,
        (None, Some(named)) => named,
        (None, None) => UNKNOWN,
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_comes_first_and_the_name_second() {
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
        assert_eq!(of(png, "cat.jpg"), "image/png");
        assert_eq!(of(b"no magic here", "notes.txt"), "text/plain");
        assert_eq!(of(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "logo.svg"), "image/svg+xml");
        assert_eq!(of(b"\0\0\0", "noname"), UNKNOWN);
        assert_eq!(of(b"", "empty"), UNKNOWN);
    }
}
