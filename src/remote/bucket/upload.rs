//! A content on its way into a bucket: in one request, or in parts of which few are in memory.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, MultipartUpload, ObjectStore, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, UploadPart,
};

use crate::model::remote::BucketKind;
use crate::remote::bucket::BucketStore;
use crate::remote::bucket::connector::failure;
use crate::remote::error::{Failure, Trouble};
use crate::remote::source::{Part, Parts};
use crate::remote::{NewObject, Source};

/// Bytes of a part: S3 wants 5 MiB at least, in all but the last.
const PART_BYTES: u64 = 8 << 20;

/// Parts under way at a time: what an upload takes of memory.
const IN_FLIGHT: usize = 2;

/// S3 takes no more parts than this; above 80 GiB they become larger.
const MOST_PARTS: u64 = 10_000;

impl BucketStore {
    /// Stores a content. Says whether it was there.
    pub(super) async fn put(
        &self,
        object: &NewObject,
        source: &mut dyn Source,
    ) -> Result<bool, Failure> {
        let path = self.path(object.sha256);
        match self.size_at(&path).await {
            Ok(Some(size)) if size == object.length => return Ok(true),
            // S3 says so of what is not there to those who may not list; writing will tell.
            Ok(_) | Err(Failure { trouble: Trouble::Denied, .. }) => {}
            Err(failure) => return Err(failure),
        }
        let part_bytes = PART_BYTES.max(object.length.div_ceil(MOST_PARTS)) as usize;
        let mut parts = Parts::new(object, source, part_bytes);
        let first = parts.next().await?;
        if first.last {
            let options = PutOptions { attributes: self.attributes(object), ..Default::default() };
            let written = self.store.put_opts(&path, payload(first), options).await;
            self.believed(written, &path, object).await?;
        } else {
            let options =
                PutMultipartOptions { attributes: self.attributes(object), ..Default::default() };
            let begun = self.store.put_multipart_opts(&path, options).await;
            let mut upload = begun.map_err(|error| failure(&error))?;
            if let Err(why) = send(&mut *upload, first, &mut parts).await {
                // Parts that are left behind cost money and show up in no list.
                if let Err(error) = upload.abort().await {
                    tracing::debug!(event = "remote_abort", reason = %failure(&error), "parts are left");
                }
                return Err(why);
            }
            let written = upload.complete().await;
            self.believed(written, &path, object).await?;
        }
        Ok(false)
    }

    /// Whether the store really has the object. It is asked also when writing seems to have failed: the
    /// answer to the last request may be all that got lost.
    async fn believed(
        &self,
        written: object_store::Result<PutResult>,
        path: &Path,
        object: &NewObject,
    ) -> Result<(), Failure> {
        let written = written.map_err(|error| failure(&error));
        match (self.size_at(path).await, written) {
            (Ok(Some(size)), _) if size == object.length => Ok(()),
            (_, Err(failure)) | (Err(failure), Ok(_)) => Err(failure),
            (Ok(found), Ok(_)) => {
                let found = found.map_or("nothing".to_owned(), |size| format!("{size} bytes"));
                let cause = format!("it took {} bytes, and has {found}", object.length);
                Err(Failure::new(Trouble::Wrong, cause))
            }
        }
    }

    /// What is told about an object beside its bytes. A directory has no place for it.
    fn attributes(&self, object: &NewObject) -> Attributes {
        let mut attributes = Attributes::new();
        if self.kind != BucketKind::Directory {
            attributes.insert(Attribute::ContentType, object.mime.clone().into());
        }
        attributes
    }
}

/// Sends all parts; the upload is not completed here.
async fn send(
    upload: &mut dyn MultipartUpload,
    first: Part,
    parts: &mut Parts<'_>,
) -> Result<(), Failure> {
    let mut under_way: FuturesUnordered<UploadPart> = FuturesUnordered::new();
    let mut part = first;
    loop {
        let last = part.last;
        under_way.push(upload.put_part(payload(part)));
        // The next part is read only when there is room for it.
        let most = if last { 0 } else { IN_FLIGHT - 1 };
        while under_way.len() > most
            && let Some(done) = under_way.next().await
        {
            done.map_err(|error| failure(&error))?;
        }
        if last {
            return Ok(());
        }
        part = parts.next().await?;
    }
}

fn payload(part: Part) -> PutPayload {
    part.pieces.into_iter().collect()
}
