//! `versions PATH`: what a path has, and what is kept of what it had; with `--restore`, what it is to have again.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};

use crate::capture::Deadline;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, past_time};
use crate::model::version::PastRow;
use crate::model::{ByteSize, UploadPath};
use crate::revert::{Revert, RevertError};
use crate::store::Content;

/// As many digits of a sha256 tell contents of one path apart.
const DIGITS: usize = 12;

/// What stores has so long to end when everything is done: it has nothing left to do.
const END: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Versions {
    /// Upload path of the file
    path: String,
    /// Make the former content of this number the present one: it takes the place of the file, which is stored first
    #[arg(long, value_name = "NUMBER")]
    restore: Option<i64>,
    /// Print the contents as JSON
    #[arg(long)]
    json: bool,
}

impl Versions {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let path = UploadPath::parse(&self.path)
            .map_err(|why| Failure::usage(format!("{}: {why}", self.path)))?;
        context.ready_store().await?;
        if let Some(version) = self.restore {
            revert(context, &path, version).await?;
            if !self.json {
                output::line(&format!("{path}: the version {version} is the present content"))?;
                return Ok(Exit::Done);
            }
        }
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

/// Makes a former content the present one, on disk and in the cache.
async fn revert(context: &Context, path: &UploadPath, version: i64) -> Result<(), Failure> {
    let upload_dir = context.upload_dir()?;
    let capture = context.capture(&upload_dir)?;
    let revert = Revert { restoring: context.restoring(upload_dir), scanner: capture.scanner() };
    let done = revert.act(path, version).await;
    // What could not be stored is told by the error.
    let _ = capture.drain(&Deadline::at(Instant::now() + END)).await;
    match done {
        Ok(_) => Ok(()),
        Err(RevertError::Store(error)) => Err(error.into()),
        Err(RevertError::NotKept { .. }) => {
            Err(Failure::other(past_time::no_version(path, version)))
        }
        Err(error) => Err(Failure { exit: Exit::Incomplete, message: error.to_string() }),
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
