//! URLs in entries: only what is ours is ever asked for, whatever a row says.

use std::sync::{Arc, LazyLock};

use imagecached::model::remote::{Bucket, BucketKind, Cloudinary, ObjectStore};
use imagecached::remote::{self, Remote};

use super::SECRET;

/// A store, and what its URLs begin with.
type Store = (Arc<dyn Remote>, Vec<String>);

/// A store of every kind.
static STORES: LazyLock<Vec<Store>> = LazyLock::new(|| {
    let options = [
        ("aws_region", "us-east-1"),
        ("aws_access_key_id", "key"),
        ("aws_secret_access_key", SECRET),
    ];
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let bucket = |kind, name: &str, prefix: &str| {
        let options = if kind == BucketKind::S3 { options.to_vec() } else { Vec::new() };
        Bucket { kind, name: name.into(), prefix: prefix.into(), options }
    };
    let cloud = |folder: &str, delivery_host: Option<&str>| {
        ObjectStore::Cloudinary(Cloudinary {
            cloud: "shop".into(),
            key: "key".into(),
            secret: SECRET.into(),
            api: "https://api.cloudinary.com".into(),
            delivery_host: delivery_host.map(str::to_owned),
            folder: folder.into(),
            public: false,
        })
    };
    let own = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    [
        (ObjectStore::Bucket(bucket(BucketKind::S3, "shop", "")), own(&["s3://shop/"])),
        (ObjectStore::Bucket(bucket(BucketKind::S3, "shop", "a/b")), own(&["s3://shop/a/b/"])),
        (
            ObjectStore::Bucket(bucket(BucketKind::Directory, "/var/objects", "")),
            own(&["file:///var/objects/"]),
        ),
        (
            cloud("", None),
            own(&["https://res.cloudinary.com/shop/", "https://shop-res.cloudinary.com/"]),
        ),
        (
            cloud("media/x", Some("img.shop.example")),
            own(&[
                "https://res.cloudinary.com/shop/",
                "https://shop-res.cloudinary.com/",
                "https://img.shop.example/",
            ]),
        ),
    ]
    .into_iter()
    .map(|(store, begins)| (remote::open(&store).expect("a description that is right"), begins))
    .collect()
});

pub fn check(data: &[u8]) {
    let Ok(url) = std::str::from_utf8(data) else { return };
    for (store, begins) in STORES.iter() {
        let content = store.content(url);
        assert_eq!(store.owns(url), content.is_some());
        let Some(content) = content else { continue };
        assert!(
            begins.iter().any(|begin| url.starts_with(begin)),
            "{} takes {url:?} for its own",
            store.describe()
        );
        let digits = content.to_string();
        let key = format!("{}/{}", &digits[..2], &digits[2..]);
        assert!(url.contains(&key), "{url:?} is said to be {content}");
        assert!(!url.contains("/../") && !url.contains("/./"), "{url:?} leads elsewhere");
    }
}
