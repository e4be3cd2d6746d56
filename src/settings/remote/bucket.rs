//! `s3://bucket/prefix` and its relatives, with what it takes to reach them.

use std::ffi::OsString;

use super::{PLAIN, not_plain};
use crate::model::remote::{Bucket, BucketKind};
use crate::settings::Sources;
use crate::settings::error::SettingsError;
use crate::settings::reader::Given;

/// The settings beside the URL.
pub(super) struct Ways {
    pub endpoint: Given,
    pub region: String,
    /// `None` to decide by what else is set.
    pub path_style: Option<bool>,
    pub key_id: String,
    pub secret: Given,
}

const FORMS: &str = "write s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, file:///directory or cloudinary";

/// Reads a URL and all that belongs to it.
pub(super) fn read(
    given: &Given,
    text: &str,
    ways: &Ways,
    sources: &Sources,
) -> Result<Bucket, SettingsError> {
    let refuse = |why: &str, cure: &str| Err(given.refuse(why, cure));
    if text.contains('@') {
        let cure = "give the key by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and the bucket alone here";
        return refuse("has a name or a key in it", cure);
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return refuse("is no URL of an object store", FORMS);
    };
    let kind = match scheme.to_ascii_lowercase().as_str() {
        "s3" | "s3a" => BucketKind::S3,
        "gs" | "gcs" => BucketKind::Google,
        "az" | "azure" | "abfs" | "abfss" => BucketKind::Azure,
        "file" => BucketKind::Directory,
        _ => return refuse("names a kind of object store that is not known", FORMS),
    };
    if kind == BucketKind::Directory {
        let name = rest.trim_end_matches('/');
        let dots = name.split('/').any(|part| part == "." || part == "..");
        if !rest.starts_with('/') || name.is_empty() || dots || name.contains(['?', '#', '%']) {
            return refuse("is no absolute directory", "write file:///path/to/directory");
        }
        let (name, prefix) = (name.to_owned(), String::new());
        return Ok(Bucket { kind, name, prefix, options: Vec::new() });
    }
    let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let in_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    if name.is_empty() || !name.chars().all(in_a_name) {
        return refuse(
            "names no bucket",
            "write small letters, digits, - and . for the bucket's name",
        );
    }
    let prefix = prefix.trim_matches('/').to_owned();
    if let Some(why) = not_plain(&prefix) {
        return refuse(&why, PLAIN);
    }
    let mut bucket =
        Bucket { kind, name: name.into(), prefix, options: usual(kind, &sources.environment) };
    add_ways(&mut bucket, ways)?;
    if kind == BucketKind::S3 {
        check_s3(given, &bucket)?;
    }
    Ok(bucket)
}

/// The variables of the environment that this kind of store is usually set up with.
fn usual(kind: BucketKind, environment: &[(OsString, OsString)]) -> Vec<(String, String)> {
    let ours = |name: &str| match kind {
        BucketKind::S3 => name.starts_with("AWS_"),
        BucketKind::Google => name.starts_with("GOOGLE_") || name == "SERVICE_ACCOUNT",
        BucketKind::Azure => name.starts_with("AZURE_") || name.ends_with("_ENDPOINT"),
        BucketKind::Directory => false,
    };
    environment
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
        .filter(|(name, value)| ours(name) && !value.is_empty())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect()
}

/// Our own settings, which beat the usual variables.
fn add_ways(bucket: &mut Bucket, ways: &Ways) -> Result<(), SettingsError> {
    let mut add = |name: &str, value: &str| {
        if !value.is_empty() {
            bucket.options.push((name.into(), value.into()));
        }
    };
    let endpoint = ways.endpoint.text()?;
    let endpoint = endpoint.trim().trim_end_matches('/');
    let web = endpoint.starts_with("https://") || endpoint.starts_with("http://");
    if !endpoint.is_empty() && (!web || endpoint.contains(['@', '?', '#'])) {
        return Err(ways
            .endpoint
            .refuse("is no address of a server", "write https://host or https://host:port"));
    }
    match bucket.kind {
        BucketKind::S3 => {
            add("aws_endpoint", endpoint);
            add("aws_region", ways.region.trim());
            add("aws_access_key_id", ways.key_id.trim());
            add("aws_secret_access_key", ways.secret.text()?.trim());
            set_style(bucket, ways.path_style);
        }
        BucketKind::Azure => {
            add("azure_storage_endpoint", endpoint);
            add("azure_storage_account_name", ways.key_id.trim());
            add("azure_storage_account_key", ways.secret.text()?.trim());
            if endpoint.starts_with("http://") {
                add("azure_allow_http", "true");
            }
        }
        BucketKind::Google => {
            add("google_base_url", endpoint);
            add("google_service_account_key", ways.secret.text()?.trim());
        }
        BucketKind::Directory => {}
    }
    Ok(())
}

/// Whether the bucket's name stands in the path or in the host's name. Others than Amazon rarely have a
/// name and a certificate for each bucket; and a dot in a name breaks the certificate.
fn set_style(bucket: &mut Bucket, path_style: Option<bool>) {
    // Two spellings of one thing, of which the first is the one that Amazon documents.
    let endpoint = ["aws_endpoint_url_s3", "aws_endpoint_url", "aws_endpoint"]
        .iter()
        .rev()
        .find_map(|name| bucket.option(name))
        .map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    let in_path = path_style.unwrap_or(endpoint.is_some() || bucket.name.contains('.'));
    let mut add = |name: &str, value: String| bucket.options.push((name.into(), value));
    add("aws_virtual_hosted_style_request", (!in_path).to_string());
    if let Some(endpoint) = endpoint {
        let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", &endpoint));
        if scheme == "http" {
            add("aws_allow_http", "true".into());
        }
        let name = if in_path { String::new() } else { format!("{}.", bucket.name) };
        add("aws_endpoint", format!("{scheme}://{name}{host}"));
    }
}

/// With a server of one's own there is no machine role to fall back on: without a key every request would
/// first wait for Amazon's metadata service, which is not there.
fn check_s3(given: &Given, bucket: &Bucket) -> Result<(), SettingsError> {
    let has = |name: &str| bucket.option(name).is_some();
    let (id, secret) = (has("aws_access_key_id"), has("aws_secret_access_key"));
    let cure = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    match (id, secret) {
        (true, true) => Ok(()),
        (false, false) if has("aws_endpoint") && !has("aws_skip_signature") => {
            Err(given.refuse("has a server of its own, and no key for it", cure))
        }
        (false, false) => Ok(()),
        (true, false) => Err(given.refuse("has the id of a key, and not its secret", cure)),
        (false, true) => Err(given.refuse("has the secret of a key, and not its id", cure)),
    }
}
