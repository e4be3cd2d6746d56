//! The list of entries: searched, filtered, sorted, page by page, with boxes to select some.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use crate::http::api::cursor;
use crate::http::{Problem, Site};
use crate::model::entry::PayloadKind;
use crate::model::{Entry, Timestamp, UploadPath};
use crate::store::{ListQuery, Page, Sort};
use crate::uploads::UploadDir;

use super::fields::Fields;
use super::frame::{Frame, Tab, show};
use super::overview::now;
use super::query::{KINDS, Wanted, sort_name};
use super::text::Texts;

/// Entries that are compared with the disk for one page: it must come soon, however few of many entries
/// are wanted.
const COMPARED: usize = 5_000;

/// Entries are counted up to so many.
const COUNTED: u64 = 1_000;

/// Larger pictures are no thumbnails: a browser would load them whole.
pub const THUMBNAIL_BYTES: u64 = 8 << 20;

#[derive(Template)]
#[template(path = "entries.html")]
struct Shown<'p> {
    frame: &'p Frame,
    /// Entries on all pages.
    count: Option<String>,
    guarded: bool,
    search: &'p str,
    days: String,
    kinds: Vec<Choice>,
    payloads: Vec<Choice>,
    on_disk: Vec<Choice>,
    sorts: Vec<Choice>,
    descending: bool,
    columns: Columns,
    filtered: bool,
    rows: Vec<Row>,
    /// Where the next page is.
    next: Option<String>,
    /// Where the page before is.
    previous: Option<String>,
    /// This is not the first page; where that is.
    first: Option<String>,
    /// The list was given up before a page was full.
    cut_short: bool,
}

/// A choice of a filter.
struct Choice {
    value: &'static str,
    name: &'static str,
    chosen: bool,
}

/// The heads of the columns that can be sorted.
struct Columns {
    path: Column,
    size: Column,
    updated: Column,
    accessed: Column,
}

struct Column {
    name: &'static str,
    address: String,
    /// The value of `aria-sort`.
    order: &'static str,
}

/// An entry as lists show it.
pub struct Row {
    pub id: i64,
    /// The directory, with its `/`.
    pub directory: String,
    pub name: String,
    pub owner: String,
    pub kind: String,
    pub size: String,
    pub place: &'static str,
    pub has_data: bool,
    pub updated: String,
    pub updated_at: String,
    pub accessed: String,
    pub accessed_at: String,
    pub is_picture: bool,
}

impl Row {
    /// Writes an entry out.
    pub fn of(entry: &Entry, frame: &Frame, now: Timestamp) -> Self {
        let language = frame.language;
        let cut = entry.original_path.rfind('/').map_or(0, |at| at + 1);
        let (directory, name) = entry.original_path.split_at(cut);
        Self {
            id: entry.id,
            directory: directory.to_owned(),
            name: name.to_owned(),
            owner: owner(entry),
            kind: entry.content_type_header.clone(),
            size: language.size(entry.file_size),
            place: place(frame.t, entry.payload),
            has_data: entry.has_data(),
            updated: language.when(entry.updated_at, now),
            updated_at: entry.updated_at.to_string(),
            accessed: language.when(entry.last_accessed, now),
            accessed_at: entry.last_accessed.to_string(),
            is_picture: is_picture(entry) && entry.file_size <= THUMBNAIL_BYTES,
        }
    }
}

/// Whether a browser can show it.
pub fn is_picture(entry: &Entry) -> bool {
    let shown =
        ["jpeg", "png", "gif", "webp", "avif", "svg+xml", "bmp", "x-icon", "vnd.microsoft.icon"];
    let kind = entry.content_type_header.strip_prefix("image/");
    entry.has_data() && kind.is_some_and(|kind| shown.contains(&kind))
}

/// Whose file it is: `shop.product 17`.
pub fn owner(entry: &Entry) -> String {
    format!("{} {}", entry.content_type, entry.object_id).trim().to_owned()
}

/// Where the bytes are.
pub fn place(text: &Texts, payload: PayloadKind) -> &'static str {
    match payload {
        PayloadKind::Inline => text.payload_inline,
        PayloadKind::Chunks => text.payload_chunks,
        PayloadKind::Url => text.payload_url,
        PayloadKind::None => text.payload_none,
    }
}

