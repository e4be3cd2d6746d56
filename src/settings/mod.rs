//! The settings: read from four layers, checked once, and from then on typed.
//!
//! What each one means, its unit and its default stand in `config/default.toml` and only there.

mod database_url;
mod deletes;
mod error;
mod http;
mod layers;
mod reader;
mod remote;
mod upload_dir;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub use database_url::{
    Understood, UrlError, parse as parse_database_url, place as database_place, redact,
};
pub use deletes::{DeleteSettings, OnDelete};
pub use error::SettingsError;
pub use http::HttpSettings;
pub use remote::{LargeFiles, RemoteFiles, RemoteSettings};
pub use upload_dir::{UploadDirError, check_upload_dir};

use crate::model::Target;
use crate::model::{ByteSize, Patterns};
use reader::Reader;

/// Where settings are read from. Nothing else is looked at, not even the process's own environment.
///
/// It holds every variable of the environment, secrets too, and so has no `Debug`.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file named by `--config`.
    pub config_file: Option<PathBuf>,
    /// All environment variables; others than ours are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// Key and value of each flag that was given. A list's key may come several times.
    pub flags: Vec<(String, String)>,
    /// What relative paths start from: absolute.
    pub working_dir: PathBuf,
}

impl Sources {
    /// This process's own environment and working directory, with what its command line gives.
    ///
    /// # Errors
    /// When the working directory is gone or cannot be entered.
    pub fn of_process(
        config_file: Option<PathBuf>,
        flags: Vec<(String, String)>,
    ) -> std::io::Result<Self> {
        let working_dir = std::env::current_dir()?;
        Ok(Self { config_file, environment: std::env::vars_os().collect(), flags, working_dir })
    }
}

/// The settings and where each of them came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub settings: Settings,
    /// Every setting, in the order of their keys.
    pub origins: Vec<Shown>,
}

/// A setting as it may be shown: secrets are hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub key: String,
    pub value: String,
    pub default: String,
    /// `default`, `app.toml:3`, `environment variable DATABASE_URL`, `flag --quiet`.
    pub origin: String,
}

/// Whether restored files are flushed to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durable {
    Auto,
    Always,
    Never,
}

/// Least important log lines that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, logfmt elsewhere.
    Auto,
    Text,
    Logfmt,
    Json,
}

/// Every setting, checked. The fields are named after the keys in `config/default.toml`.
///
/// The database's password is inside [`Target`], which never shows it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// As given: [`check_upload_dir`] says whether it can be meant, and makes it absolute.
    pub upload_dir: PathBuf,
    pub allow_any_upload_dir: bool,
    /// The settings `exclude` and `include`.
    pub patterns: Patterns,
    /// The database that `database_url` names, and what is to be said about the way it was read.
    pub database: Understood,
    pub database_connections: u32,
    pub database_wait: Duration,
    pub database_timeout: Duration,
    pub database_required: bool,
    pub migrate: bool,
    /// The settings `object_store…`, `cloudinary_…`, `large_files`, `remote` and `remove_objects`.
    pub remote: RemoteSettings,
    pub inline_limit: ByteSize,
    pub scan_interval: Duration,
    pub quiet: Duration,
    pub held_open: Duration,
    pub bytes_in_flight: ByteSize,
    pub readers: u32,
    /// A second; `None`: no bound.
    pub backlog_rate: Option<ByteSize>,
    /// The settings `on_delete`, `delete_…` and `keep_deleted`.
    pub deletes: DeleteSettings,
    pub keep_versions: Duration,
    pub most_versions: u32,
    /// Zero: never.
    pub verify_interval: Duration,
    /// A second.
    pub verify_rate: ByteSize,
    pub boot_deadline: Duration,
    pub shutdown_limit: Duration,
    pub durable: Durable,
    /// Resolved: the directory itself, never empty.
    pub state_dir: PathBuf,
    /// The settings `listen`, `token` and `http.prefix`.
    pub http: HttpSettings,
    pub log_level: LogLevel,
    pub log_format: LogFormat,
}

