//! Databases that share an object store: nothing is removed, and everybody is told.

use std::fs::File;
use std::time::{Duration, SystemTime};

use crate::place::{Place, entries};
use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{let_go, loose, no_secret, noise, told};

/// The name of the other database, as the doctor tells it.
fn neighbour(sandbox: &Sandbox) -> String {
    let (_, doctor) = told(sandbox, &["doctor"]);
    let (_, rest) = doctor.split_once("--forget-database ").expect("the doctor tells of it");
    rest.split_whitespace().next().expect("a name").to_owned()
}

/// Its cleanup removes the entry and keeps the object, and says why.
fn keeps_its_object(sandbox: &Sandbox, path: &str, said: &str) {
    let_go(sandbox, path);
    let (code, shown) = told(sandbox, &["cleanup"]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("objects stay: another database uses"), "{shown}");
    let (code, done) = told(sandbox, &["cleanup", "--yes"]);
    assert_eq!(code, Some(0), "{done}");
    assert!(done.contains("1 entries removed"), "{done}");
    assert!(done.contains("objects stay: another database uses") && done.contains(said), "{done}");
    let (code, refused) = told(sandbox, &["cleanup", "--orphans", "--yes"]);
    assert_eq!(code, Some(1), "{refused}");
    assert!(refused.contains("nothing was removed from"), "{refused}");
}

fn two_databases(place: &Place) {
    let (shop, blog) = (place.sandbox(Kind::Postgres), place.sandbox(Kind::MariaDb));
    for n in 0..3 {
        shop.write(&format!("{n}.jpg"), &noise(n, 3_000));
        blog.write(&format!("{n}.jpg"), &noise(n, 3_000));
    }
    shop.ok(&["cache-all"]);
    assert_eq!(entries(&shop, "url"), 3);
    // The shop may just be removing something that the blog would find: an hour makes sure of it.
    let (code, log) = told(&blog, &["cache-all"]);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("event=object_refused") && log.contains("needs an hour"), "{log}");
    assert_eq!((entries(&blog, "chunks"), entries(&blog, "url")), (3, 0), "{log}");

    keeps_its_object(&shop, "0.jpg", "MariaDB 127.0.0.1:");
    assert_eq!((place.objects(&shop).len(), loose(&shop)), (3, 1));
    let (_, said) = told(&blog, &["doctor"]);
    assert!(said.contains("objects.shared") && said.contains("PostgreSQL 127.0.0.1:"), "{said}");
    for sandbox in [&shop, &blog] {
        let mut watch = sandbox.watch();
        watch.wait_for_log("event=objects_shared");
        let (_, log) = watch.stop();
        no_secret(sandbox, &log);
        assert!(!log.contains("object_removed"), "{log}");
    }
    for mark in shop.block_on(place.open().marks()).expect("marks") {
        println!("{}: {}", mark.name, mark.note);
        no_secret(&shop, &mark.note);
        no_secret(&blog, &mark.note);
    }

    // The blog is given up. What it still referred to would be in danger, so it takes a word more.
    let name = neighbour(&shop);
    let (code, shown) = told(&shop, &["cleanup", "--forget-database", &name]);
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("nothing was done"), "{shown}");
    let (code, refused) = told(&shop, &["cleanup", "--forget-database", "nobody", "--yes"]);
    assert_eq!(code, Some(1), "{refused}");
    assert!(refused.contains(&name), "{refused}");
    let (code, done) = told(&shop, &["cleanup", "--forget-database", &name, "--yes"]);
    assert_eq!(code, Some(0), "{done}");
    let (_, done) = told(&shop, &["cleanup", "--yes"]);
    assert!(done.contains("1 object removed"), "{done}");
    assert_eq!((place.objects(&shop).len(), loose(&shop)), (2, 0));
    shop.remove();
    blog.remove();
}

#[test]
fn two_databases_in_moto() {
    two_databases(&Place::s3("IMAGECACHED_TEST_S3_MOTO").with("IMAGECACHED_REMOTE", "all"));
}

#[test]
fn two_databases_in_s3s_fs() {
    two_databases(&Place::s3("IMAGECACHED_TEST_S3_FS").with("IMAGECACHED_REMOTE", "all"));
}

