//! From a checked description to a store of the `object_store` crate.

use std::str::FromStr;
use std::sync::Arc;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, RetryConfig};

use crate::model::remote::{Bucket, BucketKind};
use crate::remote::bucket::connector::{Connector, failure};
use crate::remote::error::{Failure, Trouble};
use crate::remote::http::Http;
use crate::remote::patience::Patience;

/// Opens a bucket; nothing is asked of it yet.
pub(super) fn open(
    bucket: &Bucket,
    patience: &Arc<Patience>,
) -> Result<Arc<dyn ObjectStore>, Failure> {
    // Our client tries again, and knows `Retry-After`.
    let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let connector = || Http::new(patience.clone()).map(Connector);
    let built: object_store::Result<Arc<dyn ObjectStore>> = match bucket.kind {
        BucketKind::S3 => known(bucket)
            .into_iter()
            .fold(AmazonS3Builder::new(), |builder, (key, value): (AmazonS3ConfigKey, _)| {
                builder.with_config(key, value)
            })
            .with_bucket_name(&bucket.name)
            // One object a request: few of the stores that speak S3 know how to delete many at once.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(connector()?)
            .build()
            .map(|store| Arc::new(store) as _),
        BucketKind::Google => known(bucket)
            .into_iter()
            .fold(
                GoogleCloudStorageBuilder::new(),
                |builder, (key, value): (GoogleConfigKey, _)| builder.with_config(key, value),
            )
            .with_bucket_name(&bucket.name)
            .with_retry(retry)
            .with_http_connector(connector()?)
            .build()
            .map(|store| Arc::new(store) as _),
        BucketKind::Azure => known(bucket)
            .into_iter()
            .fold(MicrosoftAzureBuilder::new(), |builder, (key, value): (AzureConfigKey, _)| {
                builder.with_config(key, value)
            })
            .with_container_name(&bucket.name)
            .with_retry(retry)
            .with_http_connector(connector()?)
            .build()
            .map(|store| Arc::new(store) as _),
        BucketKind::Directory => {
            std::fs::create_dir_all(&bucket.name).map_err(|error| {
                Failure::new(Trouble::Denied, format!("the directory cannot be made: {error}"))
            })?;
            LocalFileSystem::new_with_prefix(&bucket.name)
                .map(|store| Arc::new(store.with_fsync(true)) as _)
        }
    };
    built.map_err(|error| failure(&error))
}

/// The options that this kind of store knows. The others belong to other programs: `AWS_PROFILE`, say.
fn known<K: FromStr>(bucket: &Bucket) -> Vec<(K, &str)> {
    let options = bucket.options.iter();
    options.filter_map(|(name, value)| Some((name.parse().ok()?, value.as_str()))).collect()
}
