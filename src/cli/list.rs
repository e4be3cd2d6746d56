//! `list`: the entries, filtered and sorted.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, JsonArray};
use crate::model::entry::PayloadKind;
use crate::model::{ByteSize, Entry, Version};
use crate::store::{self, HistoryQuery, ListQuery, Through, Which};

/// Entries of the trash that are in memory at a time.
const PART: u32 = 1_000;

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
    /// What is in the trash, and when it came there; the last first
    #[arg(long, conflicts_with_all = ["mime", "not_accessed", "sort", "reverse", "offset"])]
    trashed: bool,
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

impl From<Payload> for PayloadKind {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Inline => Self::Inline,
            Payload::Chunks => Self::Chunks,
            Payload::Url => Self::Url,
            Payload::None => Self::None,
        }
    }
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
        if self.trashed {
            return self.list_trashed(context).await;
        }
        let mut json = self.json.then(JsonArray::alone);
        let mut list = Through::list(self.query());
        while let Some(entries) = list.next(context.store.as_ref()).await? {
            for entry in &entries {
                match &mut json {
                    Some(json) => json.add(&output::entry(entry))?,
                    None => output::line(&line(entry))?,
                }
            }
            if !output::is_read() {
                break;
            }
        }
        json.map_or(Ok(()), JsonArray::end)?;
        Ok(Exit::Done)
    }

    async fn list_trashed(&self, context: &Context) -> Result<Exit, Failure> {
        let mut query = HistoryQuery {
            which: Which::Trash,
            search: self.search.clone(),
            payload: self.payload.map(PayloadKind::from),
            ..HistoryQuery::default()
        };
        let mut json = self.json.then(JsonArray::alone);
        let mut left = self.limit.unwrap_or(u32::MAX);
        while left > 0 && output::is_read() {
            query.limit = Some(left.min(PART));
            let page = context.store.history(&query).await?;
            for version in &page.versions {
                match &mut json {
                    Some(json) => json.add(&trashed_entry(version))?,
                    None => output::line(&trashed_line(version))?,
                }
            }
            left -= left.min(PART);
            query.after = page.next;
            if page.next.is_none() {
                break;
            }
        }
        json.map_or(Ok(()), JsonArray::end)?;
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
            payload: self.payload.map(PayloadKind::from),
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

fn line(entry: &Entry) -> String {
    format!(
        "{}\t{}\t{}\t{}\t{}",
        entry.updated_at,
        ByteSize(entry.file_size),
        entry.payload.as_str(),
        entry.content_type_header,
        // A name with a line break must not look like two entries.
        entry.original_path.escape_debug()
    )
}

fn trashed_entry(version: &Version) -> Value {
    let mut entry = output::entry(&version.entry);
    entry["trashed_at"] = version.ended_at.to_string().into();
    entry["why"] = version.why.as_str().into();
    entry
}

fn trashed_line(version: &Version) -> String {
    format!(
        "{}\t{}\t{}\t{}",
        version.ended_at,
        ByteSize(version.entry.file_size),
        version.why,
        version.entry.original_path.escape_debug()
    )
}
