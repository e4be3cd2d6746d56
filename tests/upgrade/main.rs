//! Upgrades: today's program on the database of an older one, an older program on the database of a newer
//! one, and migrations that are cut off in the middle.

mod first_version;
mod interrupted;
mod newer_schema;
mod slow;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use imagecached::model::Digest;
use support::database::{Database, Kind};
use support::program::Sandbox;

const DATABASES: [Kind; 3] = [Kind::Postgres, Kind::MariaDb, Kind::Sqlite];

/// What the fixtures repeat to fill chunks.
const LETTERS: &str = "sixteen letters ";

const BY_URL: (&str, &str) =
    ("remote/by-url.bin", "The bytes of this one are in an object store.\n");

/// The entry of the fixtures that has no data.
const WITHOUT_DATA: &str = "lost/without-data.jpg";

/// The files whose bytes the fixtures hold.
fn first_contents() -> BTreeMap<String, Vec<u8>> {
    [
        ("products/red-shoe.jpg", "A red shoe, as the first version stored it.\n".to_owned()),
        ("سفارش/رسید ۱۲.txt", "سلام\n".into()),
        ("odd/-leading dash.txt", "a dash\n".into()),
        ("odd/it's \"quoted\" & 100% {odd}; -- really.txt", "quotes\n".into()),
        ("odd/Case.txt", "A capital letter.\n".into()),
        ("odd/case.txt", "A small letter.\n".into()),
        ("odd/caf\u{e9} composed 🥿.txt", "One letter.\n".into()),
        ("odd/cafe\u{301} decomposed.txt", "Two letters.\n".into()),
        ("empty.txt", String::new()),
        ("documents/one-chunk.bin", LETTERS.repeat(1_000)),
        ("documents/several-chunks.bin", LETTERS.repeat(2 << 16) + "the end"),
        (BY_URL.0, BY_URL.1.to_owned()),
    ]
    .map(|(path, content)| (path.to_owned(), content.into_bytes()))
    .into()
}

/// The fixture of a database: `schema_1.*.sql` here.
fn fixture(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => include_str!("schema_1.sqlite.sql"),
        Kind::Postgres | Kind::PgBouncer => include_str!("schema_1.postgres.sql"),
        Kind::MariaDb => include_str!("schema_1.mysql.sql"),
    }
}

/// A fresh database as the first version has left it, and its object store in a directory.
fn sandbox_of_the_first_version(kind: Kind) -> Sandbox {
    let mut sandbox = Sandbox::new(kind);
    let objects = sandbox.beside().join("objects");
    let digits = Digest::of(BY_URL.1.as_bytes()).to_string();
    let object = objects.join(&digits[..2]).join(&digits[2..]);
    fs::create_dir_all(object.parent().unwrap()).unwrap();
    fs::write(object, BY_URL.1).unwrap();
    let base_url = format!("file://{}", objects.display());
    sandbox.block_on(load(&sandbox.database, &base_url));
    sandbox.environment.push(("IMAGECACHED_OBJECT_STORE".into(), base_url));
    sandbox
}

/// As [`sandbox_of_the_first_version`], for those that need no program.
async fn database_of_the_first_version(kind: Kind) -> Database {
    let database = Database::fresh(kind).await;
    load(&database, "file:///mnt/objects").await;
    database
}

async fn load(database: &Database, base_url: &str) {
    if database.kind == Kind::Sqlite {
        fs::write(database.file(), "").expect("an empty file");
    }
    database.run(&fixture(database.kind).replace("@OBJECTS@", base_url)).await;
}

/// The steps of this program's migrations, the first one first.
fn steps(kind: Kind) -> Vec<String> {
    let product = match kind {
        Kind::Sqlite => "sqlite",
        Kind::Postgres | Kind::PgBouncer => "postgres",
        Kind::MariaDb => "mysql",
    };
    let directory = format!("{}/src/store/{product}", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let is_step = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        name.starts_with("00") && name.ends_with(".sql")
    };
    let mut files: Vec<_> = files.filter(is_step).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// Asserts that a cache has come from the first version to this one with nothing lost.
fn assert_whole(sandbox: &Sandbox) {
    let kind = sandbox.database.kind;
    let versions = sandbox.numbers("SELECT version FROM imagecached_schema ORDER BY version");
    let all: Vec<i64> = (1..).take(steps(kind).len()).collect();
    assert_eq!(versions, all, "{kind:?}");
    let restored = sandbox.contents();
    assert_eq!(
        restored.keys().collect::<Vec<_>>(),
        first_contents().keys().collect::<Vec<_>>(),
        "{kind:?}"
    );
    assert!(restored == first_contents(), "{kind:?}: other bytes");
}
