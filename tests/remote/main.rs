//! Object stores: against servers that others wrote, and one that is as strict as the documentation.

mod buckets;
mod cloudinary;
mod cloudinary_server;
mod faults;
mod memory;
#[path = "../support/port.rs"]
mod port;
#[path = "../support/proxy/mod.rs"]
#[allow(dead_code, reason = "shared with the tests of the whole program")]
mod proxy;
mod sdk;
mod support;
mod web;
