//! The traps that have bitten somebody, each with a test named after it.

#[path = "../support/mod.rs"]
mod support;

mod t01_new_directory;
