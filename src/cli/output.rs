//! What commands print: lines for people, JSON for programs.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::exit::Failure;
use crate::model::Entry;

/// Prints one line. A reader that has gone away (`| head`) is no failure.
pub fn line(text: &str) -> Result<(), Failure> {
    write(format!("{text}\n").as_bytes())
}

/// Prints a JSON value, indented.
pub fn json(value: &Value) -> Result<(), Failure> {
    line(&format!("{value:#}"))
}

/// Writes bytes to standard output.
pub fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other
            .map_err(|error| Failure::other(format!("cannot write to standard output: {error}"))),
    }
}

/// An entry as JSON, under the names of its columns.
pub fn entry(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "content_type": entry.content_type,
        "object_id": entry.object_id,
        "original_path": entry.original_path,
        "payload": entry.payload.as_str(),
        "has_data": entry.has_data(),
        "image_url": entry.image_url,
        "file_size": entry.file_size,
        "content_type_header": entry.content_type_header,
        "created_at": entry.created_at.to_string(),
        "updated_at": entry.updated_at.to_string(),
        "last_accessed": entry.last_accessed.to_string(),
        "sha256": entry.sha256,
        "mtime_ns": entry.mtime_ns,
        "mode": format!("{:04o}", entry.mode),
    })
}
