//! Large files go both ways in little memory (trap 25).

use std::process::Command;

use crate::cloudinary_server::CloudinaryServer;
use crate::support::{Noise, bucket, download, open_patiently, peak_memory, server, store, upload};

const LENGTH: u64 = 120 << 20;
const MOST: u64 = 64 << 20;
const CHILD: &str = "IMAGECACHED_TEST_REMOTE_CHILD";

/// In a process of its own, since the peak is the process's and the other tests are in this one.
fn in_its_own_process(store: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory::both_ways", "--ignored", "--nocapture"])
        .env(CHILD, store)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    print!("{told}");
}

#[test]
fn t25_120_mebibytes_to_s3() {
    in_its_own_process(&server("IMAGECACHED_TEST_S3_FS"));
}

#[test]
fn t25_120_mebibytes_to_moto() {
    in_its_own_process(&server("IMAGECACHED_TEST_S3_MOTO"));
}

#[test]
fn t25_120_mebibytes_to_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    in_its_own_process(&format!("file://{}", dir.path().display()));
}

#[test]
fn t25_120_mebibytes_to_cloudinary() {
    let server = CloudinaryServer::start();
    in_its_own_process(&server.url());
    assert_eq!(server.assets(), 1);
}

#[tokio::test]
#[ignore = "run by the tests above, in a process of its own"]
async fn both_ways() {
    let named = std::env::var(CHILD).unwrap();
    let store = match named.split(':').next() {
        Some("cloudinary") => store(&[("CLOUDINARY_URL", &named)]),
        Some("file") => store(&[("IMAGECACHED_OBJECT_STORE", &named)]),
        _ => bucket(&named),
    };
    let remote = open_patiently(&store);
    let object = Noise::object(LENGTH, 30);
    let before = peak_memory();
    let url = upload(&*remote, LENGTH, 30).await.unwrap().url;
    let up = peak_memory();
    assert_eq!(download(&*remote, &url, LENGTH).await.unwrap(), (LENGTH, object.sha256));
    let down = peak_memory();
    println!(
        "{}: 120 MiB up and down, peak memory {} MiB before, {} MiB after the upload, {} MiB after the download",
        remote.describe(),
        before >> 20,
        up >> 20,
        down >> 20
    );
    assert!(down - before < MOST, "more than {} MiB", MOST >> 20);
}
