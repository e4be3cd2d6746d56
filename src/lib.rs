//! imagecached keeps the files that people upload safe on platforms whose disk is thrown away.
//!
//! The library holds everything; the binary only calls [`cli`]. ARCHITECTURE.md is the map.

pub mod model;
pub mod process;
pub mod store;
