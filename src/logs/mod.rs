//! Logs: lines on standard error, for people on a terminal and for programs elsewhere.
//!
//! Every call gives the field `event`, a stable name, and a message for people:
//!
//! ```
//! # use tracing::info;
//! info!(event = "captured", files = 3, bytes = 1234, "3 files are safe");
//! ```
//!
//! docs/logs.md lists the events; a test keeps that list and the source together.

mod keep;

use std::fmt;
use std::io;
use std::sync::Arc;

use tracing::Subscriber;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::logs::keep::Keep;
use crate::model::recent_lines::RecentLines;
use crate::settings::{LogFormat, LogLevel};

/// Whether a line that cannot be written is complained about on standard error: that panics where
/// standard error is what is closed.
const COMPLAIN: bool = false;

/// Starts logging to standard error, which is a `terminal` or not. Lines of importance `info` and above
/// are kept in `recent` as well, whatever `level` is.
///
/// # Errors
/// When logging has been started already.
pub fn init(
    format: LogFormat,
    level: LogLevel,
    terminal: bool,
    recent: Arc<RecentLines>,
) -> Result<(), TryInitError> {
    let keep = Keep(recent).with_filter(filter(LogLevel::Info));
    subscriber(format, level, terminal, io::stderr).with(keep).try_init()
}

fn subscriber<W>(
    format: LogFormat,
    level: LogLevel,
    terminal: bool,
    writer: W,
) -> impl Subscriber + for<'span> LookupSpan<'span> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = match (format, terminal) {
        (LogFormat::Json, _) => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_target(false)
            .with_writer(writer)
            .log_internal_errors(COMPLAIN)
            .boxed(),
        (LogFormat::Text, _) | (LogFormat::Auto, true) => tracing_subscriber::fmt::layer()
            .compact()
            .fmt_fields(debug_fn(on_one_line).delimited(" "))
            .with_target(false)
            .with_ansi(terminal && colour_wanted())
            .with_writer(writer)
            .log_internal_errors(COMPLAIN)
            .boxed(),
        (LogFormat::Logfmt, _) | (LogFormat::Auto, false) => tracing_logfmt::builder()
            .with_target(false)
            .with_span_name(false)
            .with_span_path(false)
            .layer()
            .with_writer(writer)
            .log_internal_errors(COMPLAIN)
            .boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter(level)))
}

/// Our own lines from `level` on; other crates speak up for warnings only.
fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_PKG_NAME"), level)
}

/// A field of a text line. Control characters are written out: a file's name must neither begin a line
/// of its own nor speak to the terminal.
fn on_one_line(line: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(line, "{}=", field.name())?;
    }
    for c in format!("{value:?}").chars() {
        if c.is_control() {
            write!(line, "{}", c.escape_default())?;
        } else {
            line.write_char(c)?;
        }
    }
    Ok(())
}

/// The wish of <https://no-color.org>.
fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{debug, info, warn};

    use super::*;

    /// What the lines in `speak` come out as.
    fn written(format: LogFormat, level: LogLevel, terminal: bool, speak: impl FnOnce()) -> String {
        #[derive(Clone, Default)]
        struct Sheet(Arc<Mutex<Vec<u8>>>);
        impl io::Write for Sheet {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().write(bytes)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let sheet = Sheet::default();
        let writer = sheet.clone();
        let subscriber = subscriber(format, level, terminal, move || writer.clone());
        tracing::subscriber::with_default(subscriber, speak);
        String::from_utf8(sheet.0.lock().unwrap().clone()).unwrap()
    }

    fn speak() {
        info!(event = "captured", files = 3, bytes = 1234, "3 files are safe");
    }

    #[test]
    fn logfmt_is_the_form_away_from_a_terminal() {
        let line = written(LogFormat::Auto, LogLevel::Info, false, speak);
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("ts=20"), "{line}");
        assert_eq!(
            rest,
            "level=info message=\"3 files are safe\" event=captured files=3 bytes=1234\n"
        );
    }

    #[test]
    fn text_is_the_form_on_a_terminal() {
        let line = written(LogFormat::Auto, LogLevel::Info, true, speak);
        assert!(line.contains("3 files are safe"), "{line}");
        let line = written(LogFormat::Text, LogLevel::Info, false, speak);
        assert!(!line.contains('\u{1b}'), "colour away from a terminal: {line:?}");
        assert!(
            line.contains("INFO 3 files are safe event=\"captured\" files=3 bytes=1234"),
            "{line}"
        );
    }

    #[test]
    fn json_is_flat() {
        let line = written(LogFormat::Json, LogLevel::Info, true, speak);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert!(value["timestamp"].as_str().unwrap().starts_with("20"));
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys.len(), 6, "{line}");
        assert_eq!(value["level"], "INFO");
        assert_eq!(value["event"], "captured");
        assert_eq!(value["files"], 3);
        assert_eq!(value["message"], "3 files are safe");
    }

    #[test]
    fn the_level_is_ours_and_others_only_warn() {
        let all = || {
            debug!(event = "captured", "ours");
            debug!(target: "sqlx::query", "theirs");
            warn!(target: "sqlx::query", "their warning");
        };
        let lines = written(LogFormat::Logfmt, LogLevel::Debug, false, all);
        assert!(lines.contains("ours") && lines.contains("their warning"), "{lines}");
        assert!(!lines.contains("theirs"), "{lines}");
        assert_eq!(written(LogFormat::Logfmt, LogLevel::Error, false, all), "");
    }

    #[test]
    fn lines_are_kept_for_the_panel_even_where_fewer_are_written() {
        let recent = Arc::<RecentLines>::default();
        let keep = Keep(recent.clone()).with_filter(filter(LogLevel::Info));
        let subscriber = subscriber(LogFormat::Auto, LogLevel::Error, false, io::sink).with(keep);
        tracing::subscriber::with_default(subscriber, || {
            speak();
            debug!(event = "captured", "too small a thing");
            warn!(event = "skipped", path = %"a b", "not cached");
        });
        let lines = recent.after(0);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!((&*lines[0].event, &*lines[0].message), ("captured", "3 files are safe"));
        assert_eq!(lines[0].fields[0], ("files".to_owned(), "3".to_owned()));
        assert_eq!(lines[1].fields, [("path".to_owned(), "a b".to_owned())]);
    }

    #[test]
    fn t24_a_file_name_cannot_forge_a_line() {
        let forged = "a\u{1b}[2J.jpg\nts=2020 level=error event=captured message=\"lost\"";
        for format in [LogFormat::Logfmt, LogFormat::Json, LogFormat::Text] {
            let line = written(format, LogLevel::Info, false, || {
                info!(event = "skipped", path = %forged, "skipped {forged:?}");
                info!(event = "skipped", path = forged, "skipped");
            });
            assert_eq!(line.lines().count(), 2, "{format:?}: {line}");
            assert!(!line.contains('\u{1b}'), "{format:?}: {line:?}");
        }
    }
}
