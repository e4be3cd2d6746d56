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
mod sides;

use serde_json::Value;
use support::program::Sandbox;

/// Bytes that look like nothing else: `seed` decides about them.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Verifies, which must end with this exit code; what it has told as JSON.
fn verify(sandbox: &Sandbox, args: &[&str], code: i32) -> Value {
    let output = sandbox.output(&[&["verify", "--json"], args].concat());
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "verify {args:?}: {told}{log}");
    serde_json::from_str(&told).expect("JSON")
}
