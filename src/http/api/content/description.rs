//! What `openapi.json` says of the calls that send bytes, which are alike but for whose bytes they are.

use std::collections::BTreeMap;

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ContentBuilder, RefOr, Required, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, PartialSchema};

use crate::http::api::ask::problem;

/// What a client may say about the part that it wants.
pub struct PartHeaders;

impl IntoParams for PartHeaders {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let headers = [
            ("Range", "One range of bytes."),
            ("If-Range", "The range is wanted of this content only."),
            ("If-None-Match", "The contents that the client has."),
        ];
        let described = |(name, text): (&str, &str)| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .description(Some(text))
                .required(Required::False)
                .schema(Some(Option::<String>::schema()))
                .build()
        };
        headers.map(described).into()
    }
}

/// The answers.
pub struct Bytes;

impl IntoResponses for Bytes {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        // Raw bytes have no schema: their type is what the head of the answer says.
        let bytes = |text: &str| {
            let content = ContentBuilder::new().build();
            ResponseBuilder::new().description(text).content("*/*", content).build().into()
        };
        let nothing = ResponseBuilder::new().description("The client has them.").build();
        [
            (200, bytes("The bytes.")),
            (206, bytes("The range.")),
            (304, nothing.into()),
            (404, problem("There is nothing of this id, or it has no data.")),
            (416, problem("There are no such bytes.")),
            (502, problem("The object store does not give the bytes.")),
        ]
        .map(|(status, answer)| (status.to_string(), answer))
        .into()
    }
}
