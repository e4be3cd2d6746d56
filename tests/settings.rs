//! The layers of the settings, from where a user gives them to the checked type.

use std::path::{Path, PathBuf};
use std::time::Duration;

use imagecached::model::ObjectStore;
use imagecached::model::{ByteSize, UploadPath};
use imagecached::settings::{
    Durable, LargeFiles, Loaded, LogFormat, LogLevel, RemoteFiles, Shown, Sources, load,
};
use imagecached::store::Target;

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
    assert_eq!(loaded.origins.len(), 44);
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
fn the_database_url_of_the_platform_is_read_and_ours_beats_it() {
    let theirs = "postgres://u:s3cret@theirs/db";
    let loaded = Place::new().env("DATABASE_URL", theirs).load();
    let shown = origin(&loaded, "database_url");
    assert_eq!(shown.value, "postgres://u:…@theirs/db");
    assert_eq!(shown.origin, "environment variable DATABASE_URL");
    for names in
        [["DATABASE_URL", "IMAGECACHED_DATABASE_URL"], ["IMAGECACHED_DATABASE_URL", "DATABASE_URL"]]
    {
        let place = names.iter().fold(Place::new(), |place, name| {
            place.env(name, if name.len() > 12 { "mysql://ours/db" } else { theirs })
        });
        assert_eq!(place.load().settings.database.target, Target::MySql("mysql://ours/db".into()));
    }
    let empty = Place::new().env("IMAGECACHED_DATABASE_URL", "").env("DATABASE_URL", theirs);
    assert!(matches!(empty.load().settings.database.target, Target::Postgres(_)));
}

