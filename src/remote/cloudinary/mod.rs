//! Cloudinary through its HTTP API: raw assets, which keep their bytes, readable with a signature only.
//!
//! <https://cloudinary.com/documentation/image_upload_api_reference> and
//! <https://cloudinary.com/documentation/admin_api>.

mod address;
mod admin;
mod form;
mod marks;
mod signature;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, LOCATION, RANGE};
use reqwest::{Method, Response, StatusCode, Url};
use serde_json::Value;

pub use signature::Parameters;

use crate::model::Digest;
use crate::model::remote::Cloudinary;
use crate::remote::download::{self, Body};
use crate::remote::error::{Failure, Trouble};
use crate::remote::http::{Http, Request};
use crate::remote::patience::Patience;
use crate::remote::{Limits, Listed, Mark, NewObject, Remote, RemoteError, Sink, Source, Uploaded};
use address::Address;

/// Most redirects of a delivery that are followed.
const MOST_REDIRECTS: usize = 3;

/// Most bytes of an answer of the API.
const MOST_ANSWER: usize = 4 << 20;

/// A Cloudinary account.
pub(super) struct Cloud {
    http: Http,
    account: Cloudinary,
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.account.fmt(f)
    }
}

impl Cloud {
    pub fn open(account: &Cloudinary, limits: Limits) -> Result<Self, RemoteError> {
        let opened = Http::new(Arc::new(Patience::new(limits)))
            .map(|http| Self { http, account: account.clone() });
        opened.map_err(|failure| {
            RemoteError::unopened(&format!("Cloudinary cloud {}", account.cloud), failure)
        })
    }

    fn failed(&self, doing: &str, mut failure: Failure) -> RemoteError {
        // Nothing should repeat it; should something ever do, it ends here.
        failure.cause = failure.cause.replace(&self.account.secret, "…");
        RemoteError::new(format!("{doing} {}", self.describe()), failure)
    }

    /// How new assets are protected.
    fn kind(&self) -> &'static str {
        if self.account.public { "upload" } else { "authenticated" }
    }

    /// The address of an API call.
    fn api(&self, call: &str) -> Result<Url, Failure> {
        let text = format!("{}/v1_1/{}/{call}", self.account.api, self.account.cloud);
        Url::parse(&text).map_err(|error| Failure::new(Trouble::Other, format!("{text}: {error}")))
    }

    fn sign(&self, parameters: Parameters) -> Vec<(&'static str, String)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let parameters = parameters.with("timestamp", now.to_string());
        parameters.signed(&self.account.key, &self.account.secret)
    }

    /// The answer of an API call.
    async fn json(&self, response: Response) -> Result<Value, Failure> {
        let text = self.http.text(response, MOST_ANSWER).await?;
        serde_json::from_slice(&text).map_err(|error| {
            Failure::new(Trouble::Wrong, format!("the answer is not JSON: {error}"))
        })
    }

    /// The address behind a URL, or the refusal to ask for it.
    fn ours(&self, doing: &str, url: &str) -> Result<Address, RemoteError> {
        address::read(&self.account, url)
            .ok_or_else(|| self.failed(doing, crate::remote::not_ours(url)))
    }

    /// Asks the delivery for a URL, and follows where it leads within the account's hosts.
    async fn deliver(&self, method: Method, mut url: Url, from: u64) -> Result<Response, Failure> {
        for _ in 0..=MOST_REDIRECTS {
            let mut request = Request::new(method.clone(), url.clone());
            if from > 0 {
                request.headers.insert(RANGE, form::ascii(&format!("bytes={from}-")));
            }
            let response = self.http.send(&request, |status| status.is_redirection()).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let elsewhere = || {
                let cause = "it sends us to another host, which is not asked";
                Failure::new(Trouble::Wrong, cause)
            };
            let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let next = location.and_then(|to| url.join(to).ok()).ok_or_else(elsewhere)?;
            if !address::may_lead_to(&self.account, &next) {
                return Err(elsewhere());
            }
            url = next;
        }
        Err(Failure::new(Trouble::Wrong, "it sends us from one address to the next"))
    }

    async fn begin(&self, url: Url, from: u64) -> Result<Body<'_>, Failure> {
        let response = self.deliver(Method::GET, url, from).await?;
        let length = number(response.headers(), CONTENT_LENGTH.as_str());
        let (start, total) = match response.status() {
            StatusCode::PARTIAL_CONTENT => content_range(response.headers()).ok_or_else(|| {
                Failure::new(Trouble::Wrong, "it does not say which part of the content it sends")
            })?,
            _ => (0, length),
        };
        let http = &self.http;
        let pieces = stream::try_unfold(response, move |mut response| async move {
            Ok(http.piece(&mut response).await?.map(|piece| (piece, response)))
        });
        Ok(Body { start, total, pieces: pieces.boxed() })
    }
}

