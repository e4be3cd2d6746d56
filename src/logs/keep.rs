//! Keeps the last lines for the panel, beside writing them.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::model::Timestamp;
use crate::model::recent_lines::{Importance, Line, RecentLines};

/// The layer that keeps lines.
pub struct Keep(pub Arc<RecentLines>);

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            Level::ERROR => Importance::Error,
            Level::WARN => Importance::Warn,
            _ => Importance::Info,
        };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
        let empty = || (String::new(), String::new(), Vec::new());
        let (name, message, fields) = empty();
        let mut line = Line { number: 0, at, level, event: name, message, fields };
        event.record(&mut Reader(&mut line));
        self.0.push(line);
    }
}

/// Puts the fields of an event into a line.
struct Reader<'line>(&'line mut Line);

impl Reader<'_> {
    fn take(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.0.message = value,
            "event" => self.0.event = value,
            name => self.0.fields.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Reader<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}
