//! Which object store takes payloads, and which payloads it takes.

mod bucket;
mod cloudinary;

use super::error::SettingsError;
use super::reader::{Given, Reader};
use super::{Sources, UrlError};
use crate::model::ObjectStore;

/// Where the bytes of files over the inline limit go. The word `auto` has been replaced by what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LargeFiles {
    /// Into rows of 1 MiB in the database.
    Chunks,
    /// Into the object store.
    Remote,
    /// Nowhere: their entries have no data.
    Skip,
}

/// What the object store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteFiles {
    /// Files over the inline limit.
    Large,
    /// Every file.
    All,
}

/// The settings about payloads outside the database.
#[derive(Debug, Clone)]
pub struct RemoteSettings {
    /// The store, when there is one.
    pub store: Option<ObjectStore>,
    pub large_files: LargeFiles,
    pub files: RemoteFiles,
    /// Whether objects that no entry refers to any more may be removed.
    pub remove_objects: bool,
    /// What is not plain about the way it was read: for the log.
    pub notes: Vec<String>,
}

const NO_STORE: &str = "set object_store to s3://bucket/prefix, gs://…, az://…, file:///directory or \
                        cloudinary, or set CLOUDINARY_URL";

/// Reads and checks all of them.
pub(super) fn read(
    reader: &mut Reader,
    sources: &Sources,
) -> Result<RemoteSettings, SettingsError> {
    let given = reader.take("object_store")?;
    let cloudinary_url = reader.take("cloudinary_url")?;
    let ways = bucket::Ways {
        endpoint: reader.take("object_store_endpoint")?,
        region: reader.text("object_store_region")?,
        path_style: reader.choice(
            "object_store_path_style",
            &[("auto", None), ("true", Some(true)), ("false", Some(false))],
        )?,
        key_id: reader.text("object_store_key_id")?,
        secret: reader.take("object_store_secret")?,
    };
    let folder = reader.take("cloudinary_folder")?;
    let public = reader.flag("cloudinary_public")?;
    let mut notes = Vec::new();

    let named = given.text()?.trim().to_owned();
    let has_cloudinary = !cloudinary_url.text()?.trim().is_empty();
    let by_name = named.eq_ignore_ascii_case("cloudinary");
    let store = if by_name || (named.is_empty() && has_cloudinary) {
        if !has_cloudinary {
            let why = "needs CLOUDINARY_URL, which is not set";
            return Err(given.refuse(why, cloudinary::CURE));
        }
        let prefix = prefix(&folder)?;
        let account = cloudinary::parse(&cloudinary_url.text()?, prefix, public)
            .map_err(|UrlError { why, cure }| cloudinary_url.refuse(&why, &cure))?;
        Some(ObjectStore::Cloudinary(account))
    } else if named.is_empty() {
        None
    } else {
        if has_cloudinary {
            notes.push("object_store and CLOUDINARY_URL are both set: object_store is used".into());
        }
        Some(ObjectStore::Bucket(bucket::read(&given, &named, &ways, sources)?))
    };

    let large_given = reader.take("large_files")?;
    let large_files = match (large_given.word(&["auto", "chunks", "remote", "skip"])?, &store) {
        ("skip", _) => LargeFiles::Skip,
        ("remote", None) => {
            return Err(large_given.refuse("needs an object store, and none is set", NO_STORE));
        }
        ("remote" | "auto", Some(_)) => LargeFiles::Remote,
        _ => LargeFiles::Chunks,
    };
    let files_given = reader.take("remote")?;
    let files = match (files_given.word(&["large", "all"])?, &store) {
        ("all", None) => {
            return Err(files_given.refuse("needs an object store, and none is set", NO_STORE));
        }
        ("all", _) if large_files != LargeFiles::Remote => {
            let why = "wants every file in the object store, and large_files wants the large ones elsewhere";
            return Err(
                files_given.refuse(why, "set large_files = \"remote\", or remote = \"large\"")
            );
        }
        ("all", _) => RemoteFiles::All,
        _ => RemoteFiles::Large,
    };
    let remove_objects = reader.flag("remove_objects")?;
    Ok(RemoteSettings { store, large_files, files, remove_objects, notes })
}

/// What keys begin with: without the slashes around it.
fn prefix(given: &Given) -> Result<String, SettingsError> {
    let text = given.text()?;
    let prefix = text.trim().trim_matches('/');
    if let Some(why) = not_plain(prefix) {
        return Err(given.refuse(&why, PLAIN));
    }
    Ok(prefix.to_owned())
}

const PLAIN: &str = "write parts of letters, digits, - . and _, with / between them";

/// Why a text cannot be what keys begin with. Letters that stores, URLs and people read in one way only.
fn not_plain(prefix: &str) -> Option<String> {
    if prefix.is_empty() {
        return None;
    }
    if prefix.len() > 200 {
        return Some("is longer than 200 characters".into());
    }
    if let Some(c) = prefix.chars().find(|c| !(c.is_ascii_alphanumeric() || "-._/".contains(*c))) {
        return Some(format!("has {c:?} in it"));
    }
    let part = prefix.split('/').find(|part| part.is_empty() || part.bytes().all(|b| b == b'.'));
    part.map(|part| format!("has {part:?} as a part"))
}

/// What may be shown of a value that says where a store is, or how it is entered.
pub(super) fn shown(key: &str, value: &str) -> Option<String> {
    if value.is_empty() {
        return None;
    }
    let hidden = || format!("(hidden, {} characters)", value.chars().count());
    match key {
        "object_store_secret" | "object_store_key_id" => Some(hidden()),
        "cloudinary_url" => Some(cloudinary::shown(value).unwrap_or_else(hidden)),
        "object_store" | "object_store_endpoint" if value.contains(['@', '?']) => Some(hidden()),
        "object_store" | "object_store_endpoint" => Some(value.into()),
        _ => None,
    }
}
