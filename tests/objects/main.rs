//! Payloads in object stores, end to end: the real program, real databases, and stores that others wrote.

#[path = "../remote/cloudinary_server.rs"]
#[allow(dead_code, reason = "shared with the tests of the stores alone")]
mod cloudinary_server;
#[path = "../support/mod.rs"]
mod support;
#[path = "../remote/web.rs"]
mod web;

mod all_remote;
mod damage;
mod dead_endpoint;
mod faults;
mod interrupted;
mod large_files;
mod lifetime;
mod orphans;
mod place;
mod refusals;
mod sharing;
mod skipped;
mod tls;
mod trash;

use support::database::Kind;
use support::noise::noise;
use support::program::{Sandbox, count_lines};
use support::usage::peak_memory;

/// The databases that hold the entries.
const DATABASES: [Kind; 3] = [Kind::Sqlite, Kind::Postgres, Kind::MariaDb];

/// Lets an entry go: its file is deleted, and nobody has used it for 400 days.
fn let_go(sandbox: &Sandbox, path: &str) {
    std::fs::remove_file(sandbox.uploads.join(path)).expect("the file is there");
    let past = sandbox.database.kind.hours_ago(400 * 24);
    sandbox.sql(&format!(
        "UPDATE image_cache SET last_accessed = {past} WHERE original_path = '{path}'"
    ));
}

/// How many objects wait for their removal.
fn loose(sandbox: &Sandbox) -> i64 {
    sandbox.numbers("SELECT count(*) FROM image_cache_loose_object")[0]
}

/// How many uploads are claimed.
fn claims(sandbox: &Sandbox) -> i64 {
    sandbox.numbers("SELECT count(*) FROM image_cache_claim")[0]
}

/// What a command has printed on both its outputs, and how it ended. It may tell no secret.
fn told(sandbox: &Sandbox, args: &[&str]) -> (Option<i32>, String) {
    let output = sandbox.output(args);
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    no_secret(sandbox, &text);
    (output.status.code(), text)
}

/// No password, no key, and nothing that is signed.
fn no_secret(sandbox: &Sandbox, text: &str) {
    let url = url::Url::parse(&sandbox.url()).expect("a URL");
    let password = url.password().filter(|password| !password.is_empty());
    let secrets = [Some(place::SECRET), Some(cloudinary_server::SECRET), password, Some("/s--")];
    for secret in secrets.into_iter().flatten() {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
