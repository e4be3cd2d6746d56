//! One SQLite file for the app and the image cache: the app's writes come first.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use crate::samples::Sample;
use crate::shop::Shop;
use crate::support::database::Kind;

/// Files that are stored while the app writes.
const FILES: usize = 500;

/// The app writes without pause; no write of it fails, and its file keeps its journal mode.
fn the_app_writes_on(shop: &Shop, journal: &str) {
    let set = format!(
        "from django.db import connection; connection.cursor().execute('PRAGMA journal_mode={journal}')"
    );
    shop.manage(&["shell", "-v", "0", "-c", &set]);
    shop.sandbox.ok(&["migrate"]);
    let watch = shop.sandbox.watch();
    let mut app = shop
        .manage_command(&["shell", "-v", "0", "-c", include_str!("shop_writes.py")])
        .env("FILES", FILES.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut said = BufReader::new(app.stdout.take().expect("a pipe"));
    let mut line = String::new();
    said.read_line(&mut line).expect("the app speaks");
    for n in 0..FILES {
        // A few go into chunks.
        let size = if n % 100 == 0 { 6 << 20 } else { 1_000 * (1 + n % 100) };
        let Sample { name, bytes, .. } = Sample::document(&format!("{n}.txt"), size);
        shop.sandbox.write(&format!("documents/{name}"), &bytes);
    }
    let mut rest = String::new();
    said.read_to_string(&mut rest).expect("the app speaks");
    let output = app.wait_with_output().expect("the app ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(rest.trim().ends_with(&format!("journal={journal}")), "{rest}");
    println!("{}", rest.trim());
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert_eq!(shop.sandbox.contents(), shop.sandbox.files());
}

#[test]
fn the_app_writes_on_with_a_rollback_journal() {
    let shop = Shop::new(Kind::Sqlite);
    the_app_writes_on(&shop, "delete");
    shop.sandbox.remove();
}

#[test]
fn the_app_writes_on_with_a_write_ahead_log() {
    let shop = Shop::new(Kind::Sqlite);
    the_app_writes_on(&shop, "wal");
    shop.sandbox.remove();
}

/// In a first container imagecached comes before the app's own `migrate`, and makes the file.
#[test]
fn the_app_writes_on_in_a_file_that_imagecached_has_made() {
    let shop = Shop::without_tables(Kind::Sqlite);
    shop.sandbox.ok(&["migrate"]);
    shop.manage(&["migrate", "--verbosity", "0"]);
    the_app_writes_on(&shop, "wal");
    shop.sandbox.remove();
}
