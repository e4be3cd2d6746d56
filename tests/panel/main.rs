//! The admin panel in a real browser, on a real daemon and a real database. What is done in the browser
//! stands in `visit.py`, a function a test; here is what it is done to.

#[path = "../support/mod.rs"]
mod support;

mod readme;
mod shop;

use support::database::Kind;

use shop::Shop;

#[test]
fn every_page_in_both_languages_and_colours_on_all_widths() {
    Shop::open(Kind::Postgres).visit("look_at_every_page");
}

#[test]
fn entries_are_found_restored_and_deleted() {
    let shop = Shop::open(Kind::Postgres);
    shop.visit("work_with_entries");
    // What the browser has seen is so in the database and on the disk.
    assert!(!shop.sandbox.paths().iter().any(|path| path.contains("rose-water")));
    assert!(shop.sandbox.uploads.join(shop::LOST).exists());
}

#[test]
fn one_entry_is_verified_and_shown() {
    Shop::open(Kind::MariaDb).visit("work_with_one_entry");
}

#[test]
fn a_former_content_is_made_the_present_one() {
    Shop::open(Kind::Sqlite).visit("make_a_former_content_present");
}

#[test]
fn the_trash_gives_back_and_forgets() {
    let shop = Shop::open(Kind::Postgres);
    shop.trash(&[shop::LOST, shop::OLD, shop::DAMAGED]);
    shop.visit("work_with_the_trash");
    // Its file is back as well.
    assert!(shop.sandbox.uploads.join(shop::LOST).exists());
    let paths = shop.sandbox.paths();
    assert!(paths.iter().any(|path| path == shop::LOST));
    assert!(!paths.iter().any(|path| path == shop::OLD));
}

#[test]
fn cleanup_counts_and_then_removes() {
    let shop = Shop::open(Kind::Sqlite);
    shop.visit("clean_up");
    let paths = shop.sandbox.paths();
    assert!(!paths.iter().any(|path| path == shop::OLD), "{} was to go", shop::OLD);
    assert!(paths.iter().any(|path| path == shop::LOST), "{} was to stay", shop::LOST);
}

#[test]
fn what_happens_is_shown_while_one_looks() {
    Shop::open(Kind::Sqlite).visit("watch_an_upload");
}

#[test]
fn without_a_script_everything_can_be_done() {
    Shop::open(Kind::Sqlite).visit("do_without_script");
}

#[test]
fn with_the_keyboard_alone_everything_can_be_done() {
    Shop::open(Kind::Sqlite).visit("do_with_the_keyboard");
}

#[test]
fn a_stranger_looks_and_changes_nothing() {
    let shop = Shop::open(Kind::Sqlite);
    let before = shop.sandbox.paths();
    shop.visit("look_as_a_stranger");
    assert_eq!(shop.sandbox.paths(), before);
}

#[test]
fn the_login_refuses_what_is_not_the_token() {
    Shop::open(Kind::Sqlite).visit("log_in_and_out");
}

#[test]
fn a_process_without_the_upload_directory_says_so() {
    Shop::open(Kind::Sqlite).away_from_the_disk().visit("look_from_afar");
}
