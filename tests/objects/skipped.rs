//! large_files = "skip": an entry without data, plainly told.

use crate::place::entries;
use crate::support::database::Kind;
use crate::support::program::Sandbox;
use crate::{DATABASES, count_lines, noise};

const SETTINGS: [&str; 2] = ["large_files=skip", "scan_interval=1s"];

fn skipped(kind: Kind) {
    let sandbox = Sandbox::new(kind);
    sandbox.write("small.jpg", &noise(1, 5_000));
    sandbox.write("large.bin", &noise(2, 6 << 20));
    let mut watch = sandbox.watch_with(&SETTINGS);
    watch.wait_for_log("event=scan_finished");
    sandbox.wait_for_entries(2);
    // A scan that began before it was stored may find it once more; the second one from here does not.
    watch.wait_for_log("event=scan_finished");
    let line = watch.wait_for_log("event=scan_finished");
    assert!(line.contains("found=0") && line.contains("unchanged=2"), "{kind:?}: {line}");
    let (status, log) = watch.stop();
    assert!(status.success(), "{kind:?}: {log}");
    assert_eq!(count_lines(&log, &["event=skipped", "path=large.bin"]), 1, "{log}");
    assert_eq!(
        count_lines(&log, &["event=captured", "path=large.bin"]),
        0,
        "it is not safe: {log}"
    );
    assert_eq!((entries(&sandbox, "none"), entries(&sandbox, "inline")), (1, 1));

    // The next container knows it too.
    let mut watch = sandbox.watch_with(&SETTINGS);
    let line = watch.wait_for_log("event=scan_finished");
    assert!(line.contains("found=0") && line.contains("unchanged=2"), "{kind:?}: {line}");
    watch.stop();

    let status = sandbox.ok(&["status", "--set", SETTINGS[0]]);
    assert!(status.contains("2 entries") && status.contains("1 with data"), "{status}");
    assert!(status.contains("1 NOT SAFE"), "{status}");
    let told = sandbox.ok(&["restore"]);
    assert!(told.contains("0 restored") && told.contains("2 present"), "{told}");
    sandbox.wipe();
    let told = sandbox.ok(&["restore"]);
    assert!(told.contains("1 restored") && told.contains("1 without data"), "{told}");
    assert_eq!(sandbox.files().into_keys().collect::<Vec<_>>(), ["small.jpg"]);
    let output = sandbox.output(&["get", "large.bin"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 0));

    // Whoever changes the setting gets it stored, from any copy of the file.
    sandbox.write("large.bin", &noise(2, 6 << 20));
    let told = sandbox.ok(&["cache-all"]);
    assert!(told.starts_with("1 cached"), "{told}");
    assert!(sandbox.content("large.bin") == noise(2, 6 << 20));
    sandbox.remove();
}

#[test]
fn a_skipped_file_is_told_and_not_read_again_on_every_database() {
    for kind in DATABASES {
        skipped(kind);
    }
}
