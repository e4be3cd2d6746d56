//! `MEDIA_ROOT = ""` is the project itself; and secrets among the uploads.

use std::fs;
use std::process::Output;

use crate::support::database::Kind;
use crate::support::program::Sandbox;

fn refused(output: &Output, mark: &str) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains(mark), "{told}");
    assert!(told.contains("set IMAGECACHED_UPLOAD_DIR"), "no cure: {told}");
}

#[test]
fn t18_a_source_tree_is_refused_with_a_cure() {
    for mark in ["manage.py", ".git", ".env"] {
        let sandbox = Sandbox::new(Kind::Sqlite);
        sandbox.write("picture.jpg", b"a picture");
        match mark {
            ".git" => fs::create_dir(sandbox.uploads.join(mark)).unwrap(),
            _ => fs::write(sandbox.uploads.join(mark), "SECRET=1").unwrap(),
        }
        let app = ["run", "--", "touch", "app-was-started"];
        for command in [&["cache-all"][..], &["restore"], &["watch"], &app] {
            refused(&sandbox.output(command), mark);
        }
        assert!(!sandbox.beside().join("app-was-started").exists());
        sandbox.ok(&["migrate"]);
        assert_eq!(sandbox.paths(), [""; 0], "something was stored");

        // Unless it is meant.
        let forced = sandbox.ok(&["cache-all", "--set", "allow_any_upload_dir=true"]);
        assert!(forced.starts_with("1 cached") || mark == "manage.py", "{forced}");
    }
}

#[test]
fn t18_the_working_directory_and_the_system_are_refused() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    for (root, why) in [("", "names no directory"), (".", "working directory"), ("/", "root")] {
        // An empty variable counts as not set, and Django's empty MEDIA_ROOT comes as a flag.
        let mut command = sandbox.command(&["cache-all", "--upload-dir", root]);
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{root:?}: {told}");
        assert!(told.contains(why) || root.is_empty(), "{root:?}: {told}");
        assert!(told.contains("IMAGECACHED_UPLOAD_DIR"), "{root:?} without a cure: {told}");
    }
}

#[test]
fn t18_secrets_and_databases_are_not_stored_unless_asked() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.write("picture.jpg", b"a picture");
    for secret in ["shop/.env", "keys/server.pem", "db.sqlite3", "shop/app.sqlite3-wal"] {
        sandbox.write(secret, b"secret");
    }
    let told = sandbox.ok(&["cache-all"]);
    assert!(told.contains("1 cached") && told.contains("4 skipped"), "{told}");
    assert_eq!(sandbox.paths(), ["picture.jpg"]);

    let mut asked = sandbox.command(&["cache-all"]);
    let output = asked.env("IMAGECACHED_INCLUDE", ".env,*.pem,db.sqlite3").output().unwrap();
    assert!(output.status.success());
    let wanted = ["db.sqlite3", "keys/server.pem", "picture.jpg", "shop/.env"];
    assert_eq!(sandbox.paths(), wanted);
}
