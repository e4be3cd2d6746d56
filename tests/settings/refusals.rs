//! What is refused, and how that is told.

use crate::Place;

#[test]
fn a_bad_setting_is_told_with_value_source_reason_and_cure() {
    let file = |text: &str| Place::new().file("app.toml", text).config("app.toml");
    let env = |name: &str, value: &str| Place::new().env(name, value);
    for (place, told) in [
        (
            env("IMAGECACHED_SCAN_INTERVALL", "30s"),
            "IMAGECACHED_SCAN_INTERVALL (environment variable IMAGECACHED_SCAN_INTERVALL): is not a setting; did you mean IMAGECACHED_SCAN_INTERVAL?",
        ),
        (
            env("IMAGECACHED_quiet", "30s"),
            "IMAGECACHED_quiet (environment variable IMAGECACHED_quiet): is not a setting; did you mean IMAGECACHED_QUIET?",
        ),
        (
            env("IMAGECACHED_BANANAS", "1"),
            "IMAGECACHED_BANANAS (environment variable IMAGECACHED_BANANAS): is not a setting; remove it; `imagecached print-config` lists all settings",
        ),
        (
            Place::new().flag("uploads_dir", "x"),
            "--uploads-dir (flag --uploads-dir): is not a setting; did you mean --upload-dir?",
        ),
        (
            file("\nscan-interval = \"30s\""),
            "scan-interval (app.toml:2): is not a setting; did you mean scan_interval?",
        ),
        (
            file("[imagecached]\nquiet = \"2s\""),
            "imagecached (app.toml:1): is not a setting; remove it; `imagecached print-config` lists all settings",
        ),
        (file("quiet = 2s"), "settings file (app.toml:1): is not TOML: "),
        (
            file("quiet = 2"),
            "quiet = \"2\" (app.toml:1): is not a duration; write a number and a unit, such as 500ms, 30s, 2m or 1h",
        ),
        (
            env("IMAGECACHED_QUIET", "1ms"),
            "quiet = \"1ms\" (environment variable IMAGECACHED_QUIET): is out of range; write 10ms to 10m",
        ),
        (
            env("IMAGECACHED_HELD_OPEN", "1s"),
            "held_open = \"1s\" (environment variable IMAGECACHED_HELD_OPEN): is out of range; write 2s to 1day",
        ),
        (
            Place::new().flag("shutdown_limit", "1h"),
            "shutdown_limit = \"1h\" (flag --shutdown-limit): is out of range; write 1s to 10m",
        ),
        (
            env("IMAGECACHED_INLINE_LIMIT", "5 apples"),
            "inline_limit = \"5 apples\" (environment variable IMAGECACHED_INLINE_LIMIT): is not a size; write a number and a unit, such as 512KiB, 5MiB or 1GB (or 0)",
        ),
        (
            // Somebody has meant MiB: at 8 bytes a second nothing would ever be safe.
            env("IMAGECACHED_BACKLOG_RATE", "8"),
            "backlog_rate = \"8\" (environment variable IMAGECACHED_BACKLOG_RATE): is out of range; write 16 KiB to 4 GiB, or 0 for no bound",
        ),
        (
            env("IMAGECACHED_INLINE_LIMIT", "1GiB"),
            "inline_limit = \"1GiB\" (environment variable IMAGECACHED_INLINE_LIMIT): is out of range; write 0 B to 256 MiB",
        ),
        (
            env("IMAGECACHED_INLINE_LIMIT", "24MiB"),
            "bytes_in_flight = \"16MiB\" (default): is out of range; write 32 MiB to 4 GiB",
        ),
        (
            env("IMAGECACHED_DATABASE_CONNECTIONS", "0"),
            "database_connections = \"0\" (environment variable IMAGECACHED_DATABASE_CONNECTIONS): is out of range; write 1 to 64",
        ),
        (
            env("IMAGECACHED_READERS", "two"),
            "readers = \"two\" (environment variable IMAGECACHED_READERS): is not a whole number; write 1 to 64",
        ),
        (
            env("IMAGECACHED_MIGRATE", "maybe"),
            "migrate = \"maybe\" (environment variable IMAGECACHED_MIGRATE): is neither true nor false; write true or false",
        ),
        (
            env("IMAGECACHED_DURABLE", "yes"),
            "durable = \"yes\" (environment variable IMAGECACHED_DURABLE): is not known; write one of auto, always, never",
        ),
        (file("upload_dir = 3"), "upload_dir = \"3\" (app.toml:1): is not text; put it in quotes"),
        (
            file("exclude = \"*.tmp\""),
            "exclude = \"*.tmp\" (app.toml:1): is not a list; write a list of texts: [\"*.tmp\", \"cache/\"]",
        ),
        (
            file("include = [\"a{b\"]"),
            "include = \"a{b\" (app.toml:1): the pattern \"a{b\" cannot be read: ",
        ),
        (
            env("DATABASE_URL", "mongodb://u:p@h/db"),
            "database_url = \"(hidden, 18 characters)\" (environment variable DATABASE_URL): names a database that is not supported: mongodb://; write postgres://",
        ),
        (
            Place::new().config("gone.toml"),
            "settings file = \"gone.toml\" (flag --config): cannot be read: No such file or directory (os error 2); make ",
        ),
        (
            env("IMAGECACHED_CONFIG", "gone.toml"),
            "settings file = \"gone.toml\" (environment variable IMAGECACHED_CONFIG): cannot be read: ",
        ),
    ] {
        let message = place.refused();
        assert!(message.starts_with(told), "\n{message}\n{told}");
    }
}
