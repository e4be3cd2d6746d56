//! Marks in a Cloudinary account: small raw assets, protected as all others are.

use std::time::SystemTime;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde_json::Value;

use crate::remote::cloudinary::upload::Old;
use crate::remote::cloudinary::{Cloud, address};
use crate::remote::error::{Failure, Trouble};
use crate::remote::mark::{FOLDER, MOST_NOTE, MOST_NOTES, Mark, is_name, shown};

impl Cloud {
    fn mark_id(&self, name: &str) -> Result<String, Failure> {
        if !is_name(name) {
            return Err(Failure::new(Trouble::Other, format!("{name:?} cannot be a mark's name")));
        }
        Ok(format!("{}{FOLDER}{name}", address::folder(&self.account)))
    }

    pub(super) async fn put_mark(&self, mark: &Mark) -> Result<SystemTime, Failure> {
        // Cloudinary refuses empty files.
        let note = if mark.note.is_empty() { &mark.name } else { &mark.note };
        let note = vec![Bytes::copy_from_slice(note.as_bytes())];
        // One that is there is described as it is: this costs no question to the Admin API.
        let id = self.mark_id(&mark.name)?;
        let answer = self.post(id, note, Old::Keep, HeaderMap::new()).await?;
        created(&answer)
            .ok_or_else(|| Failure::new(Trouble::Wrong, "it does not say when it was made"))
    }

    pub(super) async fn list_marks(&self) -> Result<Vec<Mark>, Failure> {
        let folder = format!("{}{FOLDER}", address::folder(&self.account));
        let mut found: Vec<(String, Option<Url>)> = Vec::new();
        for kind in address::TYPES {
            let mut note = |asset: &Value| {
                let id = asset["public_id"].as_str();
                let name = id.and_then(|id| id.strip_prefix(&folder));
                let Some(name) = name.filter(|name| !name.contains('/')) else { return };
                let url = asset["secure_url"].as_str().unwrap_or_default();
                let url = address::leads_to(&self.account, url, &format!("{FOLDER}{name}"));
                found.push((name.to_owned(), url));
            };
            self.list_below(kind, &folder, &mut note).await?;
        }
        found.sort();
        // Both ways of protection may have it.
        found.dedup_by(|one, other| one.0 == other.0);
        let mut marks = Vec::with_capacity(found.len());
        for (nth, (name, url)) in found.into_iter().enumerate() {
            let note = match url.filter(|_| nth < MOST_NOTES) {
                Some(url) => self.note(url).await?,
                None => String::new(),
            };
            marks.push(Mark { name, note });
        }
        Ok(marks)
    }

    /// A note that is gone meanwhile is as good as an empty one.
    async fn note(&self, url: Url) -> Result<String, Failure> {
        let read = match self.deliver(Method::GET, url, 0).await {
            Ok(response) => self.http.text(response, MOST_NOTE as usize).await,
            Err(failure) => Err(failure),
        };
        match read {
            Ok(text) => Ok(shown(&text)),
            Err(failure) if !failure.may_pass() => Ok(String::new()),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn remove_mark(&self, name: &str) -> Result<(), Failure> {
        let id = self.mark_id(name)?;
        for kind in address::TYPES {
            self.destroy(kind, id.clone()).await?;
        }
        Ok(())
    }
}

/// When an asset was made, by the account's clock.
fn created(asset: &Value) -> Option<SystemTime> {
    humantime::parse_rfc3339(asset["created_at"].as_str()?).ok()
}
