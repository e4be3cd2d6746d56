//! imagecached keeps the files that people upload safe on platforms whose disk is thrown away.
//!
//! The library holds everything; the binary only calls [`cli`]. ARCHITECTURE.md is the map.

pub mod capture;
pub mod cleanup;
pub mod cli;
pub mod daemon;
pub mod deletes;
pub mod doctor;
pub mod http;
pub mod logs;
pub mod model;
pub mod objects;
pub mod payload;
pub mod process;
pub mod relocation;
pub mod remote;
pub mod restore;
pub mod revert;
pub mod self_test;
pub mod settings;
pub mod store;
pub mod uploads;
pub mod verify;
