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
use support::usage::peak_until_the_end;

/// Verifies, which must end with this exit code; what it has told as JSON.
fn verify(sandbox: &Sandbox, args: &[&str], code: i32) -> Value {
    let output = sandbox.output(&[&["verify", "--json"], args].concat());
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(code), "verify {args:?}: {told}{log}");
    serde_json::from_str(&told).expect("JSON")
}

/// Copies the only row of a table, which has `more` columns, 20,000 times: verifying them takes no more memory than the one.
fn many_take_no_memory(sandbox: &Sandbox, table: &str, more: &str) {
    let peak = || {
        let verify = ["verify", "--no-disk", "--set", "log_level=warn"];
        peak_until_the_end(sandbox.start(&verify))
    };
    // The last look at one that is over soon may have been a look at its beginning.
    let one = (0..3).map(|_| peak()).max().expect("three");
    let columns = format!(
        "content_type, object_id, image_url, file_size, content_type_header, created_at, updated_at, \
         last_accessed, sha256, mtime_ns, mode, chunk_set, image_data{more}"
    );
    sandbox.sql(&format!(
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO {table} (original_path, {columns})
        SELECT 'many/' || i || '.jpg', {columns} FROM n, {table}"
    ));
    let many = peak();
    assert!(many < one + (16 << 20), "1 row: {one} bytes, 20,001 rows: {many} bytes");
}
