//! What a browser does with an upload: show it, or save it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::Entry;

/// Kept as they are in `filename*` (RFC 8187).
const NAME: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Whether a browser may show it in a page: nothing that can have scripts in it.
fn may_be_shown(mime: &str) -> bool {
    let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some((kind, form)) = mime.split_once('/') else { return false };
    match kind {
        "image" | "audio" | "video" => !["svg", "xml", "html"].iter().any(|odd| form.contains(odd)),
        "text" => form == "plain",
        _ => false,
    }
}

/// The header `Content-Disposition`, with the file's own name.
pub fn disposition(entry: &Entry) -> String {
    let way = if may_be_shown(&entry.content_type_header) { "inline" } else { "attachment" };
    let name = entry.original_path.rsplit('/').next().unwrap_or_default();
    let name = if name.is_empty() { "file" } else { name };
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-._ ".contains(c) { c } else { '_' })
        .collect();
    format!("{way}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, &NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_run_scripts_is_saved_and_not_shown() {
        for shown in ["image/jpeg", "image/webp", "video/mp4", "audio/ogg", "text/plain; charset=x"]
        {
            assert!(may_be_shown(shown), "{shown}");
        }
        for saved in [
            "image/svg+xml",
            "Image/SVG+XML",
            "text/html",
            "application/xhtml+xml",
            "text/xml",
            "application/pdf",
            "text/javascript",
            "",
            "image",
        ] {
            assert!(!may_be_shown(saved), "{saved}");
        }
    }
}
