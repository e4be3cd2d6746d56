//! Our signatures against those of Cloudinary's own client.

use std::io::Write;
use std::process::{Command, Stdio};

use imagecached::remote::cloudinary::Parameters;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

const PROGRAM: &str = "
import json, sys
from cloudinary.utils import api_sign_request
for line in sys.stdin:
    parameters, secret = json.loads(line)
    print(api_sign_request(parameters, secret))
";

/// Names of real parameters: they are fixed in our program.
const NAMES: [&str; 8] =
    ["public_id", "timestamp", "type", "overwrite", "invalidate", "tags", "context", "folder"];

#[test]
fn random_parameters_are_signed_as_cloudinarys_own_client_signs_them() {
    let values = vec(prop_oneof![any::<String>(), "[a-z0-9/_&=,%+| -]{0,40}"], NAMES.len());
    let secret = "[ -~]{1,40}";
    let mut runner = TestRunner::deterministic();
    let cases: Vec<(Vec<String>, String)> = (0..2_000)
        .map(|_| (values.clone(), secret).new_tree(&mut runner).unwrap().current())
        .collect();

    let mut python = Command::new(crate::support::server("IMAGECACHED_TEST_REMOTE_PYTHON"))
        .args(["-c", PROGRAM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = python.stdin.take().unwrap();
    let lines: String = cases
        .iter()
        .map(|(values, secret)| {
            let parameters: serde_json::Map<_, _> = NAMES
                .iter()
                .zip(values)
                .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
                .collect();
            format!("{}\n", serde_json::json!([parameters, secret]))
        })
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    let theirs: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    assert_eq!(theirs.len(), cases.len());
    for ((values, secret), theirs) in cases.iter().zip(theirs) {
        let parameters = NAMES
            .iter()
            .zip(values)
            .fold(Parameters::default(), |all, (name, value)| all.with(name, value.as_str()));
        assert_eq!(parameters.signature(secret), theirs, "{values:?}");
    }
}
