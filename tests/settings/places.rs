//! Where things are: the database, whose login is never shown, and what the daemon writes down.

use imagecached::store::Target;

use crate::{Place, origin};

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
