//! `verify`: what one side has lost comes back from the other, and nothing else is touched.

#[path = "../remote/cloudinary_server.rs"]
#[allow(dead_code, reason = "shared with the tests of the stores alone")]
mod cloudinary_server;
#[path = "../objects/place.rs"]
#[allow(dead_code, reason = "shared with the tests of object stores")]
mod place;
#[path = "../support/mod.rs"]
mod support;
#[path = "../remote/web.rs"]
mod web;

mod by_itself;
mod command;
mod former;
mod s3;
mod sides;

use serde_json::Value;
use support::noise::noise;
use support::program::Sandbox;

/// Verifies, which must end with this exit code; what it has told as JSON.
fn verify(sandbox: &Sandbox, args: &[&str], code: i32) -> Value {
    let output = sandbox.output(&[&["verify", "--json"], args].concat());
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "verify {args:?}: {told}{log}");
    serde_json::from_str(&told).expect("JSON")
}
