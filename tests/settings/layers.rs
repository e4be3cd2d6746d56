//! The layers: defaults, a file, the environment, flags. The later one wins.

use std::path::Path;
use std::time::Duration;

use imagecached::model::ByteSize;
use imagecached::settings::{Durable, LogFormat, LogLevel};
use imagecached::store::Target;

use crate::{Place, origin};

#[test]
fn the_defaults_are_the_ones_that_are_documented() {
    let place = Place::new();
    let loaded = place.load();
    let settings = &loaded.settings;
    assert_eq!(settings.upload_dir, Path::new("media"));
    assert_eq!(
        settings.database.target,
        Target::Sqlite(place.dir.path().join("imagecached.sqlite3"))
    );
    assert_eq!(settings.database_connections, 2);
    assert_eq!(settings.inline_limit, ByteSize(5 << 20));
    assert_eq!(settings.bytes_in_flight, ByteSize(16 << 20));
    assert_eq!(settings.quiet, Duration::from_secs(2));
    assert_eq!(settings.boot_deadline, Duration::from_secs(40));
    assert_eq!(settings.shutdown_limit, Duration::from_secs(25));
    assert_eq!(settings.durable, Durable::Auto);
    assert_eq!((settings.log_level, settings.log_format), (LogLevel::Info, LogFormat::Auto));
    assert!(settings.migrate && !settings.database_required && !settings.allow_any_upload_dir);
    assert!(settings.state_dir.is_absolute());
    assert_eq!(loaded.origins.len(), 47);
    assert!(
        loaded
            .origins
            .iter()
            .all(|shown| shown.origin == "default" && shown.value == shown.default)
    );
}

#[test]
fn a_later_layer_wins_and_each_value_says_where_it_came_from() {
    let file = "# ours\nquiet = \"3s\"\nreaders = 3\nmigrate = false\nupload_dir = \"from_file\"\n";
    let place = Place::new()
        .file("config/imagecached.toml", file)
        .env("IMAGECACHED_READERS", "4")
        .env("IMAGECACHED_UPLOAD_DIR", "from_env")
        .flag("upload_dir", "from_flag");
    let loaded = place.load();
    assert_eq!(loaded.settings.upload_dir, Path::new("from_flag"));
    assert_eq!(loaded.settings.readers, 4);
    assert_eq!(loaded.settings.quiet, Duration::from_secs(3));
    assert!(!loaded.settings.migrate);
    for (key, value, from) in [
        ("upload_dir", "from_flag", "flag --upload-dir"),
        ("readers", "4", "environment variable IMAGECACHED_READERS"),
        ("quiet", "3s", "config/imagecached.toml:2"),
        ("scan_interval", "60s", "default"),
    ] {
        let shown = origin(&loaded, key);
        assert_eq!((shown.value.as_str(), shown.origin.as_str()), (value, from), "{key}");
    }
    assert_eq!(origin(&loaded, "quiet").default, "2s");
}

#[test]
fn the_file_is_the_one_that_is_named() {
    let place = || {
        Place::new()
            .file("config/imagecached.toml", "readers = 3")
            .file("by_env.toml", "readers = 4")
            .file("by_flag.toml", "readers = 5")
    };
    assert_eq!(place().load().settings.readers, 3);
    let by_env = place().env("IMAGECACHED_CONFIG", "by_env.toml");
    assert_eq!(by_env.load().settings.readers, 4);
    assert_eq!(by_env.config("by_flag.toml").load().settings.readers, 5);
}

#[test]
fn a_setting_of_a_group_is_given_in_all_layers() {
    let prefix = |place: &Place| place.load().settings.http.prefix;
    assert_eq!(prefix(&Place::new()), "/partners/image-cache");
    let table = || Place::new().file("config/imagecached.toml", "[http]\nprefix = \"/file\"\n");
    assert_eq!(prefix(&table()), "/file");
    let dotted = Place::new().file("config/imagecached.toml", "http.prefix = \"/file\"\n");
    assert_eq!(prefix(&dotted), "/file");
    let env = table().env("IMAGECACHED_HTTP_PREFIX", "/a/b-c");
    assert_eq!(prefix(&env), "/a/b-c");
    let loaded = env.load();
    let shown = origin(&loaded, "http.prefix");
    assert_eq!(shown.origin, "environment variable IMAGECACHED_HTTP_PREFIX");
    assert_eq!(prefix(&env.flag("http.prefix", "")), "");
    assert_eq!(prefix(&Place::new().env("IMAGECACHED_HTTP_PREFIX", "/")), "");
    for (place, told) in [
        (
            Place::new().file("config/imagecached.toml", "\n[http]\nprefix = \"x\"\n"),
            "http.prefix = \"x\" (config/imagecached.toml:3): does not begin with /; write parts",
        ),
        (
            Place::new().flag("http.prefix", "/x/"),
            "http.prefix = \"/x/\" (flag --http.prefix): has a / at its end; write parts",
        ),
        (
            Place::new().flag("http.prefix", "/a/../b"),
            "http.prefix = \"/a/../b\" (flag --http.prefix): has \"..\" as a part; write parts",
        ),
        (
            Place::new().flag("http.prefix", "//b"),
            "http.prefix = \"//b\" (flag --http.prefix): has \"\" as a part; write parts",
        ),
        (
            Place::new().flag("http.prefix", "/{id}"),
            "http.prefix = \"/{id}\" (flag --http.prefix): has '{' in it; write parts",
        ),
        (
            Place::new().flag("http.prefix", "/metrics/x"),
            "http.prefix = \"/metrics/x\" (flag --http.prefix): begins with /metrics, which is taken",
        ),
        (
            Place::new().file("config/imagecached.toml", "[http]\nprefx = \"/x\"\n"),
            "http.prefx (config/imagecached.toml:2): is not a setting; did you mean http.prefix?",
        ),
        (
            Place::new().env("IMAGECACHED_HTTP_PREFX", "/x"),
            "IMAGECACHED_HTTP_PREFX (environment variable IMAGECACHED_HTTP_PREFX): is not a setting; \
             did you mean IMAGECACHED_HTTP_PREFIX?",
        ),
    ] {
        let message = place.refused();
        assert!(message.starts_with(told), "\n{message}\n{told}");
    }
}

#[test]
fn variables_that_are_not_settings_are_left_alone() {
    let place =
        Place::new().env("PATH", "/bin").env("IMAGECACHED_TEST_POSTGRES", "x").env("HOME", "/");
    assert!(place.load().origins.iter().all(|shown| shown.origin == "default"));
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_told() {
    use std::os::unix::ffi::OsStringExt;
    let mut place = Place::new();
    let odd = std::ffi::OsString::from_vec(vec![b'm', 0xff]);
    place.sources.environment.push(("IMAGECACHED_UPLOAD_DIR".into(), odd.clone()));
    assert!(place.refused().contains("is not UTF-8 text"));
    place.sources.environment = vec![("THEIRS".into(), odd.clone()), (odd, "x".into())];
    place.load();
}
