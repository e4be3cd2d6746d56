//! A place for objects that no other test has, and what is in it.

use std::path::PathBuf;
use std::sync::Arc;

use imagecached::remote::{self, Listed, Remote, Trouble};
use imagecached::settings::{Sources, load};

use crate::cloudinary_server::CloudinaryServer;
use crate::support::database::Kind;
use crate::support::port::Port;
use crate::support::program::Sandbox;

pub const BUCKET: &str = "imagecached-test";
const KEY_ID: &str = "imagecached-test-key";
pub const SECRET: &str = "imagecached-test-s3cret";

/// An object store as an operator sets it up: by environment variables.
pub struct Place {
    pub environment: Vec<(String, String)>,
    /// What its URLs begin with.
    pub base_url: String,
    /// Where a directory is.
    directory: Option<tempfile::TempDir>,
    /// Where nobody listens.
    _closed: Option<Port>,
}

impl Place {
    /// A bucket on the S3 server that a variable names, below a prefix of its own.
    pub fn s3(variable: &str) -> Self {
        let endpoint = std::env::var(variable)
            .unwrap_or_else(|_| panic!("{variable} is not set: run this by tests/with-services"));
        Self::s3_at(&endpoint, SECRET)
    }

    /// A bucket at an endpoint that may be anything.
    pub fn s3_at(endpoint: &str, secret: &str) -> Self {
        let prefix = format!("o{:016x}", getrandom::u64().expect("random numbers"));
        let base_url = format!("s3://{BUCKET}/{prefix}");
        let environment = [
            ("IMAGECACHED_OBJECT_STORE", base_url.as_str()),
            ("AWS_ENDPOINT", endpoint),
            ("AWS_ACCESS_KEY_ID", KEY_ID),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ];
        Self { environment: owned(&environment), base_url, directory: None, _closed: None }
    }

    /// A directory.
    pub fn directory() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let base_url = format!("file://{}/objects", directory.path().display());
        let environment = owned(&[("IMAGECACHED_OBJECT_STORE", &base_url)]);
        Self { environment, base_url, directory: Some(directory), _closed: None }
    }

    /// An account of a server that is as strict as Cloudinary.
    pub fn cloudinary(server: &CloudinaryServer) -> Self {
        let environment = owned(&[("CLOUDINARY_URL", &server.url())]);
        Self { environment, base_url: String::new(), directory: None, _closed: None }
    }

    /// An address at which nobody listens, for as long as this is kept.
    pub fn dead() -> Self {
        let closed = Port::new();
        let endpoint = format!("http://127.0.0.1:{}", closed.number());
        Self { _closed: Some(closed), ..Self::s3_at(&endpoint, SECRET) }
    }

    /// With one more setting.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// A database and an upload directory whose payloads may go here.
    pub fn sandbox(&self, kind: Kind) -> Sandbox {
        let mut sandbox = Sandbox::new(kind);
        sandbox.environment = self.environment.clone();
        // These tests are about what becomes of objects once nothing refers to them, the history included.
        sandbox.environment.extend(owned(&[
            ("IMAGECACHED_KEEP_VERSIONS", "0s"),
            ("IMAGECACHED_KEEP_DELETED", "0s"),
        ]));
        sandbox
    }

    /// The store, opened beside the program.
    pub fn open(&self) -> Arc<dyn Remote> {
        let environment =
            self.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let sources = Sources { environment, working_dir: "/".into(), ..Sources::default() };
        let settings = load(&sources).expect("settings").settings;
        remote::open(&settings.remote.store.expect("a store is set")).expect("it opens")
    }

    /// What is in it.
    pub fn objects(&self, sandbox: &Sandbox) -> Vec<Listed> {
        let remote = self.open();
        let mut objects = Vec::new();
        // A store that goes through all the files of all tests for a list may take longer than the program waits.
        let mut tries = 0..5;
        loop {
            objects.clear();
            match sandbox.block_on(remote.list(&mut |object| objects.push(object))) {
                Err(error) if error.trouble == Trouble::Away && tries.next().is_some() => {}
                listed => break listed.expect("a list"),
            }
        }
        objects.sort_by(|one, other| one.url.cmp(&other.url));
        objects
    }

    /// The file of an object in a directory.
    pub fn file(&self, url: &str) -> PathBuf {
        assert!(self.directory.is_some() && url.starts_with(&self.base_url), "{url}");
        url.strip_prefix("file://").expect("a file's URL").into()
    }
}

fn owned(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|&(name, value)| (name.into(), value.into())).collect()
}

/// How many entries have their bytes in this way: `inline`, `chunks`, `url`, `none`.
pub fn entries(sandbox: &Sandbox, payload: &str) -> usize {
    sandbox.ok(&["list", "--payload", payload]).lines().count()
}
