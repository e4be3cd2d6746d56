//! The layers that settings come from, laid over one another: each value keeps its origin.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{Config, File, FileFormat, Map, Source, Value, ValueKind};

use super::error::{SettingsError, nearest};
use super::{Sources, shown};

const DEFAULTS: &str = include_str!("../../config/default.toml");
const DEFAULT_FILE: &str = "config/imagecached.toml";
const PREFIX: &str = "IMAGECACHED_";
const CONFIG_VARIABLE: &str = "IMAGECACHED_CONFIG";
/// The tests of this program have variables of their own.
const TEST_PREFIX: &str = "IMAGECACHED_TEST_";

/// What an origin is called that is not a place a person wrote to.
pub(super) const DEFAULT: &str = "default";

/// One source's values, each with its origin inside.
#[derive(Debug, Clone, Default)]
struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// The default of every key: which keys there are is said here and nowhere else.
pub(super) fn defaults() -> Result<BTreeMap<String, Value>, SettingsError> {
    let layer = parse(DEFAULTS, |_| true, |_| DEFAULT.into(), "the built-in defaults")?;
    Ok(layer.0.into_iter().collect())
}

/// All layers laid over one another; the later wins.
pub(super) fn merged(
    sources: &Sources,
    defaults: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, SettingsError> {
    let merged = Config::builder()
        .add_source(Layer(defaults.clone().into_iter().collect()))
        .add_source(file_layer(sources, defaults)?)
        .add_source(environment_layer(&sources.environment, defaults)?)
        .add_source(flag_layer(&sources.flags, defaults)?)
        .build()
        .and_then(|config| config.collect())
        .map_err(|cause| SettingsError {
            name: "the settings".into(),
            value: None,
            origin: "all sources".into(),
            why: cause.to_string(),
            cure: "see `imagecached print-config`".into(),
        })?;
    Ok(flat(merged, &|key| is_group(key, defaults)).into_iter().collect())
}

/// Whether a table of this name holds settings: `http` does, of `http.prefix`.
fn is_group(key: &str, defaults: &BTreeMap<String, Value>) -> bool {
    defaults.keys().any(|known| known.split_once('.').is_some_and(|(group, _)| group == key))
}

/// Takes groups apart: `http` with `prefix` in it becomes `http.prefix`.
fn flat(values: Map<String, Value>, is_group: &dyn Fn(&str) -> bool) -> Map<String, Value> {
    let apart = |(key, value): (String, Value)| match value.kind {
        ValueKind::Table(group) if is_group(&key) => {
            group.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)).collect()
        }
        _ => vec![(key, value)],
    };
    values.into_iter().flat_map(apart).collect()
}

fn file_layer(
    sources: &Sources,
    defaults: &BTreeMap<String, Value>,
) -> Result<Layer, SettingsError> {
    let Some((path, asked_by)) = file_to_read(sources) else { return Ok(Layer::default()) };
    let shown_path = path.display().to_string();
    let full = sources.working_dir.join(&path);
    let text = match std::fs::read_to_string(&full) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound && asked_by.is_none() => {
            return Ok(Layer::default());
        }
        Err(cause) => {
            return Err(SettingsError {
                name: "settings file".into(),
                value: Some(shown_path),
                origin: asked_by.unwrap_or("found in the working directory").into(),
                why: format!("cannot be read: {cause}"),
                cure: format!("make {} a readable TOML file, or do not name it", full.display()),
            });
        }
    };
    let origin = |key: &str| match line_of(key, &text) {
        Some(line) => format!("{shown_path}:{line}"),
        None => shown_path.clone(),
    };
    let layer = parse(&text, |key| is_group(key, defaults), origin, &shown_path)?;
    for key in layer.0.keys() {
        known(key, key, &origin(key), defaults)?;
    }
    Ok(layer)
}

