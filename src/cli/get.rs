//! `get PATH`: one stored file out of the cache.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::model::UploadPath;
use crate::payload::damage::Reason;
use crate::payload::{ReadError, Reader};
use crate::store::ListQuery;

/// So often a content that is replaced while it is read is read anew.
const TRIES: u32 = 5;

#[derive(Debug, Args)]
pub struct Get {
    /// Upload path of the file
    path: String,
    /// File to write, which must not exist; standard output without it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
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
        let query = ListQuery { path: Some(path.clone()), ..ListQuery::default() };
        let entries = context.store.list(&query).await?;
        let Some(entry) = entries.first() else {
            return Err(Failure::other(format!(
                "{path} is not in the cache; `imagecached list` shows what is"
            )));
        };
        let mut out = Out { given: self.output.as_deref(), file: None, written: 0 };
        let mut tries = 1;
        while let Err(trouble) = copy(context, entry.id, &mut out).await {
            let again = matches!(trouble, Trouble::Read(ReadError::Replaced)) && tries < TRIES;
            if !(out.take_back() && again) {
                return Err(failure(&path, trouble));
            }
            tries += 1;
        }
        // The content is out: a time that could not be noted is no failure.
        let _ = context.store.accessed(&[path]).await;
        Ok(Exit::Done)
    }
}

/// Copies a content as it is read: what is found to be damaged at the end was written all the same.
async fn copy(context: &Context, id: i64, out: &mut Out<'_>) -> Result<(), Trouble> {
    let store = context.store.as_ref();
    let mut reader =
        Reader::open(store, context.remote.as_ref(), id).await.map_err(Trouble::Read)?;
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

fn failure(path: &UploadPath, trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Write(failure) => failure,
        Trouble::Read(ReadError::Store(error)) => error.into(),
        Trouble::Read(ReadError::Remote(error)) => error.into(),
        Trouble::Read(ReadError::Damaged(reason)) => damaged(path, &reason),
        Trouble::Read(ReadError::Removed) => {
            Failure::other(format!("{path} was removed from the cache just now"))
        }
        Trouble::Read(ReadError::Replaced) => Failure::other(format!(
            "{path} got another content while it was read, so what was written is worth nothing; \
             get it again"
        )),
    }
}

fn damaged(path: &UploadPath, reason: &Reason) -> Failure {
    Failure {
        exit: Exit::Incomplete,
        message: format!(
            "the entry of {path} is damaged: {reason}; if the file is on a disk, store it again \
             with `imagecached cache {path}`"
        ),
    }
}
