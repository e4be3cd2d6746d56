//! Object stores: against servers that others wrote, and one that is as strict as the documentation.

mod buckets;
mod cloudinary;
mod cloudinary_server;
mod faults;
mod memory;
mod proxy;
mod sdk;
mod support;
mod web;
