//! What commands print: lines for people, JSON for programs.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::{Value, json};

use crate::cli::exit::Failure;
use crate::model::Entry;

/// Whoever reads standard output has gone away.
static GONE: AtomicBool = AtomicBool::new(false);

/// Whether somebody reads what is printed: who only shows something may end when nobody does.
pub fn is_read() -> bool {
    !GONE.load(Relaxed)
}

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
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            GONE.store(true, Relaxed);
            Ok(())
        }
        other => other
            .map_err(|error| Failure::other(format!("cannot write to standard output: {error}"))),
    }
}

/// A JSON array, printed value by value: a million of them need not be in memory together. Where printing breaks off,
/// what was printed is no JSON.
pub struct JsonArray {
    /// What the array is called in the object that it is a part of.
    name: Option<&'static str>,
    any: bool,
}

impl JsonArray {
    /// An array that is all of the JSON.
    pub fn alone() -> Self {
        Self { name: None, any: false }
    }

    /// The first part of an object.
    pub fn named(name: &'static str) -> Self {
        Self { name: Some(name), any: false }
    }

    /// Prints the next value.
    pub fn add(&mut self, value: &Value) -> Result<(), Failure> {
        write(self.next(value).as_bytes())
    }

    /// Ends an array that is alone.
    pub fn end(self) -> Result<(), Failure> {
        line(&self.ending())
    }

    /// Ends an object, whose other parts come last.
    pub fn end_with(self, rest: &Value) -> Result<(), Failure> {
        line(&self.ending_with(rest))
    }

    fn next(&mut self, value: &Value) -> String {
        let indent = if self.name.is_some() { "\n    " } else { "\n  " };
        let value = format!("{value:#}").replace('\n', indent);
        let before = if self.any { ",".to_owned() } else { self.beginning() };
        self.any = true;
        format!("{before}{indent}{value}")
    }

    fn ending_with(&self, rest: &Value) -> String {
        let rest = format!("{rest:#}");
        let rest = rest.strip_prefix('{').expect("an object begins with a brace");
        format!("{},{rest}", self.ending())
    }

    fn beginning(&self) -> String {
        self.name.map_or_else(|| "[".to_owned(), |name| format!("{{\n  {name:?}: ["))
    }

    fn ending(&self) -> String {
        match (self.any, self.name) {
            (true, Some(_)) => "\n  ]".to_owned(),
            (true, None) => "\n]".to_owned(),
            (false, _) => self.beginning() + "]",
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is printed of these values, and of `rest` behind them.
    fn printed(mut array: JsonArray, values: &[Value], rest: Option<&Value>) -> String {
        let parts: Vec<String> = values.iter().map(|value| array.next(value)).collect();
        parts.concat() + &rest.map_or_else(|| array.ending(), |rest| array.ending_with(rest))
    }

    #[test]
    fn a_printed_array_is_the_json_that_it_would_be_as_a_whole() {
        let values = [json!({ "path": "a\nb", "n": [1, {}] }), json!([]), json!("x")];
        for count in 0..=3 {
            let values = &values[..count];
            let alone = printed(JsonArray::alone(), values, None);
            assert_eq!(alone, format!("{:#}", Value::from(values)));
            let (a, z) = (JsonArray::named("a"), json!({ "z": { "y": 1 }, "zz": null }));
            let whole = json!({ "a": values, "z": { "y": 1 }, "zz": null });
            assert_eq!(printed(a, values, Some(&z)), format!("{whole:#}"));
        }
    }
}
