//! The contract of a bucket, held against every kind that can be had on one machine.

use std::sync::Arc;

use bytes::Bytes;
use imagecached::model::Digest;
use imagecached::remote::{Blocking, NewObject, Remote, Trouble};

use crate::support::{
    BUCKET, KEY_ID, Noise, SECRET, bucket, download, listed, marks_come_and_go, open,
    open_patiently, round_trip, server, store, unique, upload,
};

/// Makes a test of every case for every kind of bucket.
macro_rules! contract {
    ($($case:ident)*) => {
        contract!(@on moto, bucket(&server("IMAGECACHED_TEST_S3_MOTO")), $($case)*);
        contract!(@on s3s_fs, bucket(&server("IMAGECACHED_TEST_S3_FS")), $($case)*);
        contract!(@on directory, store(&[("IMAGECACHED_OBJECT_STORE", &directory())]), $($case)*);
    };
    (@on $module:ident, $store:expr, $($case:ident)*) => {
        mod $module {
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(&open_patiently(&$store)).await;
                }
            )*
        }
    };
}

contract! {
    every_size_comes_back
    one_content_is_one_object
    a_list_has_our_objects_and_nothing_else
    a_removed_object_is_gone
    what_is_longer_than_expected_is_not_taken
    a_changed_content_leaves_nothing_behind
    a_damaged_object_is_replaced
    the_check_leaves_nothing_behind
    marks_are_no_objects
}

fn directory() -> String {
    // Kept: the store outlives this function, and the directory of temporary files is swept anyway.
    let dir = tempfile::tempdir().unwrap().keep();
    format!("file://{}", dir.display())
}

async fn every_size_comes_back(remote: &Arc<dyn Remote>) {
    for length in [0, 1, 5 << 20, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, (20 << 20) + 1] {
        round_trip(&**remote, length, length + 1).await;
    }
}

async fn one_content_is_one_object(remote: &Arc<dyn Remote>) {
    let both = futures_util::future::join(
        upload(&**remote, (9 << 20) + 3, 1),
        upload(&**remote, (9 << 20) + 3, 1),
    );
    let (one, two) = both.await;
    assert_eq!(one.unwrap().url, two.unwrap().url);
    assert!(upload(&**remote, (9 << 20) + 3, 1).await.unwrap().was_there);
    assert_eq!(listed(&**remote).await.len(), 1);
}

async fn a_list_has_our_objects_and_nothing_else(remote: &Arc<dyn Remote>) {
    assert_eq!(listed(&**remote).await, []);
    let mut ours = Vec::new();
    for length in [0, 1, 7, 1_000] {
        let url = upload(&**remote, length, 5).await.unwrap().url;
        let content = remote.content(&url).unwrap();
        ours.push((url, content, length));
    }
    ours.sort_by_key(|(url, ..)| url.clone());
    assert_eq!(listed(&**remote).await, ours);
}

async fn a_removed_object_is_gone(remote: &Arc<dyn Remote>) {
    let url = upload(&**remote, 100, 6).await.unwrap().url;
    remote.remove(&url).await.unwrap();
    assert_eq!(remote.size(&url).await.unwrap(), None);
    assert_eq!(download(&**remote, &url, 100).await.unwrap_err().trouble, Trouble::Missing);
    remote.remove(&url).await.unwrap();
}

async fn what_is_longer_than_expected_is_not_taken(remote: &Arc<dyn Remote>) {
    let url = upload(&**remote, 5_000, 7).await.unwrap().url;
    let error = download(&**remote, &url, 4_999).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Wrong, "{error}");
    assert!(download(&**remote, &url, 5_000).await.is_ok());
}

async fn a_changed_content_leaves_nothing_behind(remote: &Arc<dyn Remote>) {
    for announced in [10, (17 << 20) + 5] {
        let object = Noise::object(announced, 8);
        for (length, seed) in [(announced - 1, 8), (announced + 1, 8), (announced, 9)] {
            let error = remote.upload(&object, &mut Noise::new(length, seed)).await.unwrap_err();
            assert_eq!(error.trouble, Trouble::Local, "{error}");
        }
    }
    assert_eq!(listed(&**remote).await, []);
}

async fn a_damaged_object_is_replaced(remote: &Arc<dyn Remote>) {
    // Stored by somebody who put the wrong bytes under a right key: there is no way to do it with
    // ours, so the directory behind it is spoiled where we can reach it.
    let url = upload(&**remote, 3_000, 10).await.unwrap().url;
    let Some(file) = url.strip_prefix("file://") else { return };
    std::fs::write(file, "short").unwrap();
    assert!(!upload(&**remote, 3_000, 10).await.unwrap().was_there);
    assert_eq!(download(&**remote, &url, 3_000).await.unwrap().0, 3_000);
}

