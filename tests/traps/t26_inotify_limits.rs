//! The kernel gives each user so many watchers and watched directories, over all its containers. When they are
//! used up, scans find the files, and everybody can see that it is so.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, wait_until};
use crate::{count_lines, file_systems, started_by};

/// The daemon in a user namespace of its own, whose limits can be set without harm to anybody else.
struct Limited {
    sandbox: Sandbox,
    watch: Running,
}

impl Limited {
    fn start(sandbox: Sandbox, limit: &str, value: u32) -> Self {
        let watching = sandbox.command(&["watch", "--set", "scan_interval=1s"]);
        let script = format!("echo {value} > /proc/sys/user/{limit} && exec \"$0\" \"$@\"");
        let there = ["unshare", "--user", "--map-root-user", "sh", "-c", &script];
        let watch = Running::start(started_by(&there, &watching));
        Self { sandbox, watch }
    }

    /// Raises the limit while the daemon runs, as somebody does on the host.
    fn raise(&self, limit: &str) {
        let pid = self.watch.pid().to_string();
        let script = format!("echo 1000 > /proc/sys/user/{limit}");
        let done = Command::new("nsenter")
            .args(["--user", "--preserve-credentials", "--target", &pid, "sh", "-c", &script])
            .status();
        assert!(done.expect("this test needs `nsenter` of util-linux").success());
    }

    /// Log, `status` and `status --json` all say that files are found by scans only, and why.
    fn is_degraded(&mut self, why: &str) {
        let told = self.watch.wait_for_log("event=degraded");
        assert!(told.contains("level=warn") && told.contains(why), "{told}");
        assert!(told.contains("sysctl -w fs.inotify."), "the cure: {told}");
        wait_until("the state of the daemon", || self.sandbox.ok(&["status"]).contains("DEGRADED"));
        let status = self.sandbox.ok(&["status"]);
        assert!(status.contains(why), "{status}");
        let watcher = &self.status()["daemon"]["watcher"];
        assert_eq!(watcher["state"], "degraded", "{watcher}");
        assert!(watcher["reason"].as_str().unwrap().contains(why), "{watcher}");
    }

    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.sandbox.ok(&["status", "--json"])).unwrap()
    }

    /// Files in directories of before and in new ones are stored, whoever finds them.
    fn stores(&self, name: &str) {
        let before = self.sandbox.paths().len();
        for n in 0..20 {
            self.sandbox.write(&format!("old{n}/{name}.jpg"), name.as_bytes());
        }
        self.sandbox.write(&format!("new/{name}/deep/a.jpg"), name.as_bytes());
        self.sandbox.wait_for_entries(before + 21);
    }

    /// Log, `status` and `status --json` all say that it is over.
    fn is_watching_again(&mut self) {
        self.watch.wait_for_log("event=watching");
        wait_until("the state of the daemon", || {
            self.status()["daemon"]["watcher"]["state"] == "watching"
        });
        assert!(!self.sandbox.ok(&["status"]).contains("DEGRADED"));
    }

    fn ends_well(self) {
        let (status, log) = self.watch.stop();
        assert!(status.success(), "{log}");
        assert!(count_lines(&log, &["event=degraded"]) < 5, "{log}");
        assert_eq!(self.sandbox.contents(), self.sandbox.files());
        self.sandbox.remove();
    }
}

fn in_twenty_directories(place: &Path) -> Sandbox {
    let sandbox = Sandbox::beneath(Kind::Postgres, place);
    for n in 0..20 {
        fs::create_dir(sandbox.uploads.join(format!("old{n}"))).unwrap();
    }
    sandbox
}

#[test]
fn t26_no_inotify_instance_is_left() {
    let sandbox = in_twenty_directories(&file_systems()[0]);
    let mut limited = Limited::start(sandbox, "max_inotify_instances", 0);
    limited.is_degraded("inotify instances");
    limited.stores("degraded");
    limited.raise("max_inotify_instances");
    limited.is_watching_again();
    limited.stores("watched");
    limited.ends_well();
}

#[test]
fn t26_no_watched_directory_is_left_at_the_start() {
    let sandbox = in_twenty_directories(&file_systems()[1]);
    let mut limited = Limited::start(sandbox, "max_inotify_watches", 10);
    limited.is_degraded("watched directories");
    limited.stores("degraded");
    limited.raise("max_inotify_watches");
    limited.is_watching_again();
    limited.stores("watched");
    limited.ends_well();
}

#[test]
fn t26_watched_directories_are_used_up_while_it_runs() {
    let sandbox = in_twenty_directories(&file_systems()[0]);
    let mut limited = Limited::start(sandbox, "max_inotify_watches", 30);
    limited.watch.wait_for_log("event=watching");
    limited.stores("watched");
    for n in 0..20 {
        limited.sandbox.write(&format!("more{n}/first.jpg"), b"first");
    }
    limited.is_degraded("watched directories");
    limited.sandbox.wait_for_entries(41);
    limited.stores("degraded");
    // The directories go rather than that the limit rises.
    for n in 0..20 {
        fs::remove_dir_all(limited.sandbox.uploads.join(format!("more{n}"))).unwrap();
    }
    fs::remove_dir_all(limited.sandbox.uploads.join("new")).unwrap();
    limited.is_watching_again();
    limited.stores("watched-again");
    let (status, log) = limited.watch.stop();
    assert!(status.success(), "{log}");
    let stored = limited.sandbox.contents();
    assert_eq!(stored.len(), 83, "what was removed from the disk stays in the cache");
    assert!(limited.sandbox.files().iter().all(|(path, content)| stored[path] == *content));
    limited.sandbox.remove();
}
