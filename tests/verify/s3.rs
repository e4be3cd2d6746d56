//! Entries whose bytes are in a bucket: what the store has lost comes back from the disk.

use std::fs;

use serde_json::Value;

use crate::place::Place;
use crate::support::database::Kind;
use crate::{noise, verify};

#[test]
fn objects_that_a_bucket_has_lost() {
    let place = Place::s3("IMAGECACHED_TEST_S3_MOTO").with("IMAGECACHED_REMOTE", "all");
    let mut sandbox = place.sandbox(Kind::Postgres);
    let names = ["gone", "lost", "deleted", "sound"];
    for (n, name) in names.into_iter().enumerate() {
        sandbox.write(&format!("{name}.jpg"), &noise(n as u64, 3_000));
    }
    sandbox.ok(&["cache-all"]);
    let told = verify(&sandbox, &[], 0);
    assert_eq!((&told["verified"], &told["mended"]), (&4.into(), &0.into()), "{told}");

    let listed: Value = serde_json::from_str(&sandbox.ok(&["list", "--json"])).unwrap();
    let remote = place.open();
    for name in ["gone.jpg", "lost.jpg"] {
        let mut entries = listed.as_array().unwrap().iter();
        let entry = entries.find(|entry| entry["original_path"] == name).unwrap();
        let url = entry["image_url"].as_str().unwrap();
        sandbox.block_on(remote.remove(url)).unwrap();
    }
    for name in ["lost.jpg", "deleted.jpg"] {
        fs::remove_file(sandbox.uploads.join(name)).unwrap();
    }
    let told = verify(&sandbox, &[], 6);
    let figures = ["verified", "stored_again", "restored", "damaged", "out_of_reach"];
    let found = figures.map(|figure| told[figure].as_u64().unwrap());
    assert_eq!(found, [4, 1, 1, 1, 0], "{told}");
    assert_eq!(fs::read(sandbox.uploads.join("deleted.jpg")).unwrap(), noise(2, 3_000));
    assert_eq!(place.objects(&sandbox).len(), 3);

    // A store that is away says nothing about what it has.
    let dead = Place::dead();
    let endpoint =
        dead.environment.iter().find(|(name, _)| name == "AWS_ENDPOINT").unwrap().clone();
    sandbox.write("lost.jpg", &noise(1, 3_000));
    let told = verify(&sandbox, &[], 0);
    assert_eq!(told["mended"], 1, "{told}");
    sandbox.environment.push(endpoint);
    let told = verify(&sandbox, &["--dry-run", "--", "sound.jpg"], 6);
    assert_eq!((&told["out_of_reach"], &told["damaged"]), (&1.into(), &0.into()), "{told}");
    sandbox.remove();
}
