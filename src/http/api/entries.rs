//! `GET entries/` and `GET entries/{id}/`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::api::ask::{Asked, Id, Nothing, Refusals};
use crate::http::api::{Api, cursor};
use crate::http::{Problem, Site};
use crate::model::entry::PayloadKind;
use crate::model::upload_path::MAX_PATH_BYTES;
use crate::model::{Entry, UploadPath};
use crate::store::{ListQuery, Page, Sort};
use crate::uploads::UploadDir;

/// A century: what is asked beyond it is a mistake.
pub const MOST_DAYS: u32 = 36_500;

/// Entries of one answer.
const MOST: u32 = 500;

/// Entries are counted up to here: beyond, only that there are more is told. To count all of many takes
/// longer than to list some.
const COUNTED: u64 = 1_000;

/// Entries looked for on disk for one answer.
const LOOKED_FOR: usize = 5_000;

/// Where the bytes are.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    Inline,
    Chunks,
    Url,
    None,
}

impl From<PayloadKind> for Payload {
    fn from(kind: PayloadKind) -> Self {
        match kind {
            PayloadKind::Inline => Self::Inline,
            PayloadKind::Chunks => Self::Chunks,
            PayloadKind::Url => Self::Url,
            PayloadKind::None => Self::None,
        }
    }
}

