//! What a sha256 costs: of a whole file in memory, of a large one in pieces, and of a path, which is the index's key.
//!
//!     cargo bench --bench digest

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use imagecached::model::entry::CHUNK_BYTES;
use imagecached::model::{Digest, Hasher, index};

fn main() {
    divan::main();
}

#[divan::bench(args = [4_000, 80_000, 8_000_000])]
fn whole(bencher: Bencher<'_, '_>, size: usize) {
    let bytes = vec![7; size];
    bencher.counter(BytesCount::new(size)).bench_local(|| Digest::of(black_box(&bytes)));
}

#[divan::bench]
fn in_chunks(bencher: Bencher<'_, '_>) {
    const CHUNKS: usize = 16;
    let chunk = vec![7; CHUNK_BYTES];
    bencher.counter(BytesCount::new(CHUNKS * CHUNK_BYTES)).bench_local(|| {
        let mut hasher = Hasher::default();
        for _ in 0..CHUNKS {
            hasher.update(black_box(&chunk));
        }
        hasher.finish()
    });
}

#[divan::bench]
fn key_of_a_path(bencher: Bencher<'_, '_>) {
    let path = "products/2026/11/a-name-as-people-give-it-4f3a.jpg";
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| index::key(black_box(path)));
}