/// The offset of the first byte, and the length of the whole: `bytes 5-9/10`, `bytes 5-9/*`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, total) = range.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

#[async_trait]
impl Remote for Cloud {
    fn describe(&self) -> String {
        format!("Cloudinary cloud {}", self.account.cloud)
    }

    fn warnings(&self) -> Vec<String> {
        let public = "cloudinary_public is on: whoever knows the address of an upload can read it";
        if self.account.public { vec![public.into()] } else { Vec::new() }
    }

    fn content(&self, url: &str) -> Option<Digest> {
        address::read(&self.account, url).map(|address| address.content)
    }

    async fn upload(
        &self,
        object: &NewObject,
        source: &mut dyn Source,
    ) -> Result<Uploaded, RemoteError> {
        self.put(object, source).await.map_err(|failure| {
            let elsewhere = failure.trouble == Trouble::Wrong;
            let error = self.failed("upload to", failure);
            if elsewhere { error.cured_by(upload::CURE_OF_ANOTHER_HOST) } else { error }
        })
    }

    async fn download(
        &self,
        url: &str,
        most: u64,
        sink: &mut Sink<'_>,
    ) -> Result<u64, RemoteError> {
        let address = self.ours("download from", url)?;
        let begin = |from| -> futures_util::future::BoxFuture<'_, _> {
            Box::pin(self.begin(address.url.clone(), from))
        };
        download::download(&self.http.patience, most, sink, begin)
            .await
            .map_err(|failure| self.failed("download from", failure))
    }

    async fn size(&self, url: &str) -> Result<Option<u64>, RemoteError> {
        const DOING: &str = "look at an object of";
        let address = self.ours(DOING, url)?;
        match self.deliver(Method::HEAD, address.url, 0).await {
            Ok(response) => match number(response.headers(), CONTENT_LENGTH.as_str()) {
                Some(size) => Ok(Some(size)),
                None => {
                    let failure = Failure::new(Trouble::Wrong, "it does not say the size");
                    Err(self.failed(DOING, failure))
                }
            },
            Err(Failure { trouble: Trouble::Missing, .. }) => Ok(None),
            Err(failure) => Err(self.failed(DOING, failure)),
        }
    }

    async fn remove(&self, url: &str) -> Result<(), RemoteError> {
        let Address { content, kind, .. } = self.ours("remove from", url)?;
        let public_id = address::public_id(&self.account, content);
        let destroyed = self.destroy(kind, public_id).await;
        destroyed.map_err(|failure| self.failed("remove from", failure))
    }

    async fn list(&self, each: &mut (dyn FnMut(Listed) + Send)) -> Result<(), RemoteError> {
        for kind in address::TYPES {
            self.list_kind(kind, each).await.map_err(|failure| self.failed("list", failure))?;
        }
        Ok(())
    }

    async fn mark(&self, mark: &Mark) -> Result<SystemTime, RemoteError> {
        self.put_mark(mark).await.map_err(|failure| self.failed("leave a mark in", failure))
    }

    async fn marks(&self) -> Result<Vec<Mark>, RemoteError> {
        self.list_marks().await.map_err(|failure| self.failed("look for marks in", failure))
    }

    async fn unmark(&self, name: &str) -> Result<(), RemoteError> {
        self.remove_mark(name).await.map_err(|failure| self.failed("remove a mark from", failure))
    }
}