#[test]
fn two_databases_in_a_directory() {
    two_databases(&Place::directory().with("IMAGECACHED_REMOTE", "all"));
}

/// After its first hour a neighbour uses the store, and what it finds there.
#[test]
fn a_neighbour_of_long_standing_shares_the_objects() {
    let place = Place::directory().with("IMAGECACHED_REMOTE", "all");
    let (shop, blog) = (place.sandbox(Kind::Sqlite), place.sandbox(Kind::Postgres));
    shop.write("a.jpg", &noise(1, 3_000));
    shop.ok(&["cache-all"]);
    blog.write("first.jpg", &noise(2, 3_000));
    blog.ok(&["cache-all"]);
    assert_eq!(entries(&blog, "chunks"), 1);
    let past = SystemTime::now() - Duration::from_secs(2 * 3600);
    let name = neighbour(&shop);
    let mark = place.file(&format!("{}/databases/{name}", place.base_url));
    let mark = File::options().write(true).open(mark).expect("a mark");
    mark.set_modified(past).expect("a file of ours");

    blog.write("b.jpg", &noise(1, 3_000));
    blog.ok(&["cache-all"]);
    assert_eq!((entries(&blog, "url"), place.objects(&shop).len()), (1, 1), "one for both");
    keeps_its_object(&shop, "a.jpg", "PostgreSQL 127.0.0.1:");
    blog.wipe();
    blog.ok(&["restore"]);
    assert_eq!(blog.files()["b.jpg"], noise(1, 3_000));
    shop.remove();
    blog.remove();
}

/// Staging is a copy of production: it has the same identity, and the same entries.
#[test]
fn a_copy_of_a_database_takes_nothing_from_the_original() {
    let place = Place::s3("IMAGECACHED_TEST_S3_FS").with("IMAGECACHED_REMOTE", "all");
    let mut production = place.sandbox(Kind::Sqlite);
    for n in 0..3 {
        production.write(&format!("{n}.jpg"), &noise(n, 3_000));
    }
    production.ok(&["cache-all"]);
    let files = production.files();
    for n in 0..3 {
        let_go(&production, &format!("{n}.jpg"));
    }
    production.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let copy = production.beside().join("staging.sqlite3");
    std::fs::copy(production.database.file(), &copy).expect("a copy");
    let url = format!("sqlite://{}", copy.display());

    production.environment.push(("DATABASE_URL".into(), url));
    let (code, done) = told(&production, &["cleanup", "--yes"]);
    assert_eq!(code, Some(0), "{done}");
    assert!(done.contains("3 entries removed") && done.contains("objects stay"), "{done}");
    assert!(done.contains("which is a copy of this one"), "{done}");
    production.environment.pop();

    assert_eq!(place.objects(&production).len(), 3);
    production.ok(&["restore"]);
    assert!(production.files() == files);
    // And the other way round.
    keeps_its_object(&production, "0.jpg", "staging.sqlite3");
    assert_eq!((place.objects(&production).len(), loose(&production)), (3, 1));
    production.remove();
}

/// Many a copy has the address of the original on another machine: `db:5432/shop`, `/data/cache.sqlite3`.
#[test]
fn a_copy_at_the_same_address_takes_nothing_from_the_original() {
    let place = Place::directory().with("IMAGECACHED_REMOTE", "all");
    let production = place.sandbox(Kind::Sqlite);
    production.write("a.jpg", &noise(1, 3_000));
    production.ok(&["cache-all"]);
    production.sql("PRAGMA wal_checkpoint(TRUNCATE)");
    let file = production.database.file();
    let moved = production.beside().join("on another machine");
    std::fs::copy(&file, &moved).expect("a copy");
    std::fs::rename(&moved, &file).expect("it takes the place");

    let_go(&production, "a.jpg");
    let (code, done) = told(&production, &["cleanup", "--yes"]);
    assert_eq!(code, Some(0), "{done}");
    assert!(done.contains("objects stay") && done.contains("is a copy of this one"), "{done}");
    assert_eq!(place.objects(&production).len(), 1);
    production.remove();
}
