//! Looking for assets, listing and deleting them.

use std::time::SystemTime;

use base64::Engine as _;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;

use crate::model::Digest;
use crate::remote::Listed;
use crate::remote::cloudinary::address::{self, Address};
use crate::remote::cloudinary::{Cloud, Parameters, form};
use crate::remote::error::{Failure, Trouble};
use crate::remote::http::Request;

/// Assets on a page of a list: the most that Cloudinary gives.
const PAGE: &str = "500";

impl Cloud {
    /// What the account says of a content; `None` when it has none. Rationed by the hour.
    pub(super) async fn find(&self, content: Digest) -> Result<Option<Value>, Failure> {
        let id = address::public_id(&self.account, content);
        let url = self.api(&format!("resources/raw/{}/{id}", self.kind()))?;
        match self.ask(url).await {
            Ok(found) => Ok(Some(found)),
            Err(Failure { trouble: Trouble::Missing, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Lists our objects that are protected in one way.
    pub(super) async fn list_kind(
        &self,
        kind: &str,
        each: &mut (dyn FnMut(Listed) + Send),
    ) -> Result<(), Failure> {
        let folder = address::folder(&self.account);
        let mut object = |asset: &Value| self.listed(asset).into_iter().for_each(&mut *each);
        self.list_below(kind, &folder, &mut object).await
    }

    /// Lists what is protected in one way and has a public id that begins with `folder`.
    pub(super) async fn list_below(
        &self,
        kind: &str,
        folder: &str,
        each: &mut (dyn FnMut(&Value) + Send),
    ) -> Result<(), Failure> {
        let mut cursor: Option<String> = None;
        loop {
            let mut url = self.api(&format!("resources/raw/{kind}"))?;
            url.query_pairs_mut().append_pair("max_results", PAGE);
            if !folder.is_empty() {
                url.query_pairs_mut().append_pair("prefix", folder);
            }
            if let Some(cursor) = &cursor {
                url.query_pairs_mut().append_pair("next_cursor", cursor);
            }
            let page = self.ask(url).await?;
            let Some(assets) = page["resources"].as_array() else {
                return Err(Failure::new(Trouble::Wrong, "the answer is no list"));
            };
            assets.iter().for_each(&mut *each);
            let next = page["next_cursor"].as_str().map(str::to_owned);
            if next.is_none() {
                return Ok(());
            }
            if next == cursor {
                return Err(Failure::new(Trouble::Wrong, "the list goes round in a circle"));
            }
            cursor = next;
        }
    }

    fn listed(&self, asset: &Value) -> Option<Listed> {
        let url = asset["secure_url"].as_str()?;
        let Address { content, .. } = address::read(&self.account, url)?;
        let modified = asset["created_at"].as_str();
        let modified = modified.and_then(|text| humantime::parse_rfc3339(text).ok());
        Some(Listed {
            url: url.to_owned(),
            content,
            size: asset["bytes"].as_u64()?,
            modified: modified.unwrap_or(SystemTime::UNIX_EPOCH),
        })
    }

    /// Deletes an asset, and the copies of it where it is delivered from.
    pub(super) async fn destroy(&self, kind: &str, public_id: String) -> Result<(), Failure> {
        let parameters = Parameters::default()
            .with("public_id", public_id)
            .with("type", kind)
            .with("invalidate", "1");
        let mut request = Request::new(Method::POST, self.api("raw/destroy")?);
        request.body = form::fields_only(&self.sign(parameters), &mut request.headers);
        let response = self.http.send(&request, |status| status == StatusCode::NOT_FOUND).await?;
        match self.json(response).await?["result"].as_str() {
            Some("ok" | "not found") => Ok(()),
            other => {
                let cause = format!("it answered {:?}", other.unwrap_or("nothing"));
                Err(Failure::new(Trouble::Wrong, cause))
            }
        }
    }

    /// A question to the Admin API.
    async fn ask(&self, url: Url) -> Result<Value, Failure> {
        let mut request = Request::new(Method::GET, url);
        let login = format!("{}:{}", self.account.key, self.account.secret);
        let login = base64::engine::general_purpose::STANDARD.encode(login);
        let mut value: HeaderValue = form::ascii(&format!("Basic {login}"));
        value.set_sensitive(true);
        request.headers.insert(AUTHORIZATION, value);
        let response = self.http.send(&request, |_| false).await?;
        self.json(response).await
    }
}