#[test]
fn no_secret_is_in_what_is_shown() {
    let place = Place::new()
        .env("DATABASE_URL", "postgres://u:s3cret@h/db?password=s3cret")
        .env("IMAGECACHED_EXCLUDE", "postgres://u:s3cret@h/db");
    assert!(!format!("{:?}", place.load().origins).contains("s3cret"));
    let place = Place::new().env("DATABASE_URL", "postgres://u:s3cret@h/db?sslmode=allow");
    assert!(!format!("{:?}", place.load()).contains("s3cret"));
    for place in [
        Place::new().env("DATABASE_URL", "postgres://u:s3cret@h"),
        Place::new().env("DATABASE_URL", "s3cret"),
        Place::new().env("IMAGECACHED_QUIET", "postgres://u:s3cret@h/db"),
        Place::new().env("IMAGECACHED_DATABSE_URL", "postgres://u:s3cret@h/db"),
        Place::new().env("IMAGECACHED_PASSWORD", "s3cret"),
        Place::new().file("config/imagecached.toml", "database_url = \"postgres://u:s3cret@h/db"),
        Place::new().file("config/imagecached.toml", "database_url = { password = \"s3cret\" }"),
        Place::new().file("config/imagecached.toml", "[database_url]\npassword = \"s3cret\""),
    ] {
        let told = place.refused();
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn lists_are_separated_by_commas_or_lines_and_their_flag_may_come_again() {
    let takes = |place: Place, path: &str| {
        place.load().settings.patterns.takes(&UploadPath::parse(path).unwrap())
    };
    let given = || Place::new().env("IMAGECACHED_EXCLUDE", "*.one, *.two\n*.three,,");
    for path in ["a.one", "a.two", "a.three"] {
        assert!(!takes(given(), path), "{path}");
    }
    assert!(takes(given(), "a.tmp"), "a given list takes the place of the default");
    let flags = || Place::new().flag("exclude", "*.one").flag("exclude", "*.two");
    assert!(!takes(flags(), "a.one") && !takes(flags(), "a.two"));
    assert!(takes(Place::new().env("IMAGECACHED_INCLUDE", "public.pem"), "public.pem"));
    assert!(takes(Place::new().env("IMAGECACHED_EXCLUDE", ","), "a.tmp"));
    assert!(
        !takes(Place::new().env("IMAGECACHED_EXCLUDE", ""), "a.tmp"),
        "empty counts as not set"
    );
}

#[test]
fn t18_unfinished_files_and_secrets_are_excluded_and_real_uploads_never() {
    let patterns = Place::new().load().settings.patterns;
    let takes = |path: &str| patterns.takes(&UploadPath::parse(path).unwrap());
    for path in [
        ".env",
        "shop/.env.production",
        "cert.pem",
        "db.sqlite3",
        "db.sqlite3-wal",
        "x.db-journal",
        "a/b.tmp",
        "film.mp4.part",
        "photo.jpg.crdownload",
        ".notes.txt.swp",
        "notes.txt~",
        ".#notes.txt",
        ".~lock.price list.odt#",
        "~$offer.docx",
        "a/.DS_Store",
        "Thumbs.db",
        ".nfs000000000001",
        "lost+found/1",
        ".ssh/id_rsa",
        ".git/config",
        ".imagecached-probe",
    ] {
        assert!(!takes(path), "{path} is taken");
    }
    for path in [
        "photo.jpg",
        "products/2025/03/photo_a1B2c3d.jpg",
        "talk.key",
        "prices.db",
        "old.bak",
        "macro.swp",
        "environment.jpg",
        "my.env",
        "backup~1.jpg",
        "~photo.jpg",
        "part.jpg",
        "temp.tmp.pdf",
        "report.sqlite3.pdf",
        "my.sqlite-notes.pdf",
        "a/lost+found/x.jpg",
        "CACHE/images/x.webp",
        ".well-known/file",
        "نقشه.jpg",
        "#1.jpg",
        "shape.prt",
        "noname",
        "dump.sql",
        "invoice.pem.pdf",
        "_rsa.png",
        "key.txt",
        "thumbs/db.jpg",
        ".hidden.png",
    ] {
        assert!(takes(path), "{path} is excluded");
    }
}

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

#[test]
fn the_state_directory_is_one_that_is_there() {
    let place = Place::new();
    let here = place.dir.path().display().to_string();
    let place = place.env("XDG_RUNTIME_DIR", &here);
    assert_eq!(place.load().settings.state_dir, place.dir.path());
    let gone = Place::new().env("XDG_RUNTIME_DIR", "/no/such/session").env("TMPDIR", &here);
    assert_eq!(gone.load().settings.state_dir, place.dir.path());
    let given = Place::new().env("IMAGECACHED_STATE_DIR", "run");
    assert_eq!(given.load().settings.state_dir, given.dir.path().join("run"));
}

/// The object store of a place, as its `Debug` shows it, and an option of a bucket.
fn bucket_option(place: &Place, option: &str) -> (String, Option<String>) {
    let store = place.load().settings.remote.store.expect("a store");
    let ObjectStore::Bucket(bucket) = &store else { panic!("{store:?}") };
    (bucket.base_url(), bucket.option(option).map(str::to_owned))
}

#[test]
fn without_an_object_store_large_files_go_into_chunks() {
    let remote = Place::new().load().settings.remote;
    assert_eq!((remote.store, remote.large_files), (None, LargeFiles::Chunks));
    assert_eq!((remote.files, remote.remove_objects), (RemoteFiles::Large, true));
    let skip = Place::new().env("IMAGECACHED_LARGE_FILES", "skip").load().settings.remote;
    assert_eq!(skip.large_files, LargeFiles::Skip);
}

#[test]
fn an_object_store_is_named_by_its_url_and_reached_by_the_usual_variables() {
    let aws = || {
        Place::new()
            .env("AWS_ACCESS_KEY_ID", "theirs")
            .env("AWS_SECRET_ACCESS_KEY", "s3cret")
            .env("AWS_REGION", "eu-west-3")
    };
    let amazon = || aws().env("IMAGECACHED_OBJECT_STORE", "s3://shop/media/");
    for (option, value) in [
        ("aws_access_key_id", Some("theirs")),
        ("aws_region", Some("eu-west-3")),
        ("aws_virtual_hosted_style_request", Some("true")),
        ("aws_endpoint", None),
    ] {
        let found = bucket_option(&amazon(), option);
        assert_eq!(found, ("s3://shop/media/".into(), value.map(str::to_owned)), "{option}");
    }
    let ours = || {
        amazon()
            .env("IMAGECACHED_OBJECT_STORE_ENDPOINT", "http://127.0.0.1:9000/")
            .env("IMAGECACHED_OBJECT_STORE_KEY_ID", "ours")
            .env("IMAGECACHED_OBJECT_STORE_SECRET", "s3cret")
    };
    for (option, value) in [
        ("aws_access_key_id", "ours"),
        ("aws_endpoint", "http://127.0.0.1:9000"),
        ("aws_allow_http", "true"),
        ("aws_virtual_hosted_style_request", "false"),
    ] {
        assert_eq!(bucket_option(&ours(), option).1.as_deref(), Some(value), "{option}");
    }
    let by_host = ours().env("IMAGECACHED_OBJECT_STORE_PATH_STYLE", "false");
    let endpoint = bucket_option(&by_host, "aws_endpoint").1;
    assert_eq!(endpoint.as_deref(), Some("http://shop.127.0.0.1:9000"));
    let remote = ours().env("IMAGECACHED_REMOTE", "all").load().settings.remote;
    assert_eq!((remote.large_files, remote.files), (LargeFiles::Remote, RemoteFiles::All));
    let chunks = ours().env("IMAGECACHED_LARGE_FILES", "chunks").load().settings.remote;
    assert_eq!(chunks.large_files, LargeFiles::Chunks);
    let directory = Place::new().env("IMAGECACHED_OBJECT_STORE", "file:///mnt/volume/");
    assert_eq!(bucket_option(&directory, "x").0, "file:///mnt/volume/");
}

#[test]
fn cloudinary_is_used_where_its_url_is_given_and_nothing_else_is_named() {
    let url = "cloudinary://12345:s3cret@shop";
    let place = || Place::new().env("CLOUDINARY_URL", url);
    let remote = place().load().settings.remote;
    assert!(
        matches!(&remote.store, Some(ObjectStore::Cloudinary(account)) if account.cloud == "shop")
    );
    assert_eq!(remote.large_files, LargeFiles::Remote);
    assert!(remote.notes.is_empty());
    let loaded = place().load();
    let shown = origin(&loaded, "cloudinary_url");
    assert_eq!(shown.value, "cloudinary://…@shop");
    assert_eq!(shown.origin, "environment variable CLOUDINARY_URL");
    let both = place().env("IMAGECACHED_OBJECT_STORE", "file:///mnt/volume").load().settings.remote;
    assert!(matches!(both.store, Some(ObjectStore::Bucket(_))));
    assert_eq!(both.notes.len(), 1);
    let secret = place().env("IMAGECACHED_OBJECT_STORE_SECRET", "s3cret").load();
    assert!(!format!("{secret:?}").contains("s3cret"));
}

#[test]
fn an_object_store_that_cannot_be_used_is_told_with_its_cure_and_without_its_secret() {
    let env = |pairs: &[(&str, &str)]| {
        pairs.iter().fold(Place::new(), |place, (name, value)| place.env(name, value))
    };
    for (place, told) in [
        (
            env(&[("IMAGECACHED_LARGE_FILES", "remote")]),
            "large_files = \"remote\" (environment variable IMAGECACHED_LARGE_FILES): needs an object store, and none is set; set object_store to s3://",
        ),
        (
            env(&[("IMAGECACHED_REMOTE", "all")]),
            "remote = \"all\" (environment variable IMAGECACHED_REMOTE): needs an object store, and none is set; set ",
        ),
        (
            env(&[
                ("IMAGECACHED_REMOTE", "all"),
                ("IMAGECACHED_LARGE_FILES", "chunks"),
                ("IMAGECACHED_OBJECT_STORE", "file:///mnt/x"),
            ]),
            "remote = \"all\" (environment variable IMAGECACHED_REMOTE): wants every file in the object store, and large_files wants the large ones elsewhere; set ",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "cloudinary")]),
            "object_store = \"cloudinary\" (environment variable IMAGECACHED_OBJECT_STORE): needs CLOUDINARY_URL, which is not set; set it to ",
        ),
        (
            env(&[("CLOUDINARY_URL", "cloudinary://12345:s3cret")]),
            "cloudinary_url = \"(hidden, 25 characters)\" (environment variable CLOUDINARY_URL): has no @ before the cloud's name; set it to ",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "s3://id:s3cret@shop")]),
            "object_store = \"(hidden, 19 characters)\" (environment variable IMAGECACHED_OBJECT_STORE): has a name or a key in it; give the key by AWS_ACCESS_KEY_ID",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "ftp://shop")]),
            "object_store = \"ftp://shop\" (environment variable IMAGECACHED_OBJECT_STORE): names a kind of object store that is not known; write s3://",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "s3://shop/a/../b")]),
            "object_store = \"s3://shop/a/../b\" (environment variable IMAGECACHED_OBJECT_STORE): has \"..\" as a part; write parts of letters",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "s3://Shop")]),
            "object_store = \"s3://Shop\" (environment variable IMAGECACHED_OBJECT_STORE): names no bucket; write ",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "file://relative")]),
            "object_store = \"file://relative\" (environment variable IMAGECACHED_OBJECT_STORE): is no absolute directory; write ",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "s3://shop"), ("AWS_ACCESS_KEY_ID", "x")]),
            "object_store = \"s3://shop\" (environment variable IMAGECACHED_OBJECT_STORE): has the id of a key, and not its secret; set ",
        ),
        (
            env(&[
                ("IMAGECACHED_OBJECT_STORE", "s3://shop"),
                ("AWS_ENDPOINT", "https://s3.example"),
            ]),
            "object_store = \"s3://shop\" (environment variable IMAGECACHED_OBJECT_STORE): has a server of its own, and no key for it; set ",
        ),
        (
            env(&[
                ("IMAGECACHED_OBJECT_STORE", "s3://shop"),
                ("IMAGECACHED_OBJECT_STORE_ENDPOINT", "s3.example"),
            ]),
            "object_store_endpoint = \"s3.example\" (environment variable IMAGECACHED_OBJECT_STORE_ENDPOINT): is no address of a server; write https://",
        ),
        (
            env(&[
                ("CLOUDINARY_URL", "cloudinary://1:2@shop"),
                ("IMAGECACHED_CLOUDINARY_FOLDER", "our photos"),
            ]),
            "cloudinary_folder = \"our photos\" (environment variable IMAGECACHED_CLOUDINARY_FOLDER): has ' ' in it; write parts of letters",
        ),
    ] {
        let message = place.refused();
        assert!(message.starts_with(told), "\n{message}\n{told}");
        assert!(!message.contains("s3cret"), "{message}");
    }
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
fn http_is_for_this_machine_alone_unless_there_is_a_token() {
    let listen = |text: &str| {
        let place = Place::new().flag("listen", text);
        place.load().settings.http.listen.map(|address| address.to_string())
    };
    assert_eq!(listen(""), None);
    for text in ["8080", ":8080", "localhost:8080", " 127.0.0.1:8080 "] {
        assert_eq!(listen(text).as_deref(), Some("127.0.0.1:8080"), "{text}");
    }
    assert_eq!(listen("[::1]:0").as_deref(), Some("[::1]:0"));
    let file = Place::new().file("config/imagecached.toml", "listen = 8080");
    assert_eq!(file.load().settings.http.listen.map(|address| address.port()), Some(8080));
    for text in ["8080x", "70000", ":", "shop.example:80", "127.0.0.1", "-1"] {
        let message = Place::new().flag("listen", text).refused();
        assert!(
            message.starts_with(&format!("listen = {text:?} (flag --listen): is no ")),
            "{message}"
        );
    }
    let token = "0123456789abcdef";
    for beyond in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[::ffff:10.0.0.1]:80"] {
        let place = || Place::new().env("IMAGECACHED_LISTEN", beyond);
        let message = place().refused();
        assert!(message.contains("there is no token") && message.contains("IMAGECACHED_TOKEN"));
        let loaded = place().env("IMAGECACHED_TOKEN", token).load();
        assert_eq!(loaded.settings.http.token.as_ref().unwrap().expose(), token);
        assert_eq!(origin(&loaded, "token").value, "(hidden)");
        assert!(!format!("{loaded:?}").contains(token));
    }
    for (wrong, why) in
        [("short", "fewer than 16"), ("0123456789 abcdef", "characters that a header")]
    {
        let message = Place::new().env("IMAGECACHED_TOKEN", wrong).refused();
        assert!(message.contains(why) && !message.contains(wrong), "{message}");
    }
}
