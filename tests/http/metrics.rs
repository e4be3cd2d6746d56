//! The metrics keep the conventions of Prometheus (those that `promtool check metrics` knows, and more), and
//! the dashboard in docs/ shows none that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::server::Server;

/// One metric, as its lines tell.
#[derive(Debug, Default)]
struct Metric {
    kind: String,
    help: String,
    unit: String,
    samples: Vec<(String, String, f64)>,
}

fn parse(text: &str) -> BTreeMap<String, Metric> {
    let mut metrics: BTreeMap<String, Metric> = BTreeMap::new();
    let mut last = String::new();
    assert!(text.ends_with("# EOF\n"), "the end is told");
    for line in text.lines().filter(|line| *line != "# EOF") {
        if let Some(rest) = line.strip_prefix("# ") {
            let (word, rest) = rest.split_once(' ').expect(line);
            let (name, value) = rest.split_once(' ').expect(line);
            if name != last {
                assert!(!metrics.contains_key(name), "{name} comes twice");
                last = name.to_owned();
            }
            let metric = metrics.entry(name.to_owned()).or_default();
            let field = match word {
                "HELP" => &mut metric.help,
                "TYPE" => &mut metric.kind,
                "UNIT" => &mut metric.unit,
                other => panic!("{other}: {line}"),
            };
            assert!(field.is_empty(), "{line} comes twice");
            value.clone_into(field);
            continue;
        }
        let (name, value) = line.rsplit_once(' ').expect(line);
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        assert!(name.starts_with(&last), "{line} stands among {last}");
        let value = value.parse().expect(line);
        let metric = metrics.get_mut(&last).expect(line);
        metric.samples.push((name.to_owned(), labels.trim_end_matches('}').to_owned(), value));
    }
    metrics
}

/// The names of all samples.
fn names(metrics: &BTreeMap<String, Metric>) -> BTreeSet<String> {
    let samples = metrics.values().flat_map(|metric| &metric.samples);
    samples.map(|(name, _, _)| name.clone()).collect()
}

fn scrape(server: &Server) -> BTreeMap<String, Metric> {
    let answer = server.get("/metrics", &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.head.contains("application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    parse(&answer.body)
}

/// With every metric that there is.
fn with_a_file() -> Server {
    let server = Server::watch(&["verify_interval=1s", "verify_rate=4GiB"]);
    server.sandbox.write("a.png", b"a picture");
    server.sandbox.wait_for_entries(1);
    crate::support::program::wait_until("it is counted", || {
        server.get("/metrics", &[]).body.contains("imagecached_captured_files_total 1")
    });
    crate::support::program::wait_until("it is verified", || {
        let metrics = scrape(&server);
        let verified = metrics.get("imagecached_verified_entries");
        verified.is_some_and(|metric| metric.samples[0].2 > 0.0)
            && metrics.contains_key("imagecached_verify_last_round_timestamp_seconds")
    });
    server
}

#[test]
fn names_and_units_keep_the_conventions() {
    let server = with_a_file();
    let metrics = scrape(&server);
    assert!(metrics.len() >= 20, "{:?}", metrics.keys());
    let not_base =
        ["milliseconds", "minutes", "hours", "days", "kilobytes", "megabytes", "percent"];
    for (name, metric) in &metrics {
        let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.starts_with("imagecached_") && name.chars().all(snake), "{name}");
        assert!(!name.contains("__") && !name.ends_with('_'), "{name}");
        assert!(!metric.help.is_empty() && metric.help.ends_with('.'), "{name}: {metric:?}");
        assert!(["gauge", "counter", "histogram", "info"].contains(&&*metric.kind), "{name}");
        assert!(!metric.samples.is_empty(), "{name} has no sample");
        for word in name.split('_') {
            assert!(!not_base.contains(&word), "{name}: no base unit");
            assert!(!["gauge", "counter", "histogram", "total"].contains(&word), "{name}");
        }
        for unit in ["bytes", "seconds"] {
            assert_eq!(name.ends_with(unit), metric.unit == unit, "{name}: unit {:?}", metric.unit);
        }
        let mut seen = BTreeSet::new();
        for (sample, labels, value) in &metric.samples {
            assert!(seen.insert((sample, labels)), "{sample} {labels} comes twice");
            let suffix = &sample[name.len()..];
            let fits = match &*metric.kind {
                "counter" => suffix == "_total",
                "info" => suffix == "_info",
                "histogram" => ["_bucket", "_sum", "_count"].contains(&suffix),
                _ => suffix.is_empty(),
            };
            assert!(fits, "{sample} of {}", metric.kind);
            assert!(value.is_finite() && *value >= 0.0, "{sample} {value}");
            for label in labels.split(',').filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once('=').expect(labels);
                assert!(label == "le" || label.chars().all(snake), "{sample}: {label}");
                assert!(value.len() < 40, "{sample}: {label} has few values");
            }
        }
    }
    let times = &metrics["imagecached_close_to_commit_seconds"].samples;
    let buckets: Vec<f64> =
        times.iter().filter(|s| s.0.ends_with("_bucket")).map(|s| s.2).collect();
    assert!(buckets.is_sorted() && buckets.last() == Some(&1.0), "{times:?}");
    assert!(times.iter().any(|(_, labels, _)| labels == "le=\"+Inf\""), "{times:?}");
    server.end();
}

#[test]
fn without_the_upload_directory_there_is_less_and_the_rest_is_the_same() {
    let server = Server::start("serve", "127.0.0.1:0", &[]);
    let all = ["imagecached_database_up", "imagecached_build_info"];
    let there = names(&scrape(&server));
    assert!(all.iter().all(|name| there.contains(*name)), "{there:?}");
    assert!(!there.contains("imagecached_unsaved_files"), "{there:?}");
    server.end();
}

#[test]
fn the_dashboard_shows_only_what_there_is() {
    let server = with_a_file();
    let there = names(&scrape(&server));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/grafana.json");
    let dashboard: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut shown = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            let words = expression.split(word).filter(|word| word.starts_with("imagecached_"));
            let before = shown.len();
            shown.extend(words.map(str::to_owned));
            assert!(shown.len() > before || expression.contains("imagecached_"), "{expression}");
        }
    }
    assert!(shown.len() >= 10, "{shown:?}");
    let unknown: Vec<_> = shown.difference(&there).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let verifying = ["verified_entries_total", "verify_damaged_entries", "verify_damaged_versions"];
    assert!(
        verifying.iter().all(|name| shown.contains(&format!("imagecached_{name}"))),
        "{shown:?}"
    );
    server.end();
}

#[test]
fn what_verifying_has_found_is_told() {
    let server = with_a_file();
    let value = |name: &str| scrape(&server)[name].samples[0].2;
    assert_eq!(value("imagecached_verify_damaged_entries"), 0.0);
    std::fs::remove_file(server.sandbox.uploads.join("a.png")).unwrap();
    server.sandbox.sql("UPDATE image_cache SET image_data = 'AAAA'");
    crate::support::program::wait_until("the damage is counted", || {
        value("imagecached_verify_damaged_entries") == 1.0
    });
    server.sandbox.write("a.png", b"a picture");
    crate::support::program::wait_until("it is well again", || {
        value("imagecached_verify_damaged_entries") == 0.0
    });
    assert!(value("imagecached_verify_damaged_versions") <= 1.0);
    server.end();
}

#[test]
fn who_has_not_asked_for_verifying_has_no_metrics_of_it() {
    let server = Server::watch(&[]);
    let there = names(&scrape(&server));
    assert!(!there.iter().any(|name| name.contains("verif")), "{there:?}");
    server.end();
}
