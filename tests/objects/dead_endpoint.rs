//! A store that does not answer at restore.

use std::net::TcpListener;

use crate::noise;
use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::Running;

/// Entries whose bytes are in the database come back first, whatever the store does.
#[test]
fn a_dead_store_holds_up_nothing_that_is_in_the_database() {
    let place = Place::directory();
    let sandbox = place.sandbox(Kind::Postgres);
    for n in 0..150 {
        sandbox.write(&format!("inline/{n}.jpg"), &noise(n, 2_000));
    }
    sandbox.write("chunks.bin", &noise(999, 6 << 20));
    sandbox.ok(&["cache-all", "--set", "large_files=chunks"]);
    let in_database = sandbox.files();
    // Newest first: these are the first ones in every plan.
    for n in 0..150 {
        sandbox.write(&format!("objects/{n}.jpg"), &noise(1_000 + n, 2_000));
    }
    sandbox.ok(&["cache-all", "--set", "remote=all"]);
    // Connections are taken by the system, and nobody ever answers them.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("its address"));
    let dead = Place::s3_at(&endpoint, crate::place::SECRET);
    sandbox.sql(&format!(
        "UPDATE image_cache SET image_url = replace(image_url, '{}', '{}') WHERE image_url <> ''",
        place.base_url, dead.base_url
    ));
    sandbox.wipe();
    let mut command = sandbox.run(&["boot_deadline=5s"], "exec sleep 600");
    command.env_remove("IMAGECACHED_OBJECT_STORE").envs(dead.environment.iter().cloned());
    let mut run = Running::start(command);
    for _ in 0..in_database.len() {
        let line = run.wait_for_log("event=restored ");
        assert!(!line.contains("path=objects/"), "{line}");
    }
    run.wait_for_log("event=app_started");
    // Uploads of the app are safe, with the store still silent.
    sandbox.write("new.jpg", b"new");
    run.wait_for_log("path=new.jpg");
    assert_eq!(sandbox.content("new.jpg"), b"new");
    run.stop();
    let mut files = sandbox.files();
    files.remove("new.jpg");
    assert!(files == in_database);
    drop(silent);
    sandbox.remove();
}

/// A store that refuses connections is not asked for each of its objects.
#[test]
fn a_dead_store_ends_a_restore_that_names_what_is_missing() {
    let place = Place::directory().with("IMAGECACHED_REMOTE", "all");
    let sandbox = place.sandbox(Kind::Sqlite);
    for n in 0..300 {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 2_000));
    }
    sandbox.ok(&["cache-all"]);
    let dead = Place::dead();
    sandbox.sql(&format!(
        "UPDATE image_cache SET image_url = replace(image_url, '{}', '{}')",
        place.base_url, dead.base_url
    ));
    let files = sandbox.files();
    sandbox.wipe();
    let mut command = sandbox.command(&["restore"]);
    let output = command.envs(dead.environment.iter().cloned()).output().expect("it starts");
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{log}");
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}{}", log.lines().last().unwrap_or_default());
    assert!(told.contains("0 damaged, 0 refused") && told.contains("300 left"), "{told}");
    assert!(log.contains("event=restore_stopped"), "{log}");
    assert!(log.lines().count() < 120, "{log}");
    // Nothing of it has done any harm.
    sandbox.sql(&format!(
        "UPDATE image_cache SET image_url = replace(image_url, '{}', '{}')",
        dead.base_url, place.base_url
    ));
    sandbox.ok(&["restore"]);
    assert!(sandbox.files() == files);
    sandbox.remove();
}