/// The settings file, and who asked for it; nobody did where it is only looked for.
fn file_to_read(sources: &Sources) -> Option<(PathBuf, Option<&'static str>)> {
    if let Some(path) = &sources.config_file {
        return Some((path.clone(), Some("flag --config")));
    }
    let named = sources.environment.iter().rfind(|(name, _)| name == CONFIG_VARIABLE);
    if let Some((_, path)) = named.filter(|(_, path)| !path.is_empty()) {
        return Some((path.into(), Some("environment variable IMAGECACHED_CONFIG")));
    }
    Some((Path::new(DEFAULT_FILE).to_owned(), None))
}

fn environment_layer(
    environment: &[(OsString, OsString)],
    defaults: &BTreeMap<String, Value>,
) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    for (name, value) in environment {
        let Some(name) = name.to_str() else { continue };
        let (key, rank) = match name.strip_prefix(PREFIX) {
            None if name == "DATABASE_URL" => ("database_url".to_owned(), 0),
            None if name == "CLOUDINARY_URL" => ("cloudinary_url".to_owned(), 0),
            None => continue,
            Some(_) if name == CONFIG_VARIABLE || name.starts_with(TEST_PREFIX) => continue,
            Some(rest) => (key_of_variable(rest, defaults), 1),
        };
        let origin = format!("environment variable {name}");
        // Capitals only: two spellings of one setting would have no order.
        let as_known = if rank == 1 && name != name.to_ascii_uppercase() { name } else { &key };
        known(as_known, name, &origin, defaults)?;
        let Some(text) = value.to_str() else {
            return Err(SettingsError {
                name: key,
                value: None,
                origin,
                why: "is not UTF-8 text".into(),
                cure: format!("set {name} to UTF-8 text"),
            });
        };
        if text.is_empty() || (rank == 0 && layer.0.contains_key(&key)) {
            continue;
        }
        layer.0.insert(key.clone(), text_value(&key, text, &origin, defaults));
    }
    Ok(layer)
}

/// The key that a variable gives, by its name without our prefix: `HTTP_PREFIX` is `http.prefix`.
fn key_of_variable(rest: &str, defaults: &BTreeMap<String, Value>) -> String {
    let key = rest.to_ascii_lowercase();
    let of_group = |known: &&String| known.contains('.') && known.replace('.', "_") == key;
    defaults.keys().find(of_group).cloned().unwrap_or(key)
}

fn flag_layer(
    flags: &[(String, String)],
    defaults: &BTreeMap<String, Value>,
) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    for (key, text) in flags {
        let flag = format!("--{}", key.replace('_', "-"));
        let origin = format!("flag {flag}");
        known(key, &flag, &origin, defaults)?;
        let value = text_value(key, text, &origin, defaults);
        match (layer.0.get_mut(key).map(|value| &mut value.kind), value.kind) {
            // A list's flag may be given several times.
            (Some(ValueKind::Array(so_far)), ValueKind::Array(more)) => so_far.extend(more),
            (_, kind) => {
                layer.0.insert(key.clone(), Value::new(Some(&origin), kind));
            }
        }
    }
    Ok(layer)
}

/// A value that was given as text. Whether it is a list is told by the default.
fn text_value(key: &str, text: &str, origin: &String, defaults: &BTreeMap<String, Value>) -> Value {
    if !matches!(defaults.get(key).map(|value| &value.kind), Some(ValueKind::Array(_))) {
        return Value::new(Some(origin), text);
    }
    let parts: Vec<Value> = text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| Value::new(Some(origin), part))
        .collect();
    Value::new(Some(origin), parts)
}

/// Refuses a key that is none. `written` is what the person wrote for it. The value is not told: a
/// variable with a wrong name may well hold a password.
fn known(
    key: &str,
    written: &str,
    origin: &str,
    defaults: &BTreeMap<String, Value>,
) -> Result<(), SettingsError> {
    if defaults.contains_key(key) {
        return Ok(());
    }
    let meant = nearest(&key.replace('-', "_").to_ascii_lowercase(), defaults.keys().map(|k| &**k))
        .or_else(|| {
            // A variable in small letters: its key is right.
            let lower = key.to_ascii_lowercase();
            let rest = lower.strip_prefix("imagecached_")?.to_owned();
            defaults.keys().map(|k| &**k).find(|known| *known == rest)
        });
    let cure = match meant {
        Some(meant) if origin.starts_with("environment") => {
            format!("did you mean {PREFIX}{}?", meant.to_ascii_uppercase().replace('.', "_"))
        }
        Some(meant) if origin.starts_with("flag") => {
            format!("did you mean --{}?", meant.replace('_', "-"))
        }
        Some(meant) => format!("did you mean {meant}?"),
        None => "remove it; `imagecached print-config` lists all settings".into(),
    };
    Err(SettingsError {
        name: written.into(),
        value: None,
        origin: origin.into(),
        why: "is not a setting".into(),
        cure,
    })
}

