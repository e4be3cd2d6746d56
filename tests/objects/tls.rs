//! A store behind TLS, whose certificate is from an authority of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::place::{BUCKET, Place, SECRET, entries};
use crate::support::database::Kind;
use crate::support::port::Port;
use crate::{count_lines, noise};

/// A server of this test's own.
struct HttpsStore {
    server: Child,
    directory: tempfile::TempDir,
    endpoint: String,
    _port: Port,
}

impl HttpsStore {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let python = std::env::var("IMAGECACHED_TEST_REMOTE_PYTHON")
            .expect("IMAGECACHED_TEST_REMOTE_PYTHON is not set: run this by tests/with-services");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/objects/https_store.py");
        let port = Port::new();
        let mut server = Command::new(python)
            .arg(script)
            .arg(directory.path())
            .arg(BUCKET)
            .arg(port.number().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let mut line = String::new();
        let mut output = BufReader::new(server.stdout.take().expect("a pipe"));
        output.read_line(&mut line).expect("readable");
        assert_eq!(line, "up\n", "the server did not come up");
        let endpoint = format!("https://127.0.0.1:{}", port.number());
        Self { server, directory, endpoint, _port: port }
    }

    fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }
}

impl Drop for HttpsStore {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_store_with_an_authority_of_its_own_is_trusted_when_told_so() {
    let store = HttpsStore::start();
    let place = Place::s3_at(&store.endpoint, SECRET)
        .with("IMAGECACHED_REMOTE", "all")
        .with("SSL_CERT_FILE", &store.authority().display().to_string());
    let sandbox = place.sandbox(Kind::Sqlite);
    sandbox.write("small.jpg", &noise(1, 5_000));
    sandbox.write("large.bin", &noise(2, 20 << 20));
    sandbox.ok(&["cache-all"]);
    assert_eq!(entries(&sandbox, "url"), 2);
    let files = sandbox.files();
    sandbox.wipe();
    sandbox.ok(&["restore"]);
    assert!(sandbox.files() == files);
    sandbox.remove();
}

#[test]
fn a_store_that_is_not_trusted_gets_nothing_and_the_cure_is_told() {
    let store = HttpsStore::start();
    let place = Place::s3_at(&store.endpoint, SECRET).with("IMAGECACHED_REMOTE", "all");
    let sandbox = place.sandbox(Kind::Sqlite);
    sandbox.write("small.jpg", &noise(1, 5_000));
    sandbox.write("large.bin", &noise(2, 20 << 20));
    let output = sandbox.output(&["cache-all"]);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "they are safe all the same: {log}");
    assert_eq!(entries(&sandbox, "chunks"), 2, "{log}");
    let told = |text: &str| {
        for part in [store.endpoint.as_str(), "certificate", "SSL_CERT_FILE", "ca-certificates"] {
            assert!(text.contains(part), "{part} is missing: {text}");
        }
    };
    let line = log.lines().find(|line| line.contains("event=object_refused")).expect("it is told");
    told(line);
    assert_eq!(count_lines(&log, &["event=remote_retry"]), 0, "nothing to wait for: {log}");

    let output = sandbox.output(&["doctor"]);
    let findings = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(6), "{findings}");
    println!("{line}\n{findings}");
    told(&findings);

    let files = sandbox.files();
    sandbox.wipe();
    sandbox.ok(&["restore"]);
    assert!(sandbox.files() == files);
    sandbox.remove();
}
