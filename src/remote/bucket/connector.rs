//! Lets `object_store` send through our client, and gives back what that saw.

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use reqwest::StatusCode;

use crate::remote::answer;
use crate::remote::error::{Failure, Trouble};
use crate::remote::http::{Http, Request};

#[derive(Debug, Clone)]
pub(super) struct Connector(pub Http);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, mut body) = request.into_parts();
        let url = parts.uri.to_string().parse().map_err(|error| {
            HttpError::new(HttpErrorKind::Unknown, Failure::new(Trouble::Other, format!("{error}")))
        })?;
        let mut request = Request::new(parts.method, url);
        request.headers = parts.headers;
        while let Some(frame) = body.frame().await {
            request.body.extend(frame?.into_data());
        }
        let response = self.0.send(&request, |status| status == StatusCode::NOT_FOUND).await;
        let mut response = response.map_err(|failure| carried(&failure))?;
        if response.status() == StatusCode::NOT_FOUND {
            // A bucket that is not there must not pass for an object that is not there.
            let (status, headers) = (response.status(), response.headers().clone());
            let body = self.0.text(response, answer::MOST_BYTES).await.unwrap_or_default();
            let failure = answer::refusal(status, &headers, &body);
            if failure.trouble != Trouble::Missing {
                return Err(carried(&failure));
            }
            return Ok(with_head(status, &headers, HttpResponseBody::from(body)));
        }
        let (status, headers) = (response.status(), std::mem::take(response.headers_mut()));
        let http = self.0.clone();
        let pieces = stream::try_unfold(response, move |mut response| {
            let http = http.clone();
            async move {
                let piece = http.piece(&mut response).await?;
                Ok::<_, Failure>(piece.map(|piece: Bytes| (piece, response)))
            }
        });
        let body = reqwest::Body::wrap_stream(pieces).map_err(|error| {
            // Ours is the innermost.
            let mut cause = std::error::Error::source(&error);
            while let Some(inner) = cause {
                if let Some(failure) = inner.downcast_ref::<Failure>() {
                    return carried(failure);
                }
                cause = inner.source();
            }
            HttpError::new(HttpErrorKind::Interrupted, error.without_url())
        });
        Ok(with_head(status, &headers, HttpResponseBody::new(body)))
    }
}

fn with_head(
    status: StatusCode,
    headers: &reqwest::header::HeaderMap,
    body: HttpResponseBody,
) -> HttpResponse {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers.clone();
    response
}

/// `Unknown` is what `object_store` does not try again: we have.
fn carried(failure: &Failure) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, failure.clone())
}

/// What went wrong below `object_store`, in our terms. Its own text holds URLs and whole answers.
pub(super) fn failure(error: &object_store::Error) -> Failure {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut last = String::new();
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            return failure.clone();
        }
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            return from_io(error);
        }
        last = error.to_string();
        cause = error.source();
    }
    if let object_store::Error::NotFound { .. } = error {
        return Failure::new(Trouble::Missing, "the object is not there");
    }
    Failure::new(Trouble::Other, last)
}

/// A directory as object store: its errors are the file system's.
fn from_io(error: &std::io::Error) -> Failure {
    use std::io::ErrorKind::{
        FileTooLarge, NotFound, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull,
    };
    let trouble = match error.kind() {
        NotFound => Trouble::Missing,
        PermissionDenied | ReadOnlyFilesystem => Trouble::Denied,
        StorageFull | QuotaExceeded => Trouble::Throttled,
        FileTooLarge => Trouble::TooLarge,
        _ => Trouble::Away,
    };
    Failure::new(trouble, error.to_string())
}
