//! What is fuzzed: each module takes bytes that a stranger may have sent, gives them to the program, and
//! asserts what must hold whatever they are.
//!
//! The fuzzer calls these through `fuzz_targets/`; `tests/fuzz_corpora.rs` of the program calls them with
//! the files of `corpus/`, so that a finding stays found.

pub mod base64_payload;
pub mod database_url;
pub mod http_request;
pub mod object_url;
pub mod patterns;
pub mod settings;
pub mod upload_path;
pub mod values;

/// Asserts what must hold of an input.
pub type Check = fn(&[u8]);

/// Every target by its name, which is that of its corpus.
pub const TARGETS: [(&str, Check); 8] = [
    ("base64_payload", base64_payload::check),
    ("database_url", database_url::check),
    ("http_request", http_request::check),
    ("object_url", object_url::check),
    ("patterns", patterns::check),
    ("settings", settings::check),
    ("upload_path", upload_path::check),
    ("values", values::check),
];

/// What must never be shown.
const SECRET: &str = "sw0rdf1sh-canary";
