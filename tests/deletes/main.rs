//! Deletes that can be taken back, through the real program: what counts as a delete, what does not, what the
//! brake holds, and the way back.

#[path = "../support/mod.rs"]
mod support;

mod brake;
mod by_hand;
mod deleted;
mod kept;
mod overflow;

use std::collections::BTreeMap;

use support::database::Kind;
use support::program::{Running, Sandbox, wait_until};

/// The databases that deletes are tried on.
const DATABASES: [Kind; 2] = [Kind::Postgres, Kind::Sqlite];

/// A daemon for which deletes count after a second, and that looks around seldom.
fn follow(sandbox: &Sandbox) -> Running {
    follow_with(sandbox, "1s")
}

/// As [`follow`], with another grace time.
fn follow_with(sandbox: &Sandbox, grace: &str) -> Running {
    let grace = format!("delete_grace={grace}");
    sandbox.watch_with(&["on_delete=trash", &grace, "scan_interval=1h"])
}

/// An upload directory with so many stored files, `n.jpg` each.
fn stored(kind: Kind, files: usize) -> Sandbox {
    let sandbox = Sandbox::new(kind);
    for n in 0..files {
        sandbox.write(&format!("{n}.jpg"), format!("content {n}").as_bytes());
    }
    sandbox.ok(&["cache-all"]);
    sandbox
}

/// The paths in the trash.
fn trashed(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.ok(&["list", "--trashed"]);
    let mut paths: Vec<String> =
        listed.lines().filter_map(|line| line.rsplit('\t').next()).map(str::to_owned).collect();
    paths.sort();
    paths
}

/// Waits until these are the paths in the trash.
fn wait_for_trash(sandbox: &Sandbox, paths: &[&str]) {
    wait_until(&format!("{paths:?} in the trash"), || trashed(sandbox) == paths);
}

/// Lets the daemon show that a delete from now on counts, and that the ones before it have been decided
/// about: deletes are decided about in their order.
fn wait_for_a_later_delete(sandbox: &Sandbox, running: &mut Running) {
    let name = "later.jpg";
    // A directory that is empty in the end would be an accident.
    sandbox.write("stays.jpg", b"not deleted");
    sandbox.write(name, b"written and deleted later");
    wait_until("the later file", || sandbox.paths().iter().any(|path| path == name));
    std::fs::remove_file(sandbox.uploads.join(name)).expect("it is there");
    loop {
        if running.wait_for_log("event=trashed").contains(name) {
            return;
        }
    }
}

/// What a fresh container gets.
fn restored(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    sandbox.contents()
}