impl From<Payload> for PayloadKind {
    fn from(payload: Payload) -> Self {
        match payload {
            Payload::Inline => Self::Inline,
            Payload::Chunks => Self::Chunks,
            Payload::Url => Self::Url,
            Payload::None => Self::None,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    #[default]
    Path,
    Size,
    Created,
    Updated,
    Accessed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    #[default]
    Asc,
    Desc,
}

fn fifty() -> u32 {
    50
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Part of the path, compared byte by byte.
    #[param(max_length = 2048)]
    search: Option<String>,
    /// Start of the MIME type, such as `image/`.
    #[serde(rename = "type")]
    #[param(max_length = 255)]
    mime: Option<String>,
    /// Where the bytes are.
    #[param(inline)]
    payload: Option<Payload>,
    /// Whether the bytes can be read back.
    has_data: Option<bool>,
    /// Not seen on disk, restored or read for so many days.
    #[param(minimum = 0, maximum = 36_500)]
    not_accessed_days: Option<u32>,
    /// Whether there is a file of this name; only where the upload directory is. Looks at 5,000 entries at
    /// most: a page may be short, or empty, and have a next one.
    on_disk: Option<bool>,
    #[serde(default)]
    /// By what; the path, unless said otherwise. The id breaks ties.
    #[param(inline, required = false)]
    sort: By,
    #[serde(default)]
    /// Rising, unless said otherwise.
    #[param(inline, required = false)]
    order: Order,
    /// Most entries of this answer.
    #[serde(default = "fifty")]
    #[param(default = 50, minimum = 1, maximum = 500)]
    limit: u32,
    /// `next` or `previous` of another page of the same list.
    #[param(max_length = 4096)]
    cursor: Option<String>,
}

/// An entry: everything but its bytes.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed {
    pub id: i64,
    /// Label of the owning model; empty when unknown.
    #[schema(example = "shop.product")]
    pub content_type: String,
    /// Key of the owning object; empty when unknown.
    pub object_id: String,
    /// The upload path.
    #[schema(example = "products/red-shoe.jpg")]
    pub original_path: String,
    pub payload: Payload,
    /// Whether the bytes can be read back.
    pub has_data: bool,
    /// Where the object store has the bytes.
    pub image_url: Option<String>,
    /// Bytes of the file.
    pub file_size: u64,
    /// MIME type.
    #[schema(example = "image/jpeg")]
    pub content_type_header: String,
    /// First stored.
    #[schema(example = "2026-05-06T07:08:09Z")]
    pub created_at: String,
    /// Content last changed.
    #[schema(example = "2026-05-06T07:08:09Z")]
    pub updated_at: String,
    /// Last seen on disk, restored or read.
    #[schema(example = "2026-05-06T07:08:09Z")]
    pub last_accessed: String,
    /// Of the file's bytes, in hexadecimal digits.
    pub sha256: String,
    /// The file's mtime, nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The file's permission bits, octal.
    #[schema(example = "0644")]
    pub mode: String,
}

impl Listed {
    /// An entry, as it is told.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        Self {
            id: entry.id,
            content_type: entry.content_type.clone(),
            object_id: entry.object_id.clone(),
            original_path: entry.original_path.clone(),
            payload: entry.payload.into(),
            has_data: entry.has_data(),
            image_url: entry.image_url.clone(),
            file_size: entry.file_size,
            content_type_header: entry.content_type_header.clone(),
            created_at: entry.created_at.to_string(),
            updated_at: entry.updated_at.to_string(),
            last_accessed: entry.last_accessed.to_string(),
            sha256: entry.sha256.clone(),
            mtime_ns: entry.mtime_ns,
            mode: format!("{:04o}", entry.mode),
        }
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Part {
    pub entries: Vec<Listed>,
    /// The cursor of the next page; null at the end.
    pub next: Option<String>,
    /// The cursor of the page before; null at the beginning. With `on_disk` that page may be empty.
    pub previous: Option<String>,
    /// Entries of the whole list, counted up to 1,000; with the first page only, and not with `on_disk`.
    pub total: Option<u64>,
    /// There are more than `total`.
    pub total_is_more: bool,
}

/// Lists entries, page by page.
#[utoipa::path(
    get,
    path = "/entries/",
    tag = "entries",
    params(Wanted),
    responses(
        (status = 200, description = "A page of the list.", body = Part),
        (status = 409, description = "`on_disk`: this process does not have the upload directory.",
            body = Problem, content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn list(
    State(api): State<Arc<Api>>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Part>, Problem> {
    let (site, token) = (&api.site, api.site.gate.token());
    let list = wanted.query()?;
    let query = match &wanted.cursor {
        // To know whether many match finds the page sooner; the number itself is told once.
        Some(cursor) => {
            let query = cursor::at(token, list.clone(), cursor)?;
            ListQuery { count_up_to: wanted.on_disk.is_none().then_some(COUNTED + 1), ..query }
        }
        None if wanted.on_disk.is_some() => list.clone(),
        None => ListQuery { count_up_to: Some(COUNTED + 1), ..list.clone() },
    };
    let page = match wanted.on_disk {
        None => site.store.page(&query).await?,
        Some(on_disk) => look_for(site, query, on_disk).await?,
    };
    let (previous, next) = cursor::beside(token, &list, &page);
    let total = page.total.filter(|_| wanted.cursor.is_none());
    Ok(Json(Part {
        entries: page.entries.iter().map(Listed::of).collect(),
        next,
        previous,
        total: total.map(|total| total.min(COUNTED)),
        total_is_more: total.is_some_and(|total| total > COUNTED),
    }))
}

impl Wanted {
    fn query(&self) -> Result<ListQuery, Problem> {
        if !(1..=MOST).contains(&self.limit) {
            let detail = format!("limit: {} is not between 1 and {MOST}", self.limit);
            return Err(Problem::bad_request(detail));
        }
        if let Some(days) = self.not_accessed_days.filter(|days| *days > MOST_DAYS) {
            let detail = format!("not_accessed_days: {days} is more than {MOST_DAYS}");
            return Err(Problem::bad_request(detail));
        }
        Ok(ListQuery {
            search: part("search", &self.search, MAX_PATH_BYTES)?,
            mime: part("type", &self.mime, 255)?,
            payload: self.payload.map(Into::into),
            has_data: self.has_data,
            not_accessed_days: self.not_accessed_days,
            sort: match self.sort {
                By::Path => Sort::Path,
                By::Size => Sort::Size,
                By::Created => Sort::Created,
                By::Updated => Sort::Updated,
                By::Accessed => Sort::Accessed,
            },
            descending: self.order == Order::Desc,
            limit: Some(self.limit),
            ..ListQuery::default()
        })
    }
}

/// A text to look for; an empty one is none.
pub fn part(name: &str, text: &Option<String>, most: usize) -> Result<Option<String>, Problem> {
    let Some(text) = text.as_ref().filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > most {
        let detail = format!("{name}: {} bytes, and nothing is longer than {most}", text.len());
        return Err(Problem::bad_request(detail));
    }
    if text.contains('\0') {
        return Err(Problem::bad_request(format!("{name}: no path or type has a NUL in it")));
    }
    Ok(Some(text.clone()))
}

/// The entries whose files are there, or are not, until the page is full or enough were looked at.
async fn look_for(site: &Site, mut query: ListQuery, on_disk: bool) -> Result<Page, Problem> {
    let guard = site.guard.as_ref().ok_or_else(Problem::no_upload_dir)?;
    let wanted = query.limit.unwrap_or(MOST) as usize;
    let mut found: Option<Page> = None;
    let mut looked_for = 0;
    loop {
        // No more than what may be taken: the page must end where the next one begins.
        let taken = found.as_ref().map_or(0, |found| found.entries.len());
        query.limit = Some((wanted - taken) as u32);
        let mut page = site.store.page(&query).await?;
        looked_for += page.entries.len().max(1);
        let (upload_dir, entries) = (guard.upload_dir().clone(), page.entries);
        let look = move || there(&upload_dir, entries, on_disk);
        page.entries = tokio::task::spawn_blocking(look).await.expect("looking does not panic")?;
        let joined = match found {
            Some(found) if query.before.is_some() => page.join(found),
            Some(found) => found.join(page),
            None => page,
        };
        let goes_on = query.go_on(&joined);
        if !goes_on || joined.entries.len() >= wanted || looked_for >= LOOKED_FOR {
            return Ok(joined);
        }
        found = Some(joined);
    }
}

fn there(
    upload_dir: &UploadDir,
    entries: Vec<Entry>,
    on_disk: bool,
) -> Result<Vec<Entry>, Problem> {
    let cannot = |error: std::io::Error| {
        let root = upload_dir.root().display();
        let detail = format!("cannot look into the upload directory {root}: {error}");
        Problem::new(axum::http::StatusCode::SERVICE_UNAVAILABLE, detail)
    };
    let root = match upload_dir.open() {
        Ok(root) => Some(root),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot(error)),
    };
    let is_there = |entry: &Entry| match (&root, UploadPath::parse(&entry.original_path)) {
        (Some(root), Ok(path)) => root.stat(&path).is_ok_and(|stat| stat.is_some()),
        _ => false,
    };
    Ok(entries.into_iter().filter(|entry| is_there(entry) == on_disk).collect())
}

/// One entry.
#[utoipa::path(
    get,
    path = "/entries/{id}/",
    tag = "entries",
    params(("id" = i64, Path, description = "The entry.")),
    responses(
        (status = 200, description = "The entry.", body = Listed),
        (status = 404, description = "There is no such entry.", body = Problem,
            content_type = "application/problem+json"),
        Refusals,
    )
)]
pub async fn one(
    State(api): State<Arc<Api>>,
    Asked(Nothing {}): Asked<Nothing>,
    Id(id): Id,
) -> Result<Json<Listed>, Problem> {
    Ok(Json(Listed::of(&find(&api.site, id).await?)))
}

/// An entry by its id.
pub async fn find(site: &Site, id: i64) -> Result<Entry, Problem> {
    let query = ListQuery { ids: Some(vec![id]), ..ListQuery::default() };
    let found = site.store.list(&query).await?.pop();
    found.ok_or_else(|| Problem::not_found(format!("the entry {id}")))
}
