//! Large files on the move, in little memory (trap 25).

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::process::Stdio;

use imagecached::model::{Digest, Hasher};

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::support::usage::peak_until_the_end;
use crate::{lone_chunks, noise, pairs, spread};

/// What the program may take, whatever the size of a file.
const MOST_MEMORY: u64 = 96 << 20;

const MIB: u64 = 1 << 20;

/// Writes a file without holes, in which no mebibyte is like another; gives its digest.
fn write_file(sandbox: &Sandbox, name: &str, length: u64) -> Digest {
    let mut piece = noise(length, MIB as usize);
    let mut file = BufWriter::new(File::create(sandbox.uploads.join(name)).expect("a file"));
    let mut hasher = Hasher::default();
    for n in 0..length / MIB {
        piece[..8].copy_from_slice(&n.to_le_bytes());
        hasher.update(&piece);
        file.write_all(&piece).expect("room for the file");
    }
    file.flush().expect("room for the file");
    hasher.finish()
}

/// What `get` gives.
fn got(sandbox: &Sandbox, name: &str) -> Digest {
    let mut get =
        sandbox.command(&["get", name]).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut out = get.stdout.take().expect("a pipe");
    let mut hasher = Hasher::default();
    let mut piece = vec![0; MIB as usize];
    loop {
        match out.read(&mut piece).expect("readable") {
            0 => break,
            read => hasher.update(&piece[..read]),
        }
    }
    assert!(get.wait().expect("it ends").success());
    hasher.finish()
}

/// Moves everything; gives the most memory that this has taken, in bytes.
fn peak_of_move(sandbox: &Sandbox, to: &str) -> u64 {
    peak_until_the_end(sandbox.start(&["move", "--to", to, "--set", "log_level=warn"]))
}

fn there_and_back(kind: Kind, place: &Place, size: u64) {
    let sandbox = place.sandbox(kind);
    let expected = write_file(&sandbox, "large.bin", size * MIB);
    sandbox.ok(&["cache-all", "--set", "large_files=chunks"]);
    sandbox.wipe();
    let up = peak_of_move(&sandbox, "remote");
    assert_eq!((spread(&sandbox), lone_chunks(&sandbox)), ([0, 0, 1, 0], 0));
    assert_eq!(crate::chunks(&sandbox), 0, "{kind:?}");
    assert_eq!(got(&sandbox, "large.bin"), expected, "{kind:?}");
    let down = peak_of_move(&sandbox, "chunks");
    assert_eq!((spread(&sandbox), lone_chunks(&sandbox)), ([0, 1, 0, 0], 0));
    assert_eq!(crate::chunks(&sandbox), size as i64, "{kind:?}");
    assert_eq!(got(&sandbox, "large.bin"), expected, "{kind:?}");
    println!(
        "{kind:?}, {size} MiB: peak memory to the store {} MiB, back {} MiB",
        up / MIB,
        down / MIB
    );
    assert!(up.max(down) < MOST_MEMORY, "{kind:?}: {} MiB", up.max(down) / MIB);
    sandbox.remove();
}

#[test]
fn large_files_move_in_little_memory() {
    for (kind, place) in pairs() {
        there_and_back(kind, &place, 104);
    }
}

/// Larger than the bound by far; 1 GiB with `IMAGECACHED_TEST_LONG=1`.
#[test]
fn a_very_large_file_moves_in_little_memory() {
    let size = if std::env::var_os("IMAGECACHED_TEST_LONG").is_some() { 1_024 } else { 400 };
    there_and_back(Kind::Postgres, &Place::directory(), size);
}
