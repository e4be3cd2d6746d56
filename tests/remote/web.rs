//! Requests as a server reads them.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

/// A request, read to its end.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: HashMap<String, String>,
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

/// First byte, last byte and length: `bytes 0-4/10`.
pub fn parse_range(text: &str) -> Result<(u64, u64, u64), String> {
    let parts = text.strip_prefix("bytes ").and_then(|rest| {
        let (range, total) = rest.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?, total.parse().ok()?))
    });
    parts
        .filter(|(first, last, total)| first <= last && last < total)
        .ok_or(format!("bad Content-Range {text}"))
}

/// The fields of a form, and the file in it.
pub fn multipart(request: &Request) -> Result<(HashMap<String, String>, Vec<u8>), String> {
    let kind = request.headers.get("content-type").cloned().unwrap_or_default();
    let boundary = kind.strip_prefix("multipart/form-data; boundary=").ok_or("no form")?;
    let delimiter = format!("--{boundary}");
    let mut rest = request.body.strip_prefix(delimiter.as_bytes()).ok_or("no first boundary")?;
    let (mut fields, mut file) = (HashMap::new(), None);
    loop {
        rest = match rest.strip_prefix(b"\r\n") {
            Some(rest) => rest,
            None if rest == b"--\r\n" => {
                return Ok((fields, file.ok_or("Missing required parameter - file")?));
            }
            None => return Err("a boundary without an end of line".into()),
        };
        let head_end = find(rest, b"\r\n\r\n").ok_or("a part without head")?;
        let head = String::from_utf8_lossy(&rest[..head_end]).into_owned();
        rest = &rest[head_end + 4..];
        let end = find(rest, format!("\r\n{delimiter}").as_bytes()).ok_or("a part without end")?;
        let name = head
            .split("name=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .ok_or("no name")?;
        if name == "file" {
            file = Some(rest[..end].to_vec());
        } else {
            fields.insert(name.to_owned(), String::from_utf8_lossy(&rest[..end]).into_owned());
        }
        rest = &rest[end + 2 + delimiter.len()..];
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    // Candidates by their first byte: the file may have many megabytes.
    let mut at = 0;
    while let Some(next) = bytes[at..].iter().position(|byte| *byte == what[0]) {
        at += next;
        if bytes[at..].starts_with(what) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The next request of a connection; `None` at its end.
pub fn read(reader: &mut BufReader<TcpStream>) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let query = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    Ok(Some(Request { method, path: path.to_owned(), query, headers, body }))
}
