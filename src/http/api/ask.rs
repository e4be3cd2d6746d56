//! What a call is asked: its path and its query, checked. What cannot be used is told as a problem.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::openapi::{RefOr, Response};
use utoipa::{IntoResponses, ToSchema};

use crate::http::Problem;

/// The query, as `T` describes it. A parameter that nobody knows is refused as well: a misspelt `dry_run`
/// must not be taken for none.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::from_request_parts(parts, state).await.map_err(|refused| {
            let text = refused.body_text();
            let why = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            Problem::bad_request(format!("the query of this address cannot be used: {why}"))
        })?;
        Ok(Self(asked))
    }
}

/// The entry that the path names.
pub struct Id(pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = of_path::<String, S>(parts, state).await?;
        Ok(Self(number(&text, "an entry")?))
    }
}

/// The entry that the path names, and the version of its path.
pub struct Ids(pub i64, pub i64);

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((entry, version)) = of_path::<(String, String), S>(parts, state).await?;
        Ok(Self(number(&entry, "an entry")?, number(&version, "a version")?))
    }
}

async fn of_path<T, S>(parts: &mut Parts, state: &S) -> Result<Path<T>, Problem>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    let refuse = |refused: PathRejection| format!("this path: {}", refused.body_text());
    let read = Path::from_request_parts(parts, state).await;
    read.map_err(|refused| Problem::bad_request(refuse(refused)))
}

fn number(text: &str, whose: &str) -> Result<i64, Problem> {
    text.parse().map_err(|why| {
        let shown: String = text.chars().take(40).collect();
        Problem::bad_request(format!("{shown:?} is no id of {whose}: {why}"))
    })
}

/// Whether to wait for the end of a run.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// `false`: answer at once, with a job to ask for.
    #[serde(default = "yes")]
    #[param(default = true)]
    pub wait: bool,
}

pub fn yes() -> bool {
    true
}

/// No parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// The refusals that any call may meet.
pub struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> std::collections::BTreeMap<String, RefOr<Response>> {
        let told = [
            (400, "A path or query that cannot be used; the detail says what and why."),
            (401, "This needs the token."),
            (403, "The request does not come from a page of this session."),
            (413, "The body is too large: these calls take none."),
            (421, "The header `Host` is no name of this machine."),
            (429, "Too many wrong tokens from this address."),
            (500, "A fault in imagecached, noted in its log."),
            (503, "The database, or something else that is needed, is away."),
            (507, "The database is full."),
        ];
        // The parser itself answers so, without a word.
        let head = utoipa::openapi::ResponseBuilder::new().description(
            "The head of the request, path and query included, is larger than 16 KiB.",
        );
        let told = told.iter().map(|(status, text)| (status.to_string(), problem(text)));
        told.chain([("431".to_owned(), head.build().into())]).collect()
    }
}

/// An answer that is a [`Problem`].
pub fn problem(text: &str) -> RefOr<Response> {
    let schema = utoipa::openapi::Ref::from_schema_name(Problem::name());
    let content = utoipa::openapi::ContentBuilder::new().schema(Some(schema)).build();
    utoipa::openapi::ResponseBuilder::new()
        .description(text)
        .content("application/problem+json", content)
        .build()
        .into()
}
