//! Database URLs as platforms, frameworks and people write them, turned into what the drivers take.
//!
//! A form that has one meaning is taken; one that has none, or two, is refused with its cure. Nothing
//! here ever puts a password into an error or a note.

mod parameters;
mod place;
mod server;
mod sqlite;

use std::path::Path;

pub use place::place;

use crate::model::Target;
use server::{Host, Server};

/// A database URL that has been understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Understood {
    pub target: Target,
    /// How it was read, where that is not plain: for the log.
    pub notes: Vec<String>,
}

/// A database URL that cannot be used. Holds no part of it that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}; {cure}")]
pub struct UrlError {
    pub why: String,
    pub cure: String,
}

impl UrlError {
    fn new(why: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { why: why.into(), cure: cure.into() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Product {
    Postgres,
    MySql,
    Sqlite,
}

/// Schemes as written by Django, dj-database-url, django-environ, Rails, SQLAlchemy and the platforms.
const SCHEMES: [(&str, Product); 17] = [
    ("postgres", Product::Postgres),
    ("postgresql", Product::Postgres),
    ("postgis", Product::Postgres),
    ("pgsql", Product::Postgres),
    ("psql", Product::Postgres),
    ("timescale", Product::Postgres),
    ("timescalegis", Product::Postgres),
    ("mysql", Product::MySql),
    ("mysql2", Product::MySql),
    ("mysqlgis", Product::MySql),
    ("mysql-connector", Product::MySql),
    ("pymysql", Product::MySql),
    ("trilogy", Product::MySql),
    ("mariadb", Product::MySql),
    ("sqlite", Product::Sqlite),
    ("sqlite3", Product::Sqlite),
    ("spatialite", Product::Sqlite),
];

const SUPPORTED: &str = "write postgres://user:password@host:5432/database, \
                         mysql://user:password@host:3306/database or sqlite:////path/to/file.sqlite3";

/// Reads a database URL. Relative SQLite files are taken from `working_dir`.
///
/// # Errors
/// Says why the URL cannot be used and what to write instead.
pub fn parse(text: &str, working_dir: &Path) -> Result<Understood, UrlError> {
    let text = unwrapped(text);
    let (product, rest) = scheme(text)?;
    if product == Product::Sqlite {
        return sqlite::parse(rest, working_dir);
    }
    if rest.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(UrlError::new(
            "has white space in it",
            "give the URL alone and on one line; a blank in a password is written %20",
        ));
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return Err(UrlError::new("has no // after its scheme", SUPPORTED));
    };
    let server = server::read(rest)?;
    let (given, mut notes) = match product {
        Product::Postgres => parameters::postgres(&server.parameters)?,
        _ => parameters::mysql(&server.parameters)?,
    };
    if server.raw_password {
        notes.push(
            "the password holds characters that a URL writes with %: read as it stands".into(),
        );
    }
    let target = match product {
        Product::Postgres => Target::Postgres(server.postgres_url(given)),
        _ => Target::MySql(server.mysql_url(given)?),
    };
    Ok(Understood { target, notes })
}

/// The URL without its secrets, for people. Hidden as a whole where it cannot be understood: then nobody
/// can tell which part of it is the password.
#[must_use]
pub fn redact(text: &str) -> String {
    let text = unwrapped(text);
    if text.is_empty() {
        return String::new();
    }
    if is_variable(text) {
        return text.into();
    }
    let hidden = || format!("(hidden, {} characters)", text.chars().count());
    let Ok((product, rest)) = scheme(text) else { return hidden() };
    let (name, _) = text.split_once(':').unwrap_or((text, ""));
    if product == Product::Sqlite {
        if sqlite::has_login(rest) {
            return hidden();
        }
        let (path, query) = rest.split_once('?').map_or((rest, ""), |(path, _)| (path, "?…"));
        return format!("{name}:{path}{query}");
    }
    match rest.strip_prefix("//").map(server::read) {
        Some(Ok(server)) => shown(name, &server),
        _ => hidden(),
    }
}

fn shown(scheme: &str, server: &Server) -> String {
    let login = match (&server.user, &server.password) {
        (Some(user), Some(_)) => format!("{user}:…@"),
        (Some(user), None) => format!("{user}@"),
        (None, Some(_)) => ":…@".into(),
        (None, None) => String::new(),
    };
    let host = match &server.host {
        Host::Name(name) => name.as_str(),
        Host::Socket(path) => path.as_str(),
        Host::Default => "",
    };
    let port = server.port.map(|port| format!(":{port}")).unwrap_or_default();
    let parameters = if server.parameters.is_empty() { "" } else { "?…" };
    format!("{scheme}://{login}{host}{port}/{}{parameters}", server.database)
}

/// The value without what copying it adds: white space, line breaks, quotes.
fn unwrapped(mut text: &str) -> &str {
    loop {
        let trimmed = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        let inner = ['"', '\'', '`']
            .iter()
            .find_map(|&quote| trimmed.strip_prefix(quote)?.strip_suffix(quote));
        match inner {
            Some(inner) => text = inner,
            None => return trimmed,
        }
    }
}

/// The product that the scheme names, and what follows the colon.
fn scheme(text: &str) -> Result<(Product, &str), UrlError> {
    if is_variable(text) || text.contains("${") || text.contains("{{") {
        return Err(UrlError::new(
            "is the name of another variable, which nobody has put in",
            "set it to that variable's value: `imagecached` does not expand variables, a shell or the platform does",
        ));
    }
    for (prefix, cure) in [
        ("DATABASE_URL=", "give what follows the = alone"),
        ("jdbc:", "remove jdbc: from its start"),
        ("psql ", "give the URL alone, from postgresql:// on and without quotes"),
    ] {
        if text.starts_with(prefix) {
            return Err(UrlError::new(format!("begins with {}", prefix.trim()), cure));
        }
    }
    let no_scheme = || UrlError::new("does not begin with the scheme of a database", SUPPORTED);
    let (name, rest) = text.split_once(':').ok_or_else(no_scheme)?;
    // SQLAlchemy names its driver after a plus: postgresql+psycopg2.
    let base = name.split('+').next().unwrap_or(name).to_ascii_lowercase();
    if let Some((_, product)) = SCHEMES.iter().find(|(known, _)| *known == base) {
        return Ok((*product, rest));
    }
    let could_be_scheme = rest.starts_with("//")
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    if could_be_scheme {
        let why = format!("names a database that is not supported: {name}://");
        return Err(UrlError::new(why, SUPPORTED));
    }
    Err(no_scheme())
}

/// Whether the whole text is `$NAME`, `${NAME}` or `%NAME%`.
fn is_variable(text: &str) -> bool {
    let name = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .or_else(|| text.strip_prefix('%').and_then(|rest| rest.strip_suffix('%')))
        .or_else(|| text.strip_prefix('$'));
    name.is_some_and(|name| {
        name.contains('_')
            && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}