fn parse(
    text: &str,
    is_group: impl Fn(&str) -> bool,
    origin: impl Fn(&str) -> String,
    name: &str,
) -> Result<Layer, SettingsError> {
    let values = Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .build()
        .and_then(|config| config.collect())
        .map_err(|cause| not_toml(&cause.to_string(), name))?;
    let with_origin = flat(values, &is_group).into_iter().map(|(key, value)| {
        let origin = origin(&key);
        let value = Value::new(Some(&origin), value.kind);
        (key, value)
    });
    Ok(Layer(with_origin.collect()))
}

/// The parser's report without the excerpt of the file in the middle of it: the line may hold a password.
fn not_toml(report: &str, name: &str) -> SettingsError {
    let place = report.lines().next().unwrap_or_default();
    let line = place
        .split_once("at line ")
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    let excerpt = |line: &&str| {
        line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|')
    };
    let why: Vec<&str> = report.lines().skip(1).filter(|line| !excerpt(line)).collect();
    SettingsError {
        name: "settings file".into(),
        value: None,
        origin: match line {
            Some(line) if !line.is_empty() => format!("{name}:{line}"),
            _ => name.into(),
        },
        why: format!("is not TOML: {}", why.join(" ").trim()),
        cure: "write a setting as key = \"value\", text in quotes".into(),
    }
}

/// The line, from 1, on which a key is set.
fn line_of(key: &str, text: &str) -> Option<usize> {
    let in_its_table = || {
        let (group, name) = key.split_once('.')?;
        let header = line_that_sets(group, text)?;
        let rest: String = text.split_inclusive('\n').skip(header).collect();
        line_that_sets(name, &rest).map(|line| header + line)
    };
    line_that_sets(key, text).or_else(in_its_table)
}

fn line_that_sets(key: &str, text: &str) -> Option<usize> {
    let sets = |line: &str| {
        let line = line.trim_start();
        let rest = line
            .strip_prefix(key)
            .or_else(|| line.strip_prefix('"')?.strip_prefix(key)?.strip_prefix('"'))
            .or_else(|| line.strip_prefix('[')?.trim_start().strip_prefix(key));
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
    };
    text.lines().position(sets).map(|index| index + 1)
}

/// A value as `print-config` shows it.
pub(super) fn display(key: &str, kind: &ValueKind) -> String {
    match kind {
        ValueKind::Array(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| shown(key, &part.to_string())).collect();
            parts.join(", ")
        }
        // A whole table where a value should be: its values may be anything.
        ValueKind::Table(_) => "(a table)".into(),
        other => shown(key, &other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_the_parser_keeps_its_place_and_loses_the_excerpt() {
        let text = "quiet = \"2s\"\ndatabase_url = \"postgres://u:s3cret@h/db\n";
        let error = parse(text, |_| true, |_| String::new(), "app.toml").unwrap_err();
        let told = error.to_string();
        assert!(told.starts_with("settings file (app.toml:2): is not TOML: "), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }

    #[test]
    fn the_line_of_a_key_is_found() {
        let text = "# quiet = 1\nquieter = 2\n  quiet=3\n[table]\n";
        assert_eq!(line_of("quiet", text), Some(3));
        assert_eq!(line_of("table", text), Some(4));
        let text = "prefix = 1\n[http]\n\nprefix = 2\n";
        assert_eq!(line_of("http.prefix", text), Some(4));
        assert_eq!(line_of("http.prefix", "\nhttp.prefix = 2\n"), Some(2));
        assert_eq!(line_of("missing", text), None);
    }
}
