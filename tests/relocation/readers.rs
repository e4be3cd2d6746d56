//! Everybody reads while everything moves.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::place::Place;
use crate::support::database::Kind;
use crate::support::program::files_beneath;
use crate::{lone_chunks, noise, pairs};

/// How often everything goes round.
const ROUNDS: usize = 2;

fn succeeds(mut command: Command, shown: &str) -> Vec<u8> {
    let output = command.output().expect("the program starts");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shown} ended with {}:\n{log}", output.status);
    output.stdout
}

/// Runs `read` again and again until `moving` is over; counts how often.
fn while_moving(moving: &AtomicBool, mut read: impl FnMut(u32)) -> u32 {
    let mut count = 0;
    while moving.load(Ordering::Relaxed) {
        read(count);
        count += 1;
    }
    count
}

fn readers_and_moves(kind: Kind, place: &Place) {
    let sandbox = place.sandbox(kind);
    for n in 0..30 {
        sandbox.write(&format!("small/{n}.jpg"), &noise(n, 300 + 7_001 * n as usize));
    }
    for n in 0..6 {
        sandbox.write(&format!("large/{n}.mp4"), &noise(100 + n, (2 + 3 * n as usize) << 20));
    }
    sandbox.ok(&["cache-all"]);
    let files = sandbox.files();
    sandbox.wipe();
    let moving = AtomicBool::new(true);
    let counts = [const { AtomicU32::new(0) }; 3];
    std::thread::scope(|scope| {
        let done = StopAtEnd(&moving);
        scope.spawn(|| {
            let read = while_moving(&moving, |n| {
                let (path, content) = pick(&files, n);
                let got = succeeds(sandbox.command(&["get", "--", path]), "get");
                assert!(got == *content, "{kind:?}: get {path} gave {} bytes", got.len());
            });
            counts[0].store(read, Ordering::Relaxed);
        });
        scope.spawn(|| {
            let read = while_moving(&moving, |n| {
                let empty = tempfile::tempdir().expect("a directory");
                let mut restore = sandbox.command(&["restore"]);
                restore.env("IMAGECACHED_UPLOAD_DIR", empty.path());
                succeeds(restore, "restore");
                assert!(files_beneath(empty.path()) == files, "{kind:?}: restore {n}");
            });
            counts[1].store(read, Ordering::Relaxed);
        });
        scope.spawn(|| {
            let read = while_moving(&moving, |_| {
                // It has something to say about the files that are not on the disk.
                let told = sandbox.output(&["doctor", "--deep"]).stdout;
                let told = String::from_utf8_lossy(&told);
                assert!(told.contains("deep.verified"), "{kind:?}: {told}");
                assert!(!told.contains("deep.damaged"), "{kind:?}: {told}");
            });
            counts[2].store(read, Ordering::Relaxed);
        });
        for _ in 0..ROUNDS {
            for to in ["remote", "chunks", "remote", "inline"] {
                let mut args = vec!["move", "--to", to];
                if to == "inline" {
                    args.extend(["--set", "inline_limit=6MiB"]);
                }
                succeeds(sandbox.command(&args), "move");
            }
        }
        drop(done);
    });
    let counts = counts.map(AtomicU32::into_inner);
    println!(
        "{kind:?}: {} gets, {} restores, {} doctors while all moved",
        counts[0], counts[1], counts[2]
    );
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert_eq!(lone_chunks(&sandbox), 0, "{kind:?}");
    sandbox.remove();
}

#[test]
fn nobody_reads_a_wrong_byte_with_sqlite_and_a_directory() {
    let [(kind, place), _, _] = pairs();
    readers_and_moves(kind, &place);
}

#[test]
fn nobody_reads_a_wrong_byte_with_postgresql_and_moto() {
    let [_, (kind, place), _] = pairs();
    readers_and_moves(kind, &place);
}

#[test]
fn nobody_reads_a_wrong_byte_with_mariadb_and_s3s_fs() {
    let [_, _, (kind, place)] = pairs();
    readers_and_moves(kind, &place);
}

/// Ends the readers also where a move fails.
struct StopAtEnd<'m>(&'m AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn pick(files: &BTreeMap<String, Vec<u8>>, n: u32) -> (&String, &Vec<u8>) {
    files.iter().nth(n as usize * 7 % files.len()).expect("a file")
}
