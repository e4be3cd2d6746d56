//! What a path had: listed, read and given back by the real program, on real databases.

#[path = "../remote/cloudinary_server.rs"]
#[allow(dead_code, reason = "shared with the tests of the stores alone")]
mod cloudinary_server;
#[path = "../objects/place.rs"]
#[allow(dead_code, reason = "shared with the tests of object stores")]
mod place;
#[path = "../support/mod.rs"]
mod support;
#[path = "../remote/web.rs"]
#[allow(dead_code, reason = "shared with the tests of the stores alone")]
mod web;

mod damage;
mod past_state;
mod present;
mod single;
mod story;
