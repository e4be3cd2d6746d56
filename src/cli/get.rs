//! `get PATH`: one stored file out of the cache.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output;
use crate::model::entry::ChunkSet;
use crate::model::{Hasher, UploadPath};
use crate::remote::Trouble;
use crate::restore::damage::{Reason, check, expected_digest, verified};
use crate::store::{FetchedPayload, ListQuery};

#[derive(Debug, Args)]
pub struct Get {
    /// Upload path of the file
    path: String,
    /// File to write, which must not exist; standard output without it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A fetched entry, as far as it is needed after its row is gone.
enum Content {
    Whole(Vec<u8>),
    Chunks { set: ChunkSet, file_size: u64, sha256: String },
    Object { url: String, file_size: u64, sha256: String },
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
        let content = self.fetch(context, entry.id, &path).await?;
        match content {
            Content::Whole(bytes) => self.write_whole(&bytes)?,
            Content::Chunks { set, file_size, sha256 } => {
                self.write_chunks(context, &path, set, file_size, &sha256).await?;
            }
            Content::Object { url, file_size, sha256 } => {
                self.write_object(context, &path, &url, file_size, &sha256).await?;
            }
        }
        // The content is out: a time that could not be noted is no failure.
        let _ = context.store.accessed(&[path]).await;
        Ok(Exit::Done)
    }

    async fn fetch(
        &self,
        context: &Context,
        id: i64,
        path: &UploadPath,
    ) -> Result<Content, Failure> {
        let mut content = None;
        context
            .store
            .fetch(&[id], &mut |row| {
                content = Some(match row.payload {
                    FetchedPayload::Chunks(set) => Ok(Content::Chunks {
                        set,
                        file_size: row.file_size,
                        sha256: row.sha256.to_owned(),
                    }),
                    FetchedPayload::Url(url) => Ok(Content::Object {
                        url: url.to_owned(),
                        file_size: row.file_size,
                        sha256: row.sha256.to_owned(),
                    }),
                    _ => verified(&row, &mut Vec::new()).map(|b| Content::Whole(b.to_vec())),
                });
            })
            .await?;
        content
            .ok_or_else(|| Failure::other(format!("{path} was removed from the cache just now")))?
            .map_err(|reason| damaged(path, reason))
    }

    fn write_whole(&self, bytes: &[u8]) -> Result<(), Failure> {
        match &self.output {
            None => output::write(bytes),
            Some(file) => {
                let written = new_file(file)?.write_all(bytes);
                written.map_err(|error| self.cannot_write(&error))
            }
        }
    }

    async fn write_chunks(
        &self,
        context: &Context,
        path: &UploadPath,
        set: ChunkSet,
        file_size: u64,
        sha256: &str,
    ) -> Result<(), Failure> {
        let expected = expected_digest(sha256).map_err(|reason| damaged(path, reason))?;
        let mut file = self.output.as_ref().map(new_file).transpose()?;
        let mut hasher = Hasher::default();
        let mut length = 0;
        for seq in 0.. {
            let Some(chunk) = context.store.read_chunk(set, seq).await? else { break };
            hasher.update(&chunk);
            length += chunk.len() as u64;
            match &mut file {
                None => output::write(&chunk)?,
                Some(file) => {
                    file.write_all(&chunk).map_err(|error| self.cannot_write(&error))?;
                }
            }
        }
        check((length, hasher.finish()), (file_size, expected)).map_err(|reason| {
            if let Some(file) = &self.output {
                let _ = std::fs::remove_file(file);
            }
            damaged(path, reason)
        })
    }

    async fn write_object(
        &self,
        context: &Context,
        path: &UploadPath,
        url: &str,
        file_size: u64,
        sha256: &str,
    ) -> Result<(), Failure> {
        let expected = expected_digest(sha256).map_err(|reason| damaged(path, reason))?;
        let remote = context.remote.as_ref().filter(|remote| remote.owns(url));
        let remote = remote.ok_or_else(|| damaged(path, Reason::Url(url.to_owned())))?;
        let mut file = self.output.as_ref().map(new_file).transpose()?;
        let mut hasher = Hasher::default();
        let mut sink = |bytes: &[u8]| {
            hasher.update(bytes);
            match &mut file {
                None => std::io::stdout().lock().write_all(bytes),
                Some(file) => file.write_all(bytes),
            }
        };
        let downloaded = remote.download(url, file_size, &mut sink).await;
        let checked = match downloaded {
            Ok(length) => check((length, hasher.finish()), (file_size, expected))
                .map_err(|reason| damaged(path, reason)),
            Err(error) if matches!(error.trouble, Trouble::Missing | Trouble::Wrong) => {
                Err(damaged(path, Reason::Object(error.to_string())))
            }
            Err(error) => Err(Failure::from(error)),
        };
        if let (Err(_), Some(file)) = (&checked, &self.output) {
            let _ = std::fs::remove_file(file);
        }
        checked
    }

    fn cannot_write(&self, error: &std::io::Error) -> Failure {
        let shown = self.output.as_deref().unwrap_or(std::path::Path::new("standard output"));
        Failure::other(format!("cannot write {}: {error}", shown.display()))
    }
}

fn new_file(path: &PathBuf) -> Result<std::fs::File, Failure> {
    OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        Failure::other(format!("cannot make {}: {error}; name a new file", path.display()))
    })
}

fn damaged(path: &UploadPath, reason: impl std::fmt::Display) -> Failure {
    Failure {
        exit: Exit::Incomplete,
        message: format!(
            "the entry of {path} is damaged: {reason}; if the file is on a disk, store it again \
             with `imagecached cache {path}`"
        ),
    }
}
