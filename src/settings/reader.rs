//! From values as they were written to checked ones. Each key is taken once; what is left over at the
//! end was never needed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use config::{Value, ValueKind};

use super::error::SettingsError;
use super::layers;
use crate::model::ByteSize;

/// The merged values, taken one by one.
pub(super) struct Reader {
    values: BTreeMap<String, Value>,
}

/// A value and where it came from: enough to say what is wrong with it.
pub(super) struct Given {
    key: &'static str,
    kind: ValueKind,
    origin: String,
}

impl Reader {
    pub(super) fn new(values: BTreeMap<String, Value>) -> Self {
        Self { values }
    }

    /// Keys that nobody took.
    #[cfg(test)]
    pub(super) fn left_over(&self) -> Vec<&str> {
        self.values.keys().map(String::as_str).collect()
    }

    pub(super) fn take(&mut self, key: &'static str) -> Result<Given, SettingsError> {
        match self.values.remove(key) {
            Some(value) => {
                let origin = value.origin().unwrap_or(layers::DEFAULT).to_owned();
                Ok(Given { key, kind: value.kind, origin })
            }
            None => Err(SettingsError {
                name: key.into(),
                value: None,
                origin: "the built-in defaults".into(),
                why: "has no value".into(),
                cure: "add it to config/default.toml".into(),
            }),
        }
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<String, SettingsError> {
        let given = self.take(key)?;
        given.text()
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Result<bool, SettingsError> {
        let given = self.take(key)?;
        match &given.kind {
            ValueKind::Boolean(value) => return Ok(*value),
            ValueKind::String(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => return Ok(true),
                "false" | "no" | "off" | "0" => return Ok(false),
                _ => {}
            },
            _ => {}
        }
        Err(given.refuse("is neither true nor false", "write true or false"))
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u32>,
    ) -> Result<u32, SettingsError> {
        let given = self.take(key)?;
        let number = match &given.kind {
            ValueKind::I64(number) => Some(*number),
            ValueKind::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            return Err(given.refuse("is not a whole number", &between(&range)));
        };
        match u32::try_from(number) {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(given.refuse("is out of range", &between(&range))),
        }
    }

    pub(super) fn duration(
        &mut self,
        key: &'static str,
        range: RangeInclusive<Duration>,
    ) -> Result<Duration, SettingsError> {
        let given = self.take(key)?;
        let parsed = match &given.kind {
            ValueKind::String(text) => humantime::parse_duration(text.trim()).ok(),
            _ => None,
        };
        let Some(duration) = parsed else {
            let cure = "write a number and a unit, such as 500ms, 30s, 2m or 1h";
            return Err(given.refuse("is not a duration", cure));
        };
        if range.contains(&duration) {
            return Ok(duration);
        }
        let cure = format!(
            "write {} to {}",
            humantime::format_duration(*range.start()),
            humantime::format_duration(*range.end())
        );
        Err(given.refuse("is out of range", &cure))
    }

    pub(super) fn size(
        &mut self,
        key: &'static str,
        range: RangeInclusive<ByteSize>,
    ) -> Result<ByteSize, SettingsError> {
        let given = self.take(key)?;
        let size = given.size()?;
        if range.contains(&size) {
            return Ok(size);
        }
        Err(given.refuse("is out of range", &between(&range)))
    }

    /// A size that 0 takes the bound from.
    pub(super) fn rate(
        &mut self,
        key: &'static str,
        range: RangeInclusive<ByteSize>,
    ) -> Result<Option<ByteSize>, SettingsError> {
        let given = self.take(key)?;
        match given.size()? {
            ByteSize(0) => Ok(None),
            size if range.contains(&size) => Ok(Some(size)),
            _ => {
                Err(given
                    .refuse("is out of range", &format!("{}, or 0 for no bound", between(&range))))
            }
        }
    }

    pub(super) fn list(
        &mut self,
        key: &'static str,
    ) -> Result<(Vec<String>, Given), SettingsError> {
        let given = self.take(key)?;
        let cure = "write a list of texts: [\"*.tmp\", \"cache/\"]";
        let ValueKind::Array(parts) = &given.kind else {
            return Err(given.refuse("is not a list", cure));
        };
        let texts: Option<Vec<String>> = parts
            .iter()
            .map(|part| match &part.kind {
                ValueKind::String(text) => Some(text.clone()),
                _ => None,
            })
            .collect();
        match texts {
            Some(texts) => Ok((texts, given)),
            None => Err(given.refuse("holds something that is not text", cure)),
        }
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Result<T, SettingsError> {
        let given = self.take(key)?;
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let word = given.word(&names)?;
        let found = words.iter().find(|(name, _)| *name == word);
        Ok(found.expect("the word is one of the names").1)
    }
}

impl Given {
    pub(super) fn text(&self) -> Result<String, SettingsError> {
        match &self.kind {
            ValueKind::String(text) => Ok(text.clone()),
            _ => Err(self.refuse("is not text", "put it in quotes")),
        }
    }

    fn size(&self) -> Result<ByteSize, SettingsError> {
        let parsed = match &self.kind {
            ValueKind::I64(number) => u64::try_from(*number).ok().map(ByteSize),
            ValueKind::String(text) => text.parse().ok(),
            _ => None,
        };
        let cure = "write a number and a unit, such as 512KiB, 5MiB or 1GB (or 0)";
        parsed.ok_or_else(|| self.refuse("is not a size", cure))
    }

    /// As [`Given::text`]; a whole number, as a file may give it, is text too.
    pub(super) fn number_or_text(&self) -> Result<String, SettingsError> {
        match &self.kind {
            ValueKind::I64(number) => Ok(number.to_string()),
            _ => self.text(),
        }
    }

    /// The word that was given, one of `words`. Words for yes and no may also be given as such.
    pub(super) fn word<'w>(&self, words: &[&'w str]) -> Result<&'w str, SettingsError> {
        let text = match &self.kind {
            ValueKind::Boolean(value) => value.to_string(),
            _ => self.text()?,
        };
        let given = text.trim().to_ascii_lowercase();
        match words.iter().find(|word| **word == given) {
            Some(word) => Ok(word),
            None => Err(self.refuse("is not known", &format!("write one of {}", words.join(", ")))),
        }
    }

    pub(super) fn refuse(&self, why: &str, cure: &str) -> SettingsError {
        SettingsError {
            name: self.key.into(),
            value: Some(layers::display(self.key, &self.kind)),
            origin: self.origin.clone(),
            why: why.into(),
            cure: cure.into(),
        }
    }
}

fn between<T: std::fmt::Display>(range: &RangeInclusive<T>) -> String {
    format!("write {} to {}", range.start(), range.end())
}
