//! What several test programs share.

#![allow(dead_code, reason = "not every test program uses everything")]

pub mod database;
pub mod program;
pub mod proxy;
