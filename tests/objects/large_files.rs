//! Large files both ways, in little memory (trap 25).

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use imagecached::model::{Digest, Hasher};

use crate::place::{Place, entries};
use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox};
use crate::{noise, peak_memory};

/// What the program may take, whatever the size of a file.
const MOST_MEMORY: u64 = 96 << 20;

const MIB: u64 = 1 << 20;

/// One file of this size at a time: each is on the disk twice.
static GIBIBYTE: Mutex<()> = Mutex::new(());

/// Writes a file without holes, in which no mebibyte is like another.
fn write_file(file: &Path, length: u64) {
    let mut piece = noise(length, MIB as usize);
    let mut file = BufWriter::new(File::create(file).expect("a file"));
    for n in 0..length / MIB {
        piece[..8].copy_from_slice(&n.to_le_bytes());
        file.write_all(&piece).expect("room for the file");
    }
    file.flush().expect("room for the file");
}

fn digest(reader: &mut dyn Read) -> (u64, Digest) {
    let mut hasher = Hasher::default();
    let mut piece = vec![0; MIB as usize];
    let mut length = 0;
    loop {
        match reader.read(&mut piece).expect("readable") {
            0 => return (length, hasher.finish()),
            read => {
                length += read as u64;
                hasher.update(&piece[..read]);
            }
        }
    }
}

fn digest_of(file: &Path) -> (u64, Digest) {
    digest(&mut File::open(file).expect("the file is there"))
}

/// Uploads files of these sizes in mebibytes while the program watches, wipes, restores, compares.
fn both_ways(sandbox: &Sandbox, shown: &str, payload: &str, sizes: &[u64]) {
    let mut expected = Vec::new();
    let mut watch = sandbox.watch();
    for size in sizes {
        let name = format!("{size}MiB.bin");
        let file = sandbox.uploads.join(&name);
        write_file(&file, size * MIB);
        expected.push((name.clone(), digest_of(&file)));
        watch.wait_for_log(&format!("path={name}"));
    }
    let up = peak_memory(watch.pid());
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert!(!log.contains("object_refused"), "{log}");
    assert_eq!(entries(sandbox, payload), sizes.len(), "{}", sandbox.ok(&["list"]));

    sandbox.wipe();
    let mut run = Running::start(sandbox.run(&["boot_deadline=10m"], "exec sleep 600"));
    run.wait_for_log("event=restore_finished");
    let down = peak_memory(run.pid());
    let (_, log) = run.stop();
    assert!(!log.contains("event=captured"), "what was restored is no upload: {log}");
    println!("{shown}: {sizes:?} MiB; peak memory up {} MiB, down {} MiB", up / MIB, down / MIB);
    for (name, expected) in &expected {
        assert!(digest_of(&sandbox.uploads.join(name)) == *expected, "{shown}: {name}");
        let mut get = sandbox.command(&["get", name]);
        let mut get = get.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
        assert!(digest(&mut get.stdout.take().expect("a pipe")) == *expected, "get {name}");
        assert!(get.wait().expect("it ends").success(), "get {name}");
    }
    assert!(up.max(down) < MOST_MEMORY, "{shown}: {} MiB", up.max(down) / MIB);
}

fn to(place: &Place, shown: &str, sizes: &[u64]) {
    let sandbox = place.sandbox(Kind::Postgres);
    both_ways(&sandbox, shown, "url", sizes);
    let objects = place.objects(&sandbox);
    let found: Vec<_> = objects.iter().map(|object| object.size / MIB).collect();
    assert!(found.len() == sizes.len() && sizes.iter().all(|size| found.contains(size)));
    sandbox.remove();
}

#[test]
fn large_files_go_to_moto_and_come_back() {
    to(&Place::s3("IMAGECACHED_TEST_S3_MOTO"), "moto", &[8, 120]);
}

#[test]
fn large_files_go_to_s3s_fs_and_come_back() {
    to(&Place::s3("IMAGECACHED_TEST_S3_FS"), "s3s-fs", &[8, 120]);
}

#[test]
fn large_files_go_to_a_directory_and_come_back() {
    to(&Place::directory(), "directory", &[8, 120]);
}

#[test]
fn a_gibibyte_goes_to_a_directory_and_comes_back() {
    let _alone = GIBIBYTE.lock().unwrap_or_else(PoisonError::into_inner);
    to(&Place::directory(), "directory", &[1_024]);
}

#[test]
fn a_gibibyte_goes_to_chunks_and_comes_back() {
    let _alone = GIBIBYTE.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::directory().with("IMAGECACHED_LARGE_FILES", "chunks");
    let sandbox = place.sandbox(Kind::Postgres);
    both_ways(&sandbox, "chunks on PostgreSQL", "chunks", &[1_024]);
    assert!(place.objects(&sandbox).is_empty());
    sandbox.remove();
}

/// Two large files at once, both ways: what one takes of memory, it takes for each.
fn two_at_once(place: &Place, shown: &str) {
    let _alone = GIBIBYTE.lock().unwrap_or_else(PoisonError::into_inner);
    const SIZE: u64 = 300 * MIB;
    let sandbox = place.sandbox(Kind::Postgres);
    let mut expected = Vec::new();
    for name in ["one.bin", "two.bin"] {
        let file = sandbox.uploads.join(name);
        // No content is like the other one, or there would be one object.
        write_file(&file, SIZE + expected.len() as u64 * MIB);
        expected.push((file.clone(), digest_of(&file)));
    }
    let mut watch = sandbox.watch();
    for _ in &expected {
        watch.wait_for_log("event=captured");
    }
    let up = peak_memory(watch.pid());
    watch.stop();
    assert_eq!(entries(&sandbox, "url"), 2, "{}", sandbox.ok(&["list"]));
    sandbox.wipe();
    let mut run = Running::start(sandbox.run(&["boot_deadline=10m"], "exec sleep 600"));
    run.wait_for_log("event=restore_finished");
    let down = peak_memory(run.pid());
    run.stop();
    println!("{shown}: 2 x 300 MiB; peak memory up {} MiB, down {} MiB", up / MIB, down / MIB);
    for (file, expected) in &expected {
        assert!(digest_of(file) == *expected, "{shown}: {}", file.display());
    }
    assert!(up.max(down) < MOST_MEMORY, "{shown}: {} MiB", up.max(down) / MIB);
    sandbox.remove();
}

#[test]
fn two_large_files_go_to_s3s_fs_at_once_and_come_back() {
    two_at_once(&Place::s3("IMAGECACHED_TEST_S3_FS"), "s3s-fs");
}

#[test]
fn two_large_files_go_to_a_directory_at_once_and_come_back() {
    two_at_once(&Place::directory(), "directory");
}

/// A `get` into a pipe that nobody reads to its end must end as well.
#[test]
fn a_reader_that_goes_away_ends_a_get() {
    let place = Place::directory();
    let sandbox = place.sandbox(Kind::Sqlite);
    write_file(&sandbox.uploads.join("8MiB.bin"), 8 * MIB);
    sandbox.ok(&["cache-all"]);
    let mut get = sandbox.command(&["get", "8MiB.bin"]);
    let mut get = get.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
    let mut head = [0; 10];
    get.stdout.take().expect("a pipe").read_exact(&mut head).expect("ten bytes");
    get.wait().expect("it ends");
    sandbox.remove();
}
