//! `list`: the entries, filtered and sorted.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::model::ByteSize;
use crate::model::entry::PayloadKind;
use crate::store::{self, ListQuery};

#[derive(Debug, Args)]
pub struct List {
    /// Part of the path
    #[arg(long)]
    search: Option<String>,
    /// Start of the MIME type, such as image/
    #[arg(long = "type", value_name = "MIME")]
    mime: Option<String>,
    /// Where the bytes are
    #[arg(long, value_enum)]
    payload: Option<Payload>,
    /// Only entries not seen on disk, restored or read for so many days
    #[arg(long, value_name = "DAYS")]
    not_accessed: Option<u32>,
    #[arg(long, value_enum, default_value = "path")]
    sort: Sort,
    /// Largest, newest or last first
    #[arg(long)]
    reverse: bool,
    /// Most entries to show
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Entries to leave out first
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,
    /// Print the entries as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Payload {
    Inline,
    Chunks,
    Url,
    None,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Sort {
    Path,
    Size,
    Created,
    Updated,
    Accessed,
}

impl List {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        context.ready_store().await?;
        let entries = context.store.list(&self.query()).await?;
        if self.json {
            output::json(&Value::Array(entries.iter().map(output::entry).collect()))?;
            return Ok(Exit::Done);
        }
        for entry in &entries {
            output::line(&format!(
                "{}\t{}\t{}\t{}\t{}",
                entry.updated_at,
                ByteSize(entry.file_size),
                entry.payload.as_str(),
                entry.content_type_header,
                // A name with a line break must not look like two entries.
                entry.original_path.escape_debug()
            ))?;
        }
        Ok(Exit::Done)
    }

    fn query(&self) -> ListQuery {
        ListQuery {
            search: self.search.clone(),
            path: None,
            ids: None,
            after: None,
            before: None,
            mime: self.mime.clone(),
            payload: self.payload.map(|payload| match payload {
                Payload::Inline => PayloadKind::Inline,
                Payload::Chunks => PayloadKind::Chunks,
                Payload::Url => PayloadKind::Url,
                Payload::None => PayloadKind::None,
            }),
            has_data: None,
            not_accessed_days: self.not_accessed,
            sort: match self.sort {
                Sort::Path => store::Sort::Path,
                Sort::Size => store::Sort::Size,
                Sort::Created => store::Sort::Created,
                Sort::Updated => store::Sort::Updated,
                Sort::Accessed => store::Sort::Accessed,
            },
            descending: self.reverse,
            limit: self.limit,
            offset: self.offset,
            count_up_to: None,
        }
    }
}
