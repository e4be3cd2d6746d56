//! `get PATH`: one stored file out of the cache, as it is or as it was.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{output, past_time};
use crate::model::version::PastRow;
use crate::model::{Timestamp, UploadPath};
use crate::payload::damage::Reason;
use crate::payload::{ReadError, Reader};
use crate::store::{Content, ListQuery, Then};

/// So often a content that is replaced while it is read is read anew.
const TRIES: u32 = 5;

#[derive(Debug, Args)]
pub struct Get {
    /// Upload path of the file
    path: String,
    /// File to write, which must not exist; standard output without it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The content that it had at this time: 2026-11-20, "2026-11-20 14:00" (UTC), or 3d for three days
    /// ago
    #[arg(long, value_name = "TIME", value_parser = past_time::parse, conflicts_with = "version")]
    as_of: Option<Timestamp>,
    /// The former content of this number: see `versions`
    #[arg(long, value_name = "NUMBER")]
    version: Option<i64>,
}

/// Why a content did not come out.
enum Trouble {
    Read(ReadError),
    Write(Failure),
}

impl Get {
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let path = UploadPath::parse(&self.path)
            .map_err(|why| Failure::usage(format!("{}: {why}", self.path)))?;
        context.ready_store().await?;
        let mut out = Out { given: self.output.as_deref(), file: None, written: 0 };
        let mut tries = 1;
        let row = loop {
            let (row, sha256) = self.choose(context, &path).await?;
            let Err(trouble) = copy(context, row, &sha256, &mut out).await else { break row };
            let moved = matches!(trouble, Trouble::Read(ReadError::Replaced | ReadError::Removed));
            if !(out.take_back() && moved && tries < TRIES) {
                return Err(failure(&path, row, trouble));
            }
            tries += 1;
        };
        if let PastRow::Entry(_) = row {
            // The content is out: a time that could not be noted is no failure.
            let _ = context.store.accessed(&[path]).await;
        }
        Ok(Exit::Done)
    }

    /// The content that is wanted: its row, and its sha256.
    async fn choose(
        &self,
        context: &Context,
        path: &UploadPath,
    ) -> Result<(PastRow, String), Failure> {
        let store = &context.store;
        let of = |content: &Content| (content.row, content.entry.sha256.clone());
        if let Some(number) = self.version {
            let timeline = store.timeline(path).await?;
            let wanted = PastRow::Version(number);
            let found = timeline.contents.iter().find(|content| content.row == wanted);
            return found
                .map(of)
                .ok_or_else(|| Failure::other(past_time::no_version(path, number)));
        }
        if let Some(time) = self.as_of {
            let timeline = store.timeline(path).await?;
            return match timeline.at(time) {
                Then::Content(content) => Ok(of(content)),
                Then::NotKept => Err(Failure::other(format!(
                    "the content that {path} had at {} is not kept; `imagecached versions {path}` shows \
                     what is",
                    time.exact()
                ))),
                Then::Nothing => Err(Failure::other(past_time::none_at(path, time, &timeline))),
            };
        }
        let query = ListQuery { path: Some(path.clone()), ..ListQuery::default() };
        let entry = store.list(&query).await?.pop();
        let row = entry.map(|entry| (PastRow::Entry(entry.id), entry.sha256));
        row.ok_or_else(|| {
            Failure::other(format!(
                "{path} is not in the cache; `imagecached list` shows what is, and `imagecached versions \
                 {path}` what it had"
            ))
        })
    }
}

/// Copies a content as it is read: what is found to be damaged at the end was written all the same.
async fn copy(
    context: &Context,
    row: PastRow,
    sha256: &str,
    out: &mut Out<'_>,
) -> Result<(), Trouble> {
    let (store, remote) = (context.store.as_ref(), context.remote.as_ref());
    let mut reader = Reader::open_row(store, remote, row).await.map_err(Trouble::Read)?;
    if reader.expected().1.to_string() != sha256 {
        return Err(Trouble::Read(ReadError::Replaced));
    }
    out.begin().map_err(Trouble::Write)?;
    while let Some(piece) = reader.next().await.map_err(Trouble::Read)? {
        out.write(&piece).map_err(Trouble::Write)?;
    }
    Ok(())
}

/// Where the content goes.
struct Out<'o> {
    given: Option<&'o Path>,
    file: Option<File>,
    written: u64,
}

impl Out<'_> {
    fn begin(&mut self) -> Result<(), Failure> {
        self.file = self.given.map(new_file).transpose()?;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.written += bytes.len() as u64;
        match &mut self.file {
            None => output::write(bytes),
            Some(file) => file.write_all(bytes).map_err(|error| self.cannot_write(&error)),
        }
    }

    /// Removes what was written; `false` when it is out for good.
    fn take_back(&mut self) -> bool {
        if let (Some(path), Some(_)) = (self.given, self.file.take()) {
            let removed = std::fs::remove_file(path).is_ok();
            self.written = 0;
            return removed;
        }
        self.written == 0
    }

    fn cannot_write(&self, error: &io::Error) -> Failure {
        let shown = self.given.unwrap_or(Path::new("standard output"));
        Failure::other(format!("cannot write {}: {error}", shown.display()))
    }
}

fn new_file(path: &Path) -> Result<File, Failure> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        Failure::other(format!("cannot make {}: {error}; name a new file", path.display()))
    })
}

fn failure(path: &UploadPath, row: PastRow, trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Write(failure) => failure,
        Trouble::Read(ReadError::Store(error)) => error.into(),
        Trouble::Read(ReadError::Remote(error)) => error.into(),
        Trouble::Read(ReadError::Damaged(reason)) => damaged(path, row, &reason),
        Trouble::Read(ReadError::Removed) => {
            Failure::other(format!("{path} was removed from the cache just now"))
        }
        Trouble::Read(ReadError::Replaced) => Failure::other(format!(
            "{path} got another content while it was read, so what was written is worth nothing; \
             get it again"
        )),
    }
}

fn damaged(path: &UploadPath, row: PastRow, reason: &Reason) -> Failure {
    let message = match row {
        PastRow::Entry(_) => format!(
            "the entry of {path} is damaged: {reason}; if the file is on a disk, store it again \
             with `imagecached cache {path}`"
        ),
        PastRow::Version(id) => format!("the version {id} of {path} is damaged: {reason}"),
    };
    Failure { exit: Exit::Incomplete, message }
}
