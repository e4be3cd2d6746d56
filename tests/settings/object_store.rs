//! Object stores, as their URLs and the usual variables name them.

use imagecached::model::ObjectStore;
use imagecached::settings::{LargeFiles, RemoteFiles};

use crate::{Place, origin};

/// The object store of a place, as its `Debug` shows it, and an option of a bucket.
fn bucket_option(place: &Place, option: &str) -> (String, Option<String>) {
    let store = place.load().settings.remote.store.expect("a store");
    let ObjectStore::Bucket(bucket) = &store else { panic!("{store:?}") };
    (bucket.base_url(), bucket.option(option).map(str::to_owned))
}

#[test]
fn without_an_object_store_large_files_go_into_chunks() {
    let remote = Place::new().load().settings.remote;
    assert_eq!((remote.store, remote.large_files), (None, LargeFiles::Chunks));
    assert_eq!((remote.files, remote.remove_objects), (RemoteFiles::Large, true));
    let skip = Place::new().env("IMAGECACHED_LARGE_FILES", "skip").load().settings.remote;
    assert_eq!(skip.large_files, LargeFiles::Skip);
}

#[test]
fn an_object_store_is_named_by_its_url_and_reached_by_the_usual_variables() {
    let aws = || {
        Place::new()
            .env("AWS_ACCESS_KEY_ID", "theirs")
            .env("AWS_SECRET_ACCESS_KEY", "s3cret")
            .env("AWS_REGION", "eu-west-3")
    };
    let amazon = || aws().env("IMAGECACHED_OBJECT_STORE", "s3://shop/media/");
    for (option, value) in [
        ("aws_access_key_id", Some("theirs")),
        ("aws_region", Some("eu-west-3")),
        ("aws_virtual_hosted_style_request", Some("true")),
        ("aws_endpoint", None),
    ] {
        let found = bucket_option(&amazon(), option);
        assert_eq!(found, ("s3://shop/media/".into(), value.map(str::to_owned)), "{option}");
    }
    let ours = || {
        amazon()
            .env("IMAGECACHED_OBJECT_STORE_ENDPOINT", "http://127.0.0.1:9000/")
            .env("IMAGECACHED_OBJECT_STORE_KEY_ID", "ours")
            .env("IMAGECACHED_OBJECT_STORE_SECRET", "s3cret")
    };
    for (option, value) in [
        ("aws_access_key_id", "ours"),
        ("aws_endpoint", "http://127.0.0.1:9000"),
        ("aws_allow_http", "true"),
        ("aws_virtual_hosted_style_request", "false"),
    ] {
        assert_eq!(bucket_option(&ours(), option).1.as_deref(), Some(value), "{option}");
    }
    let by_host = ours().env("IMAGECACHED_OBJECT_STORE_PATH_STYLE", "false");
    let endpoint = bucket_option(&by_host, "aws_endpoint").1;
    assert_eq!(endpoint.as_deref(), Some("http://shop.127.0.0.1:9000"));
    let remote = ours().env("IMAGECACHED_REMOTE", "all").load().settings.remote;
    assert_eq!((remote.large_files, remote.files), (LargeFiles::Remote, RemoteFiles::All));
    let chunks = ours().env("IMAGECACHED_LARGE_FILES", "chunks").load().settings.remote;
    assert_eq!(chunks.large_files, LargeFiles::Chunks);
    let directory = Place::new().env("IMAGECACHED_OBJECT_STORE", "file:///mnt/volume/");
    assert_eq!(bucket_option(&directory, "x").0, "file:///mnt/volume/");
}

#[test]
fn cloudinary_is_used_where_its_url_is_given_and_nothing_else_is_named() {
    let url = "cloudinary://12345:s3cret@shop";
    let place = || Place::new().env("CLOUDINARY_URL", url);
    let remote = place().load().settings.remote;
    assert!(
        matches!(&remote.store, Some(ObjectStore::Cloudinary(account)) if account.cloud == "shop")
    );
    assert_eq!(remote.large_files, LargeFiles::Remote);
    assert!(remote.notes.is_empty());
    let loaded = place().load();
    let shown = origin(&loaded, "cloudinary_url");
    assert_eq!(shown.value, "cloudinary://…@shop");
    assert_eq!(shown.origin, "environment variable CLOUDINARY_URL");
    let both = place().env("IMAGECACHED_OBJECT_STORE", "file:///mnt/volume").load().settings.remote;
    assert!(matches!(both.store, Some(ObjectStore::Bucket(_))));
    assert_eq!(both.notes.len(), 1);
    let secret = place().env("IMAGECACHED_OBJECT_STORE_SECRET", "s3cret").load();
    assert!(!format!("{secret:?}").contains("s3cret"));
}

