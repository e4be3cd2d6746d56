//! A writer that finds the disk full waits for room, with its file open: so it never leaves a part behind.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::random::Random;

/// No disk of a round stays full for as long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Does something, again and again for as long as the disk is full.
pub fn patiently<T>(mut act: impl FnMut() -> io::Result<T>) -> T {
    let began = Instant::now();
    loop {
        match act() {
            Ok(done) => return done,
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                assert!(began.elapsed() < PATIENCE, "the disk stays full");
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("a writer failed: {error}"),
        }
    }
}

/// Writes everything.
pub fn write_all(mut file: &File, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let written = patiently(|| file.write(bytes));
        bytes = &bytes[written..];
    }
}

/// Writes everything in a few parts, with pauses.
pub fn write_slowly(file: &File, bytes: &[u8], random: &mut Random) {
    for part in bytes.chunks(part_of(bytes, random)) {
        write_all(file, part);
        thread::sleep(random.millis(0..50));
    }
}

/// How long the parts are in which something is written.
pub fn part_of(bytes: &[u8], random: &mut Random) -> usize {
    bytes.len() / random.pick(&[1, 2, 3, 6]) + 1
}
