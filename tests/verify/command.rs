//! The command besides: samples, names, rows that cannot be read, a place without an upload directory.

use std::fs;

use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{many_take_no_memory, noise, verify};

fn with_files(kind: Kind, count: u64) -> Sandbox {
    let sandbox = Sandbox::new(kind);
    for n in 0..count {
        sandbox.write(&format!("{n}.jpg"), &noise(n, 500));
    }
    sandbox.ok(&["cache-all"]);
    sandbox
}

#[test]
fn a_sample_is_a_part_and_at_least_one() {
    let sandbox = with_files(Kind::Sqlite, 200);
    let verified = |sample: &str| {
        verify(&sandbox, &["--sample", sample], 0)["verified"].as_u64().expect("a number")
    };
    assert_eq!(verified("100%"), 200);
    assert_eq!(verified("0.0001%"), 1);
    // Its chance to be beyond these bounds is one in a billion.
    assert!((50..=150).contains(&verified("50%")));
    for wrong in ["0%", "7", "half"] {
        assert_eq!(sandbox.output(&["verify", "--sample", wrong]).status.code(), Some(2));
    }
    sandbox.remove();
}

#[test]
fn the_last_line_sums_up() {
    let sandbox = with_files(Kind::Sqlite, 3);
    let told = sandbox.ok(&["verify"]);
    assert!(told.starts_with("3 verified (1,5") || told.starts_with("3 verified (1.5"), "{told}");
    sandbox.sql("UPDATE image_cache SET image_data = 'AAAA' WHERE original_path = '1.jpg'");
    let told = sandbox.ok(&["verify"]);
    assert!(told.contains("\"1.jpg\"") && told.contains("stored again"), "{told}");
    assert!(told.contains("3 verified") && told.contains(", 1 mended, 0 not mended, "), "{told}");
    sandbox.sql("UPDATE image_cache SET image_data = 'AAAA' WHERE original_path = '1.jpg'");
    fs::remove_file(sandbox.uploads.join("1.jpg")).unwrap();
    let output = sandbox.output(&["verify"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(6), "{told}");
    assert!(told.contains("cure: ") && told.contains("0 mended, 1 not mended"), "{told}");
    sandbox.remove();
}

#[test]
fn who_names_nothing_is_told_so() {
    let sandbox = with_files(Kind::Sqlite, 2);
    let output = sandbox.output(&["verify", "nothing.jpg"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no entry matches nothing.jpg"));
    assert_eq!(verify(&sandbox, &["1.jpg"], 0)["verified"], 1);
    sandbox.remove();
}

/// Beside no upload directory (another container) only what is stored is looked at.
#[test]
fn without_an_upload_directory_payloads_are_checked() {
    let sandbox = with_files(Kind::Postgres, 3);
    fs::remove_dir_all(&sandbox.uploads).unwrap();
    let told = verify(&sandbox, &[], 0);
    assert_eq!((&told["verified"], &told["mended"]), (&3.into(), &0.into()));
    assert!(!sandbox.uploads.exists(), "nobody asked for it");
    sandbox.sql("UPDATE image_cache SET image_data = 'AAAA' WHERE original_path = '1.jpg'");
    assert_eq!(verify(&sandbox, &[], 6)["damaged"], 1);
    sandbox.remove();
}

/// What somebody else has written into the table is named, and hides none of its neighbours.
#[test]
fn a_row_that_cannot_be_read_is_named() {
    let sandbox = with_files(Kind::Sqlite, 5);
    sandbox.sql("UPDATE image_cache SET sha256 = x'ff00' WHERE original_path = '1.jpg'");
    sandbox.sql("UPDATE image_cache SET sha256 = '' WHERE original_path = '2.jpg'");
    sandbox.sql("UPDATE image_cache SET file_size = 'many' WHERE original_path = '3.jpg'");
    let told = verify(&sandbox, &[], 6);
    let findings = told["findings"].as_array().expect("a list");
    assert_eq!(told["verified"], 5, "{told}");
    // An entry without a sha256 is written anew from its file.
    let mended: Vec<_> = findings.iter().filter(|it| it["mended"] == true).collect();
    assert_eq!((mended.len(), &mended[0]["path"]), (1, &"2.jpg".into()), "{told}");
    assert_eq!(told["damaged"], 2, "{told}");
    sandbox.remove();
}

/// Files that are larger than the settings keep have no data, which is no damage; and a file that is not
/// to be kept is never the reason to throw away what is stored of it.
#[test]
fn what_is_left_out_is_no_damage() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let skip = ["--set", "inline_limit=1KiB", "--set", "large_files=skip"];
    sandbox.write("large.bin", &noise(1, 3_000));
    sandbox.ok(&[&["cache-all"], &skip[..]].concat());
    let told = verify(&sandbox, &skip, 0);
    assert_eq!((&told["left_out"], &told["mended"]), (&1.into(), &0.into()));
    // By other settings it is to have its data.
    assert_eq!(verify(&sandbox, &[], 0)["mended"], 1);
    sandbox.sql("UPDATE image_cache SET image_data = 'AAAA'");
    assert_eq!(verify(&sandbox, &skip, 6)["damaged"], 1);
    assert_eq!(sandbox.numbers("SELECT length(image_data) FROM image_cache"), [4]);
    sandbox.remove();
}

#[test]
fn many_entries_take_no_memory() {
    let sandbox = with_files(Kind::Sqlite, 1);
    many_take_no_memory(&sandbox, "image_cache", "");
    let sampled = verify(&sandbox, &["--no-disk", "--sample", "1%"], 0);
    assert!((100..=300).contains(&sampled["verified"].as_u64().expect("a number")), "{sampled}");
    sandbox.remove();
}
