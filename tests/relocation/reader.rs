//! A single reader whose payload is moved, replaced, removed or damaged in the middle.

use std::sync::Arc;

use imagecached::model::entry::{Entry, NewPayload};
use imagecached::model::{Digest, base64};
use imagecached::payload::{ReadError, Reader};
use imagecached::remote::{NewObject, Remote};
use imagecached::store::{ListQuery, PayloadPlace, Relocation, Store, fresh_chunk_set};

use crate::noise;
use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::Sandbox;

const LENGTH: usize = (9 << 20) + 5;

/// An entry in chunks, and what it takes to move it.
struct Moving {
    store: Arc<dyn Store>,
    remote: Arc<dyn Remote>,
    content: Vec<u8>,
    place: PayloadPlace,
    entry: Entry,
}

impl Moving {
    async fn listed(store: &dyn Store) -> Entry {
        store.list(&ListQuery::default()).await.expect("a list").remove(0)
    }

    async fn goes_to(&mut self, payload: NewPayload) {
        let relocation = Relocation {
            id: self.entry.id,
            sha256: Digest::of(&self.content),
            from: self.place.clone(),
            to: payload,
        };
        assert!(self.store.relocate(&relocation).await.expect("it is moved"));
        self.entry = Self::listed(self.store.as_ref()).await;
        self.place = match (self.entry.chunk_set, &self.entry.image_url) {
            (Some(set), _) => PayloadPlace::Chunks(set),
            (None, Some(url)) => PayloadPlace::Url(url.clone()),
            (None, None) => PayloadPlace::Inline,
        };
    }

    async fn goes_to_chunks(&mut self) {
        let set = fresh_chunk_set();
        for (seq, chunk) in (0..).zip(self.content.chunks(1 << 20)) {
            self.store.write_chunks(set, seq, &[chunk.to_vec()]).await.expect("written");
        }
        self.goes_to(NewPayload::Chunks(set)).await;
    }

    async fn goes_to_store(&mut self) {
        let object = NewObject {
            sha256: Digest::of(&self.content),
            length: self.content.len() as u64,
            mime: String::new(),
            name: String::new(),
        };
        let mut source = Some(bytes::Bytes::copy_from_slice(&self.content));
        let uploaded = self.remote.upload(&object, &mut source).await.expect("uploaded");
        self.goes_to(NewPayload::Url(uploaded.url)).await;
    }

    async fn goes_to_the_row(&mut self) {
        let text = base64::encode(&self.content);
        self.goes_to(NewPayload::Inline(text)).await;
    }

    async fn reader(&self) -> Reader<'_> {
        let opened = Reader::open(self.store.as_ref(), Some(&self.remote), self.entry.id).await;
        opened.expect("it can be read")
    }
}

fn with_an_entry<T>(kind: Kind, test: impl AsyncFnOnce(&Sandbox, Moving) -> T) {
    let place = Place::directory().with("IMAGECACHED_LARGE_FILES", "chunks");
    let sandbox = place.sandbox(kind);
    sandbox.write("large.bin", &noise(1, LENGTH));
    sandbox.ok(&["cache-all"]);
    let (store, remote) = (sandbox.store(), place.open());
    sandbox.block_on(async {
        let entry = Moving::listed(store.as_ref()).await;
        let place = PayloadPlace::Chunks(entry.chunk_set.expect("chunks"));
        let content = noise(1, LENGTH);
        test(&sandbox, Moving { store: store.clone(), remote, content, place, entry }).await;
        store.close().await;
    });
    sandbox.remove();
}

#[test]
fn a_reader_goes_on_where_its_payload_is_moved_to() {
    for kind in [Kind::Sqlite, Kind::Postgres, Kind::MariaDb] {
        with_an_entry(kind, async |_, mut moving: Moving| {
            // From a store of its own, since the reader borrows it for as long as it reads.
            let (store, remote, id) =
                (moving.store.clone(), moving.remote.clone(), moving.entry.id);
            let mut reader =
                Reader::open(store.as_ref(), Some(&remote), id).await.expect("it opens");
            let mut read = Vec::new();
            for way in 0.. {
                let Some(piece) = reader.next().await.expect("it is sound") else { break };
                read.extend_from_slice(&piece);
                match way {
                    0 | 4 => moving.goes_to_chunks().await,
                    2 => moving.goes_to_store().await,
                    6 => moving.goes_to_the_row().await,
                    _ => {}
                }
                if way == 3 {
                    // What has been read of an object that is gone is not asked for again.
                    moving.goes_to_chunks().await;
                    let objects = moving.remote.clone();
                    let mut urls = Vec::new();
                    objects.list(&mut |object| urls.push(object.url)).await.expect("a list");
                    for url in urls {
                        objects.remove(&url).await.expect("it goes");
                    }
                }
            }
            assert!(read == moving.content, "{kind:?}: {} bytes", read.len());
        });
    }
}

#[test]
fn what_has_changed_or_is_damaged_is_told_apart() {
    with_an_entry(Kind::Sqlite, async |sandbox: &Sandbox, moving: Moving| {
        let set = moving.entry.chunk_set.expect("chunks").0;
        let mut reader = moving.reader().await;
        reader.next().await.expect("it is sound").expect("a chunk");
        let sql = format!("DELETE FROM image_cache_chunk WHERE chunk_set = {set} AND seq > 4");
        sandbox.database.run(&sql).await;
        let error = loop {
            match reader.next().await {
                Ok(piece) => assert!(piece.is_some(), "chunks are missing"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ReadError::Damaged(_)), "{error}");

        let mut reader = moving.reader().await;
        sandbox.database.run("UPDATE image_cache SET sha256 = '00', chunk_set = 7").await;
        let sql = format!("DELETE FROM image_cache_chunk WHERE chunk_set = {set}");
        sandbox.database.run(&sql).await;
        let error = reader.next().await.expect_err("it has no sha256");
        assert!(matches!(error, ReadError::Damaged(_)), "{error}");

        let other = Digest::of(b"other");
        sandbox.database.run(&format!("UPDATE image_cache SET sha256 = '{other}'")).await;
        let mut reader = moving.reader().await;
        let again = Digest::of(b"again");
        sandbox.database.run(&format!("UPDATE image_cache SET sha256 = '{again}'")).await;
        let error = reader.next().await.expect_err("it is another content");
        assert!(matches!(error, ReadError::Replaced), "{error}");

        let mut reader = moving.reader().await;
        sandbox.database.run("DELETE FROM image_cache").await;
        let error = reader.next().await.expect_err("it is gone");
        assert!(matches!(error, ReadError::Removed), "{error}");
    });
}
