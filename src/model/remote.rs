//! Where payloads live that are not in the database.

use std::fmt;

/// An object store as the settings describe it. Holds credentials, so its `Debug` shows none.
#[derive(Clone, PartialEq, Eq)]
pub enum ObjectStore {
    /// A bucket, a container or a directory.
    Bucket(Bucket),
    /// Cloudinary.
    Cloudinary(Cloudinary),
}

/// A place that holds objects under keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Bucket {
    pub kind: BucketKind,
    /// Name of the bucket or container; the absolute path of the directory.
    pub name: String,
    /// What our keys begin with: parts with `/` between them, no `/` at either end, may be empty.
    pub prefix: String,
    /// How it is reached, by the names of the usual environment variables in small letters:
    /// `aws_region`, `aws_secret_access_key`, `azure_storage_account_name`. The later wins.
    pub options: Vec<(String, String)>,
}

/// Who keeps the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketKind {
    /// Amazon S3 and everything that speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
    /// A directory of this machine, such as a mounted volume.
    Directory,
}

/// A Cloudinary account and how it is used.
#[derive(Clone, PartialEq, Eq)]
pub struct Cloudinary {
    pub cloud: String,
    pub key: String,
    pub secret: String,
    /// Where the API is, without a `/` at its end: `https://api.cloudinary.com`.
    pub api: String,
    /// The one host beside Cloudinary's own that may deliver: `secure_distribution`.
    pub delivery_host: Option<String>,
    /// Parts with `/` between them, no `/` at either end, may be empty.
    pub folder: String,
    /// Whoever knows a URL may read it.
    pub public: bool,
}

impl BucketKind {
    /// What its URLs begin with, without `://`.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
            Self::Directory => "file",
        }
    }
}

impl Bucket {
    /// What the URL of each of our objects begins with, the last `/` included.
    #[must_use]
    pub fn base_url(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("{}://{}/{}{slash}", self.kind.scheme(), self.name, self.prefix)
    }

    /// The value of an option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<&str> {
        let given = self.options.iter().rfind(|(known, _)| known == name);
        given.map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for ObjectStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bucket(bucket) => bucket.fmt(f),
            Self::Cloudinary(cloudinary) => cloudinary.fmt(f),
        }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.options.iter().map(|(name, _)| name.as_str()).collect();
        write!(f, "Bucket({}, options {names:?})", self.base_url())
    }
}

impl fmt::Debug for Cloudinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cloudinary({}, folder {:?}, public {})", self.cloud, self.folder, self.public)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_is_shown() {
        let bucket = Bucket {
            kind: BucketKind::S3,
            name: "shop".into(),
            prefix: "media".into(),
            options: vec![("aws_secret_access_key".into(), "s3cret".into())],
        };
        let shown = format!("{:?}", ObjectStore::Bucket(bucket));
        assert_eq!(shown, r#"Bucket(s3://shop/media/, options ["aws_secret_access_key"])"#);
        let cloudinary = Cloudinary {
            cloud: "shop".into(),
            key: "12345".into(),
            secret: "s3cret".into(),
            api: "https://api.cloudinary.com".into(),
            delivery_host: None,
            folder: "imagecached".into(),
            public: false,
        };
        let shown = format!("{:?}", ObjectStore::Cloudinary(cloudinary));
        assert_eq!(shown, r#"Cloudinary(shop, folder "imagecached", public false)"#);
    }

    #[test]
    fn the_base_of_all_urls_ends_with_a_slash() {
        let base = |kind, name: &str, prefix: &str| {
            Bucket { kind, name: name.into(), prefix: prefix.into(), options: Vec::new() }
                .base_url()
        };
        assert_eq!(base(BucketKind::S3, "shop", ""), "s3://shop/");
        assert_eq!(base(BucketKind::Google, "shop", "a/b"), "gs://shop/a/b/");
        assert_eq!(base(BucketKind::Directory, "/var/objects", ""), "file:///var/objects/");
    }
}
