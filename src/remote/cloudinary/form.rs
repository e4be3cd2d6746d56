//! Bodies of requests: fields, and a file where there is one.

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

/// Makes a body of type `multipart/form-data` (RFC 7578) around the pieces of a file, without copying
/// them, and names it in the headers.
pub(super) fn with_file(
    fields: &[(&str, String)],
    file: Vec<Bytes>,
    boundary: &str,
    headers: &mut HeaderMap,
) -> Vec<Bytes> {
    let mut head = String::new();
    for (name, value) in fields {
        head.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    // The name is always the same: the uploaded file's own says something about its content.
    head.push_str(&format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"content\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    ));
    let kind = format!("multipart/form-data; boundary={boundary}");
    headers.insert(CONTENT_TYPE, ascii(&kind));
    let mut body = vec![Bytes::from(head)];
    body.extend(file);
    body.push(Bytes::from(format!("\r\n--{boundary}--\r\n")));
    body
}

/// Makes a body of type `application/x-www-form-urlencoded`.
pub(super) fn fields_only(fields: &[(&str, String)], headers: &mut HeaderMap) -> Vec<Bytes> {
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    headers.insert(CONTENT_TYPE, kind);
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    vec![Bytes::from(text)]
}

/// A header's value out of text that we have made ourselves.
pub(super) fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("we have made it out of visible ASCII characters")
}
