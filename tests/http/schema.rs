//! schemathesis, which knows nothing of this program but its description, asks it everything that it can
//! think of: no call may answer 5xx, nor anything that the description does not have, however odd the question.

use std::path::Path;
use std::process::Command;

use crate::server::{PREFIX, Server, bearer};

/// Kept as a fixture: a find can be looked into again.
const SEED: &str = "20260506";

/// Seconds of thinking up questions.
const TIME: &str = "100";

#[test]
fn no_question_is_answered_otherwise_than_described() {
    let program = std::env::var("IMAGECACHED_TEST_SCHEMATHESIS").unwrap_or_else(|_| {
        panic!("IMAGECACHED_TEST_SCHEMATHESIS is not set: run tests/run, or make the environment as it does")
    });
    let server = Server::watch(&[]);
    for (path, bytes) in [("a.png", &b"a picture"[..]), ("b.svg", b"<svg/>"), ("c/\u{e9}.txt", b"")]
    {
        server.sandbox.write(path, bytes);
    }
    server.sandbox.wait_for_entries(3);
    let settings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/schemathesis.toml");
    let asked = Command::new(program)
        .args(["--config-file".as_ref(), settings.as_os_str()])
        .args(["run", &format!("http://{}{PREFIX}/openapi.json", server.address)])
        .args(["--header", &bearer()])
        .args(["--seed", SEED, "--max-time", TIME, "--no-color"])
        .current_dir(server.sandbox.beside())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&asked.stdout);
    println!("{told}");
    assert!(asked.status.success(), "{told}\n{}", String::from_utf8_lossy(&asked.stderr));
    server.end();
}
