//! `GET /metrics`: figures for Prometheus, in the OpenMetrics text format.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::Mutex;

use crate::http::api::ask::{Asked, Nothing};
use crate::http::{GuardState, Problem, Site};
use crate::model::health::{Counters, Health, Watcher};
use crate::model::latency::BOUNDS;
use crate::store::Totals;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The entries are counted once in so long: it takes a while where there are a million.
const FRESH: Duration = Duration::from_secs(30);

/// What is scraped.
pub struct Scrape {
    site: Arc<Site>,
    counted: Mutex<Option<(Instant, Totals)>>,
}

impl Scrape {
    pub fn new(site: Arc<Site>) -> Self {
        Self { site, counted: Mutex::default() }
    }

    /// The figures of the database; `None` while it is away.
    async fn totals(&self) -> Option<Totals> {
        let mut counted = self.counted.lock().await;
        if let Some((at, totals)) = &*counted
            && at.elapsed() < FRESH
        {
            return Some(totals.clone());
        }
        let totals = self.site.store.totals().await.ok()?;
        *counted = Some((Instant::now(), totals.clone()));
        Some(totals)
    }
}

/// Figures for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "status",
    responses(
        (status = 200, description = "The figures.", body = String,
            content_type = "application/openmetrics-text"),
        (status = 400, description = "There are no parameters.", body = Problem,
            content_type = "application/problem+json"),
        (status = 401, description = "Beyond loopback this needs the token.", body = Problem,
            content_type = "application/problem+json"),
        (status = 421, description = "The header `Host` is no name of this machine.", body = Problem,
            content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong tokens from this address.", body = Problem,
            content_type = "application/problem+json"),
        (status = 500, description = "A fault in imagecached, noted in its log.", body = Problem,
            content_type = "application/problem+json"),
    )
)]
pub async fn metrics(
    State(scrape): State<Arc<Scrape>>,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Response, Problem> {
    let site = &scrape.site;
    let figures = Figures {
        health: site.health.clone(),
        guard: site.guard.as_ref().map(|guard| guard.state()),
        totals: scrape.totals().await,
    };
    let mut registry = Registry::with_prefix("imagecached");
    registry.register_collector(Box::new(figures));
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| {
        let detail = format!("the figures cannot be written: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// The figures of one moment.
#[derive(Debug)]
struct Figures {
    health: Arc<Health>,
    guard: Option<GuardState>,
    totals: Option<Totals>,
}

/// Writes metrics, one after another.
struct Writer<'e>(DescriptorEncoder<'e>);

impl Writer<'_> {
    fn begin(
        &mut self,
        kind: MetricType,
        name: &str,
        unit: Option<Unit>,
        help: &str,
        write: impl FnOnce(MetricEncoder<'_>) -> fmt::Result,
    ) -> fmt::Result {
        write(self.0.encode_descriptor(name, help, unit.as_ref(), kind)?)
    }

    fn gauge(&mut self, name: &str, unit: Option<Unit>, help: &str, value: f64) -> fmt::Result {
        let write = |mut encoder: MetricEncoder<'_>| encoder.encode_gauge(&value);
        self.begin(MetricType::Gauge, name, unit, help, write)
    }

    fn counter(&mut self, name: &str, unit: Option<Unit>, help: &str, value: u64) -> fmt::Result {
        let write = |mut encoder: MetricEncoder<'_>| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&value, None)
        };
        self.begin(MetricType::Counter, name, unit, help, write)
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        self.program(&mut writer)?;
        self.counters(&mut writer)?;
        if let Some(guard) = &self.guard {
            self.guard(guard, &mut writer)?;
        }
        match &self.totals {
            Some(totals) => database(totals, &mut writer),
            None => Ok(()),
        }
    }
}

impl Figures {
    fn program(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        writer.begin(MetricType::Info, "build", None, "The program.", |mut encoder| {
            encoder.encode_info(&version)
        })?;
        let up = f64::from(u8::from(self.health.database_away().is_none()));
        writer.gauge("database_up", None, "1 while the database answers.", up)
    }

    fn counters(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let counters = &self.health.counters;
        let files = [
            ("captured_files", "Files that became safe since the start.", &counters.captured_files),
            (
                "unchanged_files",
                "Files that were looked at and found stored since the start.",
                &counters.unchanged_files,
            ),
            (
                "left_out_files",
                "Large files left without data, as the settings want it, since the start.",
                &counters.left_out_files,
            ),
            (
                "capture_failures",
                "Times that a file could not be read or was refused since the start.",
                &counters.failures,
            ),
            ("restored_files", "Files put back since the start.", &counters.restored_files),
            (
                "damaged_entries",
                "Entries met whose bytes are not those that were stored.",
                &counters.damaged_entries,
            ),
            (
                "database_returns",
                "Times that the database came back since the start.",
                &counters.database_returns,
            ),
        ];
        for (name, help, counter) in files {
            writer.counter(name, None, help, Counters::get(counter))?;
        }
        self.verified(writer)?;
        let bytes = Counters::get(&counters.captured_bytes);
        let help = "Bytes of the files that became safe since the start.";
        writer.counter("captured", Some(Unit::Bytes), help, bytes)?;
        let bytes = Counters::get(&counters.restored_bytes);
        let help = "Bytes of the files put back since the start.";
        writer.counter("restored", Some(Unit::Bytes), help, bytes)
    }

    /// What the daemon's own verifying has come to, where it was asked for.
    fn verified(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let Some(verified) = self.health.verified() else { return Ok(()) };
        let help = "Entries read and compared by the daemon since the start.";
        writer.counter("verified_entries", None, help, verified.entries)?;
        let help = "Entries mended by the daemon's verifying since the start.";
        writer.counter("verify_mended_entries", None, help, verified.mended)?;
        let help = "Entries that verifying has found damaged or differing, and not mended.";
        writer.gauge("verify_damaged_entries", None, help, verified.not_mended as f64)?;
        let help = "Former contents that verifying has found damaged.";
        let damaged = verified.damaged_versions as f64;
        writer.gauge("verify_damaged_versions", None, help, damaged)?;
        let Some(at) = verified.last_round else { return Ok(()) };
        let help = "When all entries had been verified for the last time, seconds since 1970.";
        let seconds = at.0 as f64 / 1e6;
        writer.gauge("verify_last_round_timestamp", Some(Unit::Seconds), help, seconds)
    }

    fn guard(&self, guard: &GuardState, writer: &mut Writer<'_>) -> fmt::Result {
        let unsaved = guard.unsaved as f64;
        writer.gauge("unsaved_files", None, "Files that are seen and not safe.", unsaved)?;
        let oldest = guard.oldest_unsaved.unwrap_or_default().as_secs_f64();
        let help = "For how long the oldest unsaved file has been so; 0 without one.";
        writer.gauge("oldest_unsaved", Some(Unit::Seconds), help, oldest)?;
        if let Some(planned) = guard.restore_planned {
            writer.gauge("restore_planned_files", None, "Files to restore.", planned as f64)?;
        }
        let finished = f64::from(u8::from(guard.restore_finished));
        writer.gauge("restore_finished", None, "1 once the restore has finished.", finished)?;
        let degraded = matches!(self.health.watcher(), Watcher::Degraded(_));
        let help = "1 while only scans find new files.";
        writer.gauge("watcher_degraded", None, help, f64::from(u8::from(degraded)))?;
        if let Some(at) = self.health.last_capture() {
            let help = "When a file became safe for the last time, seconds since 1970.";
            let seconds = at.0 as f64 / 1e6;
            writer.gauge("last_capture_timestamp", Some(Unit::Seconds), help, seconds)?;
        }
        let latencies = self.health.latencies();
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        let buckets: Vec<(f64, u64)> = bounds.zip(latencies.buckets).collect();
        let help = "From the moment that a file was closed to the commit of its entry.";
        let kind = MetricType::Histogram;
        writer.begin(kind, "close_to_commit", Some(Unit::Seconds), help, |mut encoder| {
            let (sum, count) = (latencies.sum, latencies.count);
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
        })
    }
}

/// What is in the database.
fn database(totals: &Totals, writer: &mut Writer<'_>) -> fmt::Result {
    let places = [
        ("inline", totals.inline),
        ("chunks", totals.chunked),
        ("url", totals.by_url),
        ("none", totals.entries.saturating_sub(totals.with_data)),
    ];
    let help = "Entries, by where their bytes are.";
    writer.begin(MetricType::Gauge, "entries", None, help, |mut encoder| {
        places.iter().try_for_each(|(place, count)| {
            encoder.encode_family(&[("payload", *place)])?.encode_gauge(&(*count as f64))
        })
    })?;
    let files = totals.file_bytes as f64;
    writer.gauge("files", Some(Unit::Bytes), "Size of the files that are stored.", files)?;
    match totals.database_bytes {
        Some(bytes) => {
            let help = "What our tables take in the database.";
            writer.gauge("database_size", Some(Unit::Bytes), help, bytes as f64)
        }
        None => Ok(()),
    }
}
