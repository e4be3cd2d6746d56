//! The corpora of the fuzzer as ordinary tests: what was found once is tried in every run, and so are
//! variations of it, without a nightly compiler. `fuzz/run` looks for more, led by what the code does.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// The inputs of a target, in the order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&directory).unwrap_or_else(|_| panic!("{target} has no corpus"));
    let mut files: Vec<_> = files.map(|file| file.expect("a readable directory").path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{target} has hardly a corpus");
    files.iter().map(|file| fs::read(file).expect("a readable file")).collect()
}

/// Has a target check an input, and tells which one it was if it fails.
fn try_one(target: &str, check: fuzz::Check, input: &[u8]) {
    if let Err(failed) = catch_unwind(AssertUnwindSafe(|| check(input))) {
        eprintln!("{target} fails with this input:\n{}", input.escape_ascii());
        resume_unwind(failed);
    }
}

/// How many of each target; `IMAGECACHED_TEST_VARIATIONS` asks for more.
fn variations() -> u64 {
    let asked = std::env::var("IMAGECACHED_TEST_VARIATIONS");
    asked.map_or(200, |asked| asked.parse().expect("a number"))
}

/// One test, because a target may keep a file or a database from one input to the next.
#[test]
fn every_input_of_the_corpora_passes_and_so_do_variations() {
    for (target, check) in fuzz::TARGETS {
        let corpus = corpus(target);
        for input in &corpus {
            try_one(target, check, input);
        }
        for seed in 1..=variations() {
            try_one(target, check, &Dice(seed).vary(&corpus));
        }
    }
}

/// Numbers that look like any others, and are the same in each run.
struct Dice(u64);

impl Dice {
    /// Below `sides`; 0 if there are none.
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33;
        usize::try_from(mixed).expect("31 bits") % sides.max(1)
    }

    /// A text that means something to somebody, changed in some places.
    fn vary(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        const MARKS: &[u8] = b"/.:@?&=%#\\\"'\n\r\0 ,;-_+*[]{}<>|!~09azAZ\x7f\x80\xc3\xff";
        let mut input = corpus[self.roll(corpus.len())].clone();
        for _ in 0..=self.roll(6) {
            let at = self.roll(input.len() + 1);
            let to = (at + self.roll(12)).min(input.len());
            match self.roll(6) {
                0 => input.insert(at, MARKS[self.roll(MARKS.len())]),
                1 => {
                    input.drain(at..to);
                }
                2 if at < input.len() => input[at] = MARKS[self.roll(MARKS.len())],
                3 => {
                    let again = input[at..to].to_vec();
                    input.splice(at..at, again);
                }
                4 if at < input.len() => input[at] ^= 1 << self.roll(8),
                _ => {
                    let other = &corpus[self.roll(corpus.len())];
                    let from = self.roll(other.len() + 1);
                    let end = (from + self.roll(40)).min(other.len());
                    input.splice(at..at, other[from..end].iter().copied());
                }
            }
        }
        input
    }
}

#[test]
fn every_target_is_fuzzed() {
    let manifest = include_str!("../fuzz/Cargo.toml");
    for (target, _) in fuzz::TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), fuzz::TARGETS.len());
}
