//! A disk that is full when the uploads are to be restored.

use std::fs::{self, OpenOptions};
use std::time::Instant;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::support::small_disk::SmallDisk;
use crate::{APP, app_is_up, count_lines, noise};

const MIB: u64 = 1 << 20;

/// A sandbox whose 40 uploads of 100 kB are stored, and an empty upload directory on a disk of its own.
fn stored(disk: &SmallDisk) -> Sandbox {
    let mut sandbox = Sandbox::new(Kind::Postgres);
    for n in 0..40 {
        sandbox.write(&format!("{}/{n}.jpg", n % 4), &noise(n, 100_000));
    }
    sandbox.ok(&["cache-all"]);
    fs::create_dir(disk.outside("media")).unwrap();
    let inside = disk.inside("media").display().to_string();
    sandbox.environment.push(("IMAGECACHED_UPLOAD_DIR".into(), inside));
    sandbox
}

#[test]
fn t32_the_app_starts_on_a_full_disk_and_the_rest_is_back_once_there_is_room() {
    let disk = SmallDisk::new(8 * MIB);
    let mut sandbox = stored(&disk);
    let files = sandbox.files();
    sandbox.uploads = disk.outside("media");
    let ballast = disk.fill();
    // Room for ten of the forty.
    let length = ballast.metadata().unwrap().len() - MIB;
    OpenOptions::new().write(true).open(&ballast).unwrap().set_len(length).unwrap();

    let mut run = Running::start(disk.put(&sandbox.run(&["boot_deadline=10m"], APP)));
    let line = run.wait_for_log("event=restore_stopped");
    assert!(line.contains("level=error") && line.contains("the disk is full"), "{line}");
    app_is_up(&sandbox);
    let there = sandbox.files();
    assert!(!there.is_empty() && there.len() < files.len(), "{} files", there.len());
    assert!(there.iter().all(|(path, bytes)| files[path] == *bytes), "a file is not whole");

    let told = |words: &[&str]| {
        let output = disk.put(&sandbox.command(words)).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    wait_until("status says so", || told(&["status"]).contains("DEGRADED"));
    let status = told(&["status"]);
    assert!(status.contains("are not on disk yet: the disk is full"), "{status}");
    let doctor = told(&["doctor"]);
    assert!(doctor.contains("✗ error    daemon.restore"), "{doctor}");

    fs::remove_file(ballast).unwrap();
    let room = Instant::now();
    wait_until("the rest", || sandbox.files().len() == files.len());
    println!(
        "disk full at restore: all back {:.1} s after there was room",
        room.elapsed().as_secs_f64()
    );
    wait_until("status says so", || !told(&["status"]).contains("DEGRADED"));
    let (status, log) = run.stop();
    assert!(status.success(), "{log}");
    assert!(sandbox.files() == files);
    // At the boot, and behind the app; on a machine that is slow some more, with gaps that double.
    assert!(count_lines(&log, &["event=restore_stopped"]) < 6, "{log}");
    assert_eq!(count_lines(&log, &["event=captured"]), 0, "what is restored is no upload:\n{log}");
    sandbox.remove();
}

#[test]
fn t32_a_restore_onto_a_full_disk_says_so_and_leaves_nothing_half_written() {
    let disk = SmallDisk::new(2 * MIB);
    let mut sandbox = stored(&disk);
    let files = sandbox.files();
    sandbox.uploads = disk.outside("media");
    let output = disk.put(&sandbox.command(&["restore"])).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.contains("the disk is full"), "{told}");
    let there = sandbox.files();
    assert!(!there.is_empty() && there.len() < files.len(), "{} files", there.len());
    assert!(there.iter().all(|(path, bytes)| files[path] == *bytes), "a file is not whole");
    sandbox.remove();
}