async fn the_check_leaves_nothing_behind(remote: &Arc<dyn Remote>) {
    remote.check().await.unwrap();
    assert_eq!(listed(&**remote).await, []);
}

async fn marks_are_no_objects(remote: &Arc<dyn Remote>) {
    marks_come_and_go(&**remote).await;
}

#[tokio::test]
async fn a_blocking_reader_is_uploaded() {
    let remote = open_patiently(&bucket(&server("IMAGECACHED_TEST_S3_FS")));
    let bytes = vec![42; 9 << 20];
    let object = NewObject {
        sha256: Digest::of(&bytes),
        length: bytes.len() as u64,
        mime: "image/png".into(),
        name: "x.png".into(),
    };
    let mut source = Blocking::new(std::io::Cursor::new(bytes));
    let url = remote.upload(&object, &mut source).await.unwrap().url;
    assert_eq!(source.into_inner().await.unwrap().position(), object.length);
    assert_eq!(download(&*remote, &url, object.length).await.unwrap().1, object.sha256);
}

#[tokio::test]
async fn a_sink_that_takes_no_more_ends_the_download() {
    let remote = open_patiently(&bucket(&server("IMAGECACHED_TEST_S3_FS")));
    let url = upload(&*remote, 1 << 20, 11).await.unwrap().url;
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let mut full = Some(full);
    let mut sink = |_: &[u8]| Err(full.take().expect("it is not called again"));
    let error = remote.download(&url, 1 << 20, &mut sink).await.unwrap_err();
    assert_eq!(error.trouble, Trouble::Local);
}

#[tokio::test]
async fn wrong_keys_and_missing_buckets_are_an_operators_matter() {
    let at = |variable: &str, bucket: &str, id: &str, secret: &str| {
        open(&store(&[
            ("IMAGECACHED_OBJECT_STORE", &format!("s3://{bucket}/{}", unique())),
            ("AWS_ENDPOINT", &server(variable)),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ]))
    };
    let content = Bytes::from_static(b"x");
    for (remote, word) in [
        (at("IMAGECACHED_TEST_S3_FS", BUCKET, KEY_ID, "wr0ng-s3cret"), "SignatureDoesNotMatch"),
        (at("IMAGECACHED_TEST_S3_FS", BUCKET, "wr0ng-key", SECRET), "NotSignedUp"),
        // s3s-fs makes a bucket where one is missing.
        (at("IMAGECACHED_TEST_S3_MOTO", "no-such-bucket", KEY_ID, SECRET), "NoSuchBucket"),
    ] {
        let object = NewObject {
            sha256: Digest::of(&content),
            length: 1,
            mime: "text/plain".into(),
            name: "x".into(),
        };
        let error = remote.upload(&object, &mut Some(content.clone())).await.unwrap_err();
        println!("{error}");
        assert_eq!(error.trouble, Trouble::Denied, "{error}");
        assert!(error.to_string().contains(word), "{error}");
        let all = format!("{error} {error:?} {remote:?}");
        assert!(!all.contains("s3cret") && !all.contains("Signature="), "{all}");
        assert!(remote.check().await.is_err());
    }
}

#[tokio::test]
async fn nothing_but_our_own_objects_is_asked_for() {
    let proxy = crate::proxy::Proxy::http(&server("IMAGECACHED_TEST_S3_FS"));
    let remote = open(&bucket(proxy.endpoint()));
    let ours = upload(&*remote, 5, 12).await.unwrap().url;
    let before = proxy.faults().requests().len();
    let (base, key) = ours.split_at(ours.len() - 65);
    let other = base.replace(BUCKET, "another-bucket");
    for url in [
        format!("{other}{key}"),
        format!("s3://{BUCKET}/elsewhere/{key}"),
        format!("{base}../{key}"),
        format!("{base}{key}?versionId=1"),
        format!("https://evil.example/{key}"),
        format!("http://127.0.0.1:9/{key}"),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        assert!(!remote.owns(&url), "{url}");
        let errors = [
            download(&*remote, &url, 100).await.unwrap_err(),
            remote.size(&url).await.unwrap_err(),
            remote.remove(&url).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.trouble, Trouble::Wrong, "{error}");
        }
    }
    assert_eq!(proxy.faults().requests().len(), before);
    assert!(remote.owns(&ours));
}
