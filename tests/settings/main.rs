//! The settings, from where a user gives them to the checked type.

mod http;
mod layers;
mod object_store;
mod patterns;
mod places;
mod refusals;

use std::path::PathBuf;

use imagecached::settings::{Loaded, Shown, Sources, load};

/// A working directory of its own, and what is given there.
struct Place {
    dir: tempfile::TempDir,
    sources: Sources,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sources = Sources { working_dir: dir.path().to_owned(), ..Sources::default() };
        Self { dir, sources }
    }

    fn file(self, path: &str, text: &str) -> Self {
        let path = self.dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn config(mut self, path: &str) -> Self {
        self.sources.config_file = Some(PathBuf::from(path));
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Self {
        self.sources.flags.push((key.into(), value.into()));
        self
    }

    fn load(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The message of the refusal.
    fn refused(&self) -> String {
        load(&self.sources).expect_err("was taken").to_string()
    }
}

fn origin<'a>(loaded: &'a Loaded, key: &str) -> &'a Shown {
    loaded.origins.iter().find(|shown| shown.key == key).unwrap()
}
