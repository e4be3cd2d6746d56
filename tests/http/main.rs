//! HTTP through the real program: who is let in, what is bounded, and that nothing of it harms uploads.

mod api;
mod bounds;
mod doors;
mod flush;
mod gate;
mod load;
mod metrics;
mod schema;
mod server;
mod start;
#[path = "../support/mod.rs"]
mod support;
