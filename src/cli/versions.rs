//! `versions PATH`: what a path has, and what is kept of what it had.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, past_time};
use crate::model::version::PastRow;
use crate::model::{ByteSize, UploadPath};
use crate::store::Content;

/// As many digits of a sha256 tell contents of one path apart.
const DIGITS: usize = 12;

#[derive(Debug, Args)]
pub struct Versions {
    /// Upload path of the file
    path: String,
    /// Print the contents as JSON
    #[arg(long)]
    json: bool,
}

impl Versions {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let path = UploadPath::parse(&self.path)
            .map_err(|why| Failure::usage(format!("{}: {why}", self.path)))?;
        context.ready_store().await?;
        let contents = context.store.timeline(&path).await?.contents;
        if contents.is_empty() {
            return Err(Failure::other(past_time::never_stored(&path)));
        }
        if self.json {
            output::json(&Value::Array(contents.iter().map(as_json).collect()))?;
            return Ok(Exit::Done);
        }
        for content in &contents {
            output::line(&line(content))?;
        }
        Ok(Exit::Done)
    }
}

/// Since when, until when, size, place, type, sha256, and what became of it. The times can be given back
/// to `--as-of`, and the number to `get --version`.
fn line(content: &Content) -> String {
    let entry = &content.entry;
    let (until, why) = match content.ended {
        None => ("-".to_owned(), "present".to_owned()),
        Some((until, why)) => (until.exact(), why.to_string()),
    };
    let number = match content.row {
        PastRow::Entry(_) => "-".to_owned(),
        PastRow::Version(id) => id.to_string(),
    };
    let sha256: String = entry.sha256.chars().take(DIGITS).collect();
    format!(
        "{}\t{until}\t{why}\t{number}\t{}\t{}\t{}\t{sha256}",
        entry.updated_at.exact(),
        ByteSize(entry.file_size),
        entry.payload.as_str(),
        entry.content_type_header,
    )
}

/// The entry as it is or was, and its time.
fn as_json(content: &Content) -> Value {
    let mut value = output::entry(&content.entry);
    let version = match content.row {
        PastRow::Entry(_) => None,
        PastRow::Version(id) => Some(id),
    };
    let more = [
        ("since", json!(content.entry.updated_at.exact())),
        ("until", json!(content.ended.map(|(until, _)| until.exact()))),
        ("why", json!(content.ended.map(|(_, why)| why.as_str()))),
        ("version", json!(version)),
    ];
    if let Value::Object(fields) = &mut value {
        // Two kinds of rows have ids of their own: `version` says which it is.
        fields.retain(|name, _| name != "id");
        fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    value
}