#[test]
fn an_object_store_that_cannot_be_used_is_told_with_its_cure_and_without_its_secret() {
    let env = |pairs: &[(&str, &str)]| {
        pairs.iter().fold(Place::new(), |place, (name, value)| place.env(name, value))
    };
    for (place, told) in [
        (
            env(&[("IMAGECACHED_LARGE_FILES", "remote")]),
            "large_files = \"remote\" (environment variable IMAGECACHED_LARGE_FILES): needs an object store, and none is set; set object_store to s3://",
        ),
        (
            env(&[("IMAGECACHED_REMOTE", "all")]),
            "remote = \"all\" (environment variable IMAGECACHED_REMOTE): needs an object store, and none is set; set ",
        ),
        (
            env(&[
                ("IMAGECACHED_REMOTE", "all"),
                ("IMAGECACHED_LARGE_FILES", "chunks"),
                ("IMAGECACHED_OBJECT_STORE", "file:///mnt/x"),
            ]),
            "remote = \"all\" (environment variable IMAGECACHED_REMOTE): wants every file in the object store, and large_files wants the large ones elsewhere; set ",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "cloudinary")]),
            "object_store = \"cloudinary\" (environment variable IMAGECACHED_OBJECT_STORE): needs CLOUDINARY_URL, which is not set; set it to ",
        ),
        (
            env(&[("CLOUDINARY_URL", "cloudinary://12345:s3cret")]),
            "cloudinary_url = \"(hidden, 25 characters)\" (environment variable CLOUDINARY_URL): has no @ before the cloud's name; set it to ",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "s3://id:s3cret@shop")]),
            "object_store = \"(hidden, 19 characters)\" (environment variable IMAGECACHED_OBJECT_STORE): has a name or a key in it; give the key by AWS_ACCESS_KEY_ID",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "ftp://shop")]),
            "object_store = \"ftp://shop\" (environment variable IMAGECACHED_OBJECT_STORE): names a kind of object store that is not known; write s3://",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "s3://shop/a/../b")]),
            "object_store = \"s3://shop/a/../b\" (environment variable IMAGECACHED_OBJECT_STORE): has \"..\" as a part; write parts of letters",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "s3://Shop")]),
            "object_store = \"s3://Shop\" (environment variable IMAGECACHED_OBJECT_STORE): names no bucket; write ",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "file://relative")]),
            "object_store = \"file://relative\" (environment variable IMAGECACHED_OBJECT_STORE): is no absolute directory; write ",
        ),
        (
            env(&[("IMAGECACHED_OBJECT_STORE", "s3://shop"), ("AWS_ACCESS_KEY_ID", "x")]),
            "object_store = \"s3://shop\" (environment variable IMAGECACHED_OBJECT_STORE): has the id of a key, and not its secret; set ",
        ),
        (
            env(&[
                ("IMAGECACHED_OBJECT_STORE", "s3://shop"),
                ("AWS_ENDPOINT", "https://s3.example"),
            ]),
            "object_store = \"s3://shop\" (environment variable IMAGECACHED_OBJECT_STORE): has a server of its own, and no key for it; set ",
        ),
        (
            env(&[
                ("IMAGECACHED_OBJECT_STORE", "s3://shop"),
                ("IMAGECACHED_OBJECT_STORE_ENDPOINT", "s3.example"),
            ]),
            "object_store_endpoint = \"s3.example\" (environment variable IMAGECACHED_OBJECT_STORE_ENDPOINT): is no address of a server; write https://",
        ),
        (
            env(&[
                ("CLOUDINARY_URL", "cloudinary://1:2@shop"),
                ("IMAGECACHED_CLOUDINARY_FOLDER", "our photos"),
            ]),
            "cloudinary_folder = \"our photos\" (environment variable IMAGECACHED_CLOUDINARY_FOLDER): has ' ' in it; write parts of letters",
        ),
    ] {
        let message = place.refused();
        assert!(message.starts_with(told), "\n{message}\n{told}");
        assert!(!message.contains("s3cret"), "{message}");
    }
}
