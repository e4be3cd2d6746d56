//! A content on its way to Cloudinary: in one request, or in chunks.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use crate::remote::cloudinary::address::{self, Address};
use crate::remote::cloudinary::{Cloud, Parameters, form};
use crate::remote::error::{Failure, Trouble};
use crate::remote::http::Request;
use crate::remote::source::{Part, Parts};
use crate::remote::{NewObject, Source, Uploaded, random};

/// Bytes of a chunk. Cloudinary wants more than 5 MB in all but the last, and takes at most 100 MB in one
/// request; one chunk is what an upload takes of memory.
const CHUNK_BYTES: usize = 8 << 20;

pub(super) const CURE_OF_ANOTHER_HOST: &str = "where the account delivers from a host of its own, \
     write it into the URL: CLOUDINARY_URL=cloudinary://…@cloud?secure_distribution=HOST";

/// What is done with an asset that is there already under the same name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Old {
    Keep,
    Replace,
}

impl Cloud {
    pub(super) async fn put(
        &self,
        object: &NewObject,
        source: &mut dyn Source,
    ) -> Result<Uploaded, Failure> {
        let mut parts = Parts::new(object, source, CHUNK_BYTES);
        let first = parts.next().await?;
        if !first.last {
            return self.in_chunks(object, first, parts).await;
        }
        // A small one is sent without asking whether it is there: the answers to such questions are
        // rationed by the hour, and an asset that is there is kept and described.
        let answer = self.send(object, &first, Old::Keep, None).await?;
        if answer["existing"] == true && answer["bytes"] != object.length {
            let answer = self.send(object, &first, Old::Replace, None).await?;
            return self.believed(object, &answer);
        }
        self.believed(object, &answer)
    }

    async fn in_chunks(
        &self,
        object: &NewObject,
        first: Part,
        mut parts: Parts<'_>,
    ) -> Result<Uploaded, Failure> {
        // Only a hint, and no reason to fail.
        let old = match self.find(object.sha256).await {
            Ok(Some(found)) => match self.believed(object, &found) {
                Ok(found) => return Ok(Uploaded { was_there: true, ..found }),
                Err(_) if found["bytes"] != object.length => Old::Replace,
                Err(_) => Old::Keep,
            },
            _ => Old::Keep,
        };
        let upload_id = format!("{:032x}", random());
        let mut part = first;
        loop {
            let answer = self.send(object, &part, old, Some(&upload_id)).await?;
            if part.last {
                return self.believed(object, &answer);
            }
            part = parts.next().await?;
        }
    }

    /// Sends the whole content, or a chunk of it when there is an id for all chunks together.
    async fn send(
        &self,
        object: &NewObject,
        part: &Part,
        old: Old,
        upload_id: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(id) = upload_id {
            let last = part.start + part.length - 1;
            let range = format!("bytes {}-{last}/{}", part.start, object.length);
            headers.insert("x-unique-upload-id", form::ascii(id));
            headers.insert("content-range", form::ascii(&range));
        }
        let public_id = address::public_id(&self.account, object.sha256);
        self.post(public_id, part.pieces.clone(), old, headers).await
    }

    /// Sends bytes that are to become an asset, or a part of one; returns what the account says of it.
    pub(super) async fn post(
        &self,
        public_id: String,
        pieces: Vec<Bytes>,
        old: Old,
        headers: HeaderMap,
    ) -> Result<Value, Failure> {
        let parameters = Parameters::default()
            .with("public_id", public_id)
            .with("type", self.kind())
            .with("overwrite", if old == Old::Replace { "1" } else { "0" });
        let mut request = Request::new(Method::POST, self.api("raw/upload")?);
        request.headers = headers;
        let boundary = format!("imagecached-{:032x}", random());
        let fields = self.sign(parameters);
        request.body = form::with_file(&fields, pieces, &boundary, &mut request.headers);
        let response = self.http.send(&request, |_| false).await?;
        self.json(response).await
    }

    /// Whether the account really has the content, by its own description of it.
    fn believed(&self, object: &NewObject, answer: &Value) -> Result<Uploaded, Failure> {
        let wrong = |cause: String| Err(Failure::new(Trouble::Wrong, cause));
        if answer["bytes"] != object.length {
            return wrong(format!("it took {} bytes, and has {}", object.length, answer["bytes"]));
        }
        let Some(url) = answer["secure_url"].as_str() else {
            return wrong("it does not say where the content is".into());
        };
        match address::read(&self.account, url) {
            Some(Address { content, kind, signed, .. })
                if content == object.sha256 && (kind == "upload" || signed) =>
            {
                let was_there = answer["existing"] == true;
                Ok(Uploaded { url: url.to_owned(), was_there })
            }
            _ => wrong("it names an address that is not known as the account's".into()),
        }
    }
}