/// Reads all layers and checks every value.
///
/// # Errors
/// Names the first setting that is unknown or cannot be used, where it was given, why and the cure.
pub fn load(sources: &Sources) -> Result<Loaded, SettingsError> {
    let defaults = layers::defaults()?;
    let merged = layers::merged(sources, &defaults)?;
    let origins = merged
        .iter()
        .map(|(key, value)| Shown {
            key: key.clone(),
            value: layers::display(key, &value.kind),
            default: defaults
                .get(key)
                .map(|value| layers::display(key, &value.kind))
                .unwrap_or_default(),
            origin: value.origin().unwrap_or(layers::DEFAULT).to_owned(),
        })
        .collect();
    let settings = Settings::read(&mut Reader::new(merged), sources)?;
    Ok(Loaded { settings, origins })
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const MIB: u64 = 1 << 20;

impl Settings {
    fn read(reader: &mut Reader, sources: &Sources) -> Result<Self, SettingsError> {
        let quiet = reader.duration("quiet", Duration::from_millis(10)..=secs(600))?;
        let inline_limit = reader.size("inline_limit", ByteSize(0)..=ByteSize(256 * MIB))?;
        Ok(Self {
            upload_dir: reader.text("upload_dir")?.into(),
            allow_any_upload_dir: reader.flag("allow_any_upload_dir")?,
            patterns: patterns(reader)?,
            database: database(reader, sources)?,
            database_connections: reader.number("database_connections", 1..=64)?,
            database_wait: reader.duration("database_wait", Duration::ZERO..=secs(600))?,
            database_timeout: reader.duration("database_timeout", secs(1)..=secs(3_600))?,
            database_required: reader.flag("database_required")?,
            migrate: reader.flag("migrate")?,
            remote: remote::read(reader, sources)?,
            inline_limit,
            scan_interval: reader.duration("scan_interval", secs(1)..=secs(86_400))?,
            quiet,
            held_open: reader.duration("held_open", quiet..=secs(86_400))?,
            bytes_in_flight: bytes_in_flight(reader, inline_limit)?,
            readers: reader.number("readers", 1..=64)?,
            backlog_rate: reader
                .rate("backlog_rate", ByteSize(16 << 10)..=ByteSize(4_096 * MIB))?,
            deletes: deletes::read(reader)?,
            keep_versions: reader.duration("keep_versions", Duration::ZERO..=deletes::LONGEST)?,
            most_versions: reader.number("most_versions", 0..=1_000)?,
            verify_interval: reader
                .duration("verify_interval", Duration::ZERO..=secs(31_536_000))?,
            verify_rate: reader.size("verify_rate", ByteSize(16 << 10)..=ByteSize(4_096 * MIB))?,
            boot_deadline: reader.duration("boot_deadline", Duration::ZERO..=secs(3_600))?,
            shutdown_limit: reader.duration("shutdown_limit", secs(1)..=secs(600))?,
            durable: reader.choice(
                "durable",
                &[("auto", Durable::Auto), ("always", Durable::Always), ("never", Durable::Never)],
            )?,
            state_dir: state_dir(&reader.text("state_dir")?, sources),
            http: http::read(reader)?,
            log_level: reader.choice(
                "log_level",
                &[
                    ("error", LogLevel::Error),
                    ("warn", LogLevel::Warn),
                    ("info", LogLevel::Info),
                    ("debug", LogLevel::Debug),
                    ("trace", LogLevel::Trace),
                ],
            )?,
            log_format: reader.choice(
                "log_format",
                &[
                    ("auto", LogFormat::Auto),
                    ("text", LogFormat::Text),
                    ("logfmt", LogFormat::Logfmt),
                    ("json", LogFormat::Json),
                ],
            )?,
        })
    }
}

fn patterns(reader: &mut Reader) -> Result<Patterns, SettingsError> {
    let (exclude, given_exclude) = reader.list("exclude")?;
    let (include, given_include) = reader.list("include")?;
    let cure = "write the pattern as in a .gitignore file";
    // One list at a time, so that the error names the one that holds the pattern.
    Patterns::new(&exclude, &[]).map_err(|why| given_exclude.refuse(&why.to_string(), cure))?;
    Patterns::new(&exclude, &include).map_err(|why| given_include.refuse(&why.to_string(), cure))
}

fn database(reader: &mut Reader, sources: &Sources) -> Result<Understood, SettingsError> {
    let given = reader.take("database_url")?;
    let text = given.text()?;
    if text.is_empty() {
        let target = Target::Sqlite(sources.working_dir.join("imagecached.sqlite3"));
        return Ok(Understood { target, notes: Vec::new() });
    }
    database_url::parse(&text, &sources.working_dir)
        .map_err(|UrlError { why, cure }| given.refuse(&why, &cure))
}

fn bytes_in_flight(reader: &mut Reader, inline_limit: ByteSize) -> Result<ByteSize, SettingsError> {
    // Base64 makes four bytes of every three, begun ones too.
    let in_base64 = ByteSize(inline_limit.0.div_ceil(3) * 4);
    reader.size("bytes_in_flight", in_base64.max(ByteSize(MIB))..=ByteSize(4_096 * MIB))
}

fn state_dir(given: &str, sources: &Sources) -> PathBuf {
    if !given.is_empty() {
        return sources.working_dir.join(given);
    }
    let directory_in = |variable: &str| {
        let value = sources.environment.iter().rfind(|(name, _)| name == variable);
        value
            .map(|(_, path)| PathBuf::from(path))
            .filter(|path| path.is_absolute() && path.is_dir())
    };
    // A shell by `su` keeps the variable of a session that is gone: the directory must be there.
    directory_in("XDG_RUNTIME_DIR").or_else(|| directory_in("TMPDIR")).unwrap_or("/tmp".into())
}

/// What may be shown of a setting's value, whoever put a secret into it.
fn shown(key: &str, value: &str) -> String {
    if key == "token" && !value.is_empty() {
        // Not even its length: it tells how long guessing takes.
        "(hidden)".into()
    } else if let Some(shown) = remote::shown(key, value) {
        shown
    } else if (key == "database_url" && !value.is_empty()) || value.contains("://") {
        redact(value)
    } else {
        value.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reading takes every key of the type from the defaults, and fails where one is missing there.
    #[test]
    fn default_toml_and_the_type_agree() {
        let mut reader = Reader::new(layers::defaults().unwrap());
        Settings::read(&mut reader, &Sources::default()).unwrap();
        let left_over = reader.left_over();
        assert!(left_over.is_empty(), "in config/default.toml, but not read: {left_over:?}");
    }
}
