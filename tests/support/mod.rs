//! What several test programs share.

#![allow(dead_code, unused_imports, reason = "not every test program uses everything")]

pub mod command;
pub mod database;
pub mod namespace;
pub mod noise;
pub mod own_mariadb;
pub mod own_postgres;
pub mod port;
pub mod program;
pub mod proxy;
pub mod running;
pub mod server_user;
pub mod small_disk;
pub mod usage;
