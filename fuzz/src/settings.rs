//! Settings: the text of a file, then, below a line `---`, variables and flags as `KEY=VALUE` and
//! `--key=value`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use imagecached::settings::{Sources, load};

use super::SECRET;

/// One file for each process that fuzzes.
static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    let shared = Path::new("/dev/shm");
    let directory = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
    directory.join(format!("imagecached-fuzz-{}.toml", std::process::id()))
});

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.contains('\0') || text.contains(SECRET) {
        return;
    }
    let (file, rest) = text.split_once("---\n").unwrap_or((text, ""));
    std::fs::write(&*FILE, file).expect("a temporary file");
    let mut sources = Sources {
        config_file: Some(FILE.clone()),
        environment: Vec::new(),
        flags: Vec::new(),
        working_dir: "/app".into(),
    };
    // The secrets of an operator. What comes after may replace them.
    for (name, value) in [
        ("DATABASE_URL", format!("postgres://shop:{SECRET}@db/shop")),
        ("IMAGECACHED_TOKEN", format!("0123456789abcdef{SECRET}")),
        ("CLOUDINARY_URL", format!("cloudinary://key:{SECRET}@shop")),
        ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
    ] {
        sources.environment.push((name.into(), value.into()));
    }
    for line in rest.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        match name.strip_prefix("--") {
            Some(key) => sources.flags.push((key.to_owned(), value.to_owned())),
            None => {
                sources.environment.retain(|(known, _)| known != name);
                sources.environment.push((name.into(), value.into()));
            }
        }
    }
    let loaded = load(&sources);
    let _ = std::fs::remove_file(&*FILE);
    let shown = match &loaded {
        Ok(loaded) => format!("{loaded:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains(SECRET), "a secret is shown: {shown}");
    let Ok(loaded) = loaded else { return };
    let settings = &loaded.settings;
    assert!(loaded.origins.is_sorted_by(|a, b| a.key < b.key), "each setting once, in order");
    assert!((1..=64).contains(&settings.database_connections));
    assert!((1..=64).contains(&settings.readers));
    assert!(settings.inline_limit.0 <= 256 << 20);
    assert!(settings.boot_deadline <= Duration::from_secs(3600));
    assert!(
        (Duration::from_secs(1)..=Duration::from_secs(3600)).contains(&settings.database_timeout)
    );
    assert!(settings.quiet >= Duration::from_millis(10));
    assert!(settings.state_dir != Path::new(""));
    let prefix = &settings.http.prefix;
    assert!(prefix.is_empty() || prefix.starts_with('/') && !prefix.ends_with('/'), "{prefix:?}");
}
