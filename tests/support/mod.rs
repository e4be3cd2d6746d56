//! What several test programs share.

#![allow(dead_code, reason = "not every test program uses everything")]

pub mod database;
pub mod own_postgres;
pub mod program;
pub mod proxy;
pub mod small_disk;
