//! What base64 costs, beside a copy of the same bytes: nothing can be quicker than that.
//!
//!     cargo bench --bench codec

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use imagecached::model::base64;

/// A small file, an ordinary picture, and one that is near the limit of what stands in a row.
const SIZES: [usize; 3] = [4_000, 80_000, 8_000_000];

fn main() {
    divan::main();
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[divan::bench(args = SIZES)]
fn copy(bencher: Bencher<'_, '_>, size: usize) {
    let bytes = bytes(size);
    bencher.counter(BytesCount::new(size)).bench_local(|| black_box(&bytes).clone());
}

#[divan::bench(args = SIZES)]
fn encode(bencher: Bencher<'_, '_>, size: usize) {
    let bytes = bytes(size);
    bencher.counter(BytesCount::new(size)).bench_local(|| base64::encode(black_box(&bytes)));
}

/// Into the same buffer each time, as a restore does.
#[divan::bench(args = SIZES)]
fn decode(bencher: Bencher<'_, '_>, size: usize) {
    let (text, mut out) = (base64::encode(&bytes(size)), Vec::new());
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| base64::decode_into(black_box(&text), &mut out).expect("it is base64"));
}

/// Text that a person has broken into lines: the slow way, which is to stay bearable.
#[divan::bench(args = SIZES)]
fn decode_lines(bencher: Bencher<'_, '_>, size: usize) {
    let text = base64::encode(&bytes(size));
    let lines: Vec<&str> =
        text.as_bytes().chunks(76).map(|line| str::from_utf8(line).expect("ASCII")).collect();
    let (text, mut out) = (lines.join("\n"), Vec::new());
    bencher
        .counter(BytesCount::new(size))
        .bench_local(|| base64::decode_into(black_box(&text), &mut out).expect("it is base64"));
}