pub async fn page(
    State(site): State<Arc<Site>>,
    frame: Frame,
    fields: Fields,
) -> Result<Response, Problem> {
    let frame = frame.on(Tab::Entries);
    let wanted = Wanted::read(&fields)?;
    let found = find(&site, &wanted).await?;
    let (text, now) = (frame.t, now());
    let any = Choice { value: "", name: text.any, chosen: false };
    let choices = |choices: Vec<Choice>| std::iter::once(Choice { ..any }).chain(choices).collect();
    let kind_names = [text.pictures, text.videos, text.sounds, text.documents, text.plain_texts];
    let kinds = KINDS.into_iter().zip(kind_names);
    let places =
        [PayloadKind::Inline, PayloadKind::Chunks, PayloadKind::Url, PayloadKind::None].into_iter();
    let on_disk = [(true, "yes", text.is_on_disk), (false, "no", text.not_on_disk)].into_iter();
    let sorts = [
        (Sort::Updated, text.by_updated),
        (Sort::Accessed, text.by_accessed),
        (Sort::Created, text.by_created),
        (Sort::Size, text.by_size),
        (Sort::Path, text.by_path),
    ];
    let column = |sort, name| Column {
        name,
        address: wanted.sorted_by(sort).address(),
        order: match (wanted.sort == sort, wanted.descending) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        },
    };
    let count = found.count.map(|count| match count {
        count if count > COUNTED => (text.more_than)(COUNTED),
        _ => (text.entries_count)(count),
    });
    let page = Shown {
        count,
        guarded: site.guard.is_some(),
        search: wanted.search.as_deref().unwrap_or(""),
        days: wanted.days.map(|days| days.to_string()).unwrap_or_default(),
        kinds: choices(
            kinds
                .map(|(value, name)| Choice { value, name, chosen: wanted.kind == Some(value) })
                .collect(),
        ),
        payloads: choices(
            places
                .map(|kind| Choice {
                    value: kind.as_str(),
                    name: place(text, kind),
                    chosen: wanted.payload == Some(kind),
                })
                .collect(),
        ),
        on_disk: choices(
            on_disk
                .map(|(is, value, name)| Choice { value, name, chosen: wanted.on_disk == Some(is) })
                .collect(),
        ),
        sorts: sorts
            .into_iter()
            .map(|(sort, name)| Choice {
                value: sort_name(sort),
                name,
                chosen: wanted.sort == sort,
            })
            .collect(),
        descending: wanted.descending,
        columns: Columns {
            path: column(Sort::Path, text.path),
            size: column(Sort::Size, text.size),
            updated: column(Sort::Updated, text.updated),
            accessed: column(Sort::Accessed, text.accessed),
        },
        filtered: wanted.filters(),
        rows: found.entries.iter().map(|entry| Row::of(entry, &frame, now)).collect(),
        next: found.next.map(|cursor| wanted.address_at(&cursor)),
        previous: found.previous.map(|cursor| wanted.address_at(&cursor)),
        first: wanted.cursor.is_some().then(|| wanted.address()),
        cut_short: found.cut_short,
        frame: &frame,
    };
    Ok(show(StatusCode::OK, &frame, &page))
}

/// A page of a list.
struct Found {
    entries: Vec<Entry>,
    /// The cursors of the pages beside it.
    next: Option<String>,
    previous: Option<String>,
    /// Entries on all pages, where counting them is cheap.
    count: Option<u64>,
    cut_short: bool,
}

async fn find(site: &Site, wanted: &Wanted) -> Result<Found, Problem> {
    let token = site.gate.token();
    let list = wanted.query();
    let mut query = ListQuery { limit: Some(wanted.limit), ..list.clone() };
    if let Some(cursor) = &wanted.cursor {
        query = cursor::at(token, query, cursor)?;
    }
    let (page, cut_short) = match wanted.on_disk {
        None => {
            query.count_up_to = Some(COUNTED + 1);
            (site.store.page(&query).await?, false)
        }
        Some(on_disk) => compare(site, query, on_disk).await?,
    };
    let (previous, next) = cursor::beside(token, &list, &page);
    Ok(Found { entries: page.entries, next, previous, count: page.total, cut_short })
}

/// A page of the entries whose files are on disk, or are not; and whether it was given up before it was full.
async fn compare(
    site: &Site,
    mut query: ListQuery,
    on_disk: bool,
) -> Result<(Page, bool), Problem> {
    let guard = site.guard.as_ref().ok_or_else(Problem::no_upload_dir)?;
    let wanted = query.limit.unwrap_or(u32::MAX) as usize;
    let mut found: Option<Page> = None;
    let mut looked_at = 0;
    loop {
        let mut page = site.store.page(&query).await?;
        looked_at += page.entries.len();
        let present = presence(guard.upload_dir(), &page.entries).await?;
        let wanted_ones = page.entries.into_iter().zip(present).filter(|(_, is)| *is == on_disk);
        page.entries = wanted_ones.map(|(entry, _)| entry).collect();
        // A page may get some more entries than were asked for: leaving them out would lose them.
        let joined = match found {
            Some(found) if query.before.is_some() => page.join(found),
            Some(found) => found.join(page),
            None => page,
        };
        let goes_on = query.go_on(&joined);
        let cut_short = goes_on && looked_at >= COMPARED;
        if !goes_on || cut_short || joined.entries.len() >= wanted {
            return Ok((joined, cut_short));
        }
        found = Some(joined);
    }
}

/// Of each entry, whether its file is on disk.
///
/// # Errors
/// When the upload directory cannot be read.
pub async fn presence(upload_dir: &UploadDir, entries: &[Entry]) -> Result<Vec<bool>, Problem> {
    let paths: Vec<_> =
        entries.iter().map(|entry| UploadPath::parse(&entry.original_path).ok()).collect();
    let upload_dir = upload_dir.clone();
    let look = move || {
        let root = upload_dir.open()?;
        let is_there = |path: &Option<UploadPath>| match path {
            Some(path) => Ok(root.stat(path)?.is_some()),
            None => Ok(false),
        };
        paths.iter().map(is_there).collect::<std::io::Result<Vec<_>>>()
    };
    let looked = tokio::task::spawn_blocking(look).await.expect("looking at files does not panic");
    looked.map_err(|error| {
        let detail = format!("cannot look into the upload directory: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })
}
