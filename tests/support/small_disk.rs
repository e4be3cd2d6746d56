//! A small disk of a test's own: a tmpfs that is mounted where nobody else sees it.
//!
//! A process of its own holds the mount namespace. Programs enter it by `nsenter`; the test reaches the
//! disk through that process's root in `/proc`.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::command::hand_on;

/// Where the disk is, for programs that were put on it.
const INSIDE: &str = "/mnt";

pub struct SmallDisk {
    holder: Child,
    /// Whether the namespace needed a user namespace around it.
    unprivileged: bool,
}

impl SmallDisk {
    /// An empty disk of so many bytes.
    pub fn new(bytes: u64) -> Self {
        // As root no user namespace is needed, and servers that refuse to be root in one can be run.
        let unprivileged = !rustix::process::geteuid().is_root();
        let script = format!(
            "mount -t tmpfs -o size={bytes},mode=777 disk {INSIDE} && echo up && exec sleep infinity"
        );
        let mut unshare = Command::new("unshare");
        if unprivileged {
            unshare.args(["--user", "--map-current-user", "--keep-caps"]);
        }
        unshare.args(["--mount", "sh", "-c", &script]).stdout(Stdio::piped()).stdin(Stdio::null());
        let mut holder = unshare.spawn().expect("this test needs `unshare` of util-linux");
        let mut line = String::new();
        let output = holder.stdout.take().expect("a pipe");
        BufReader::new(output).read_line(&mut line).expect("readable");
        assert_eq!(
            line, "up\n",
            "this test needs to mount a tmpfs in a mount namespace of its own"
        );
        Self { holder, unprivileged }
    }

    /// A path on the disk, for programs that were put on it.
    pub fn inside(&self, path: &str) -> PathBuf {
        Path::new(INSIDE).join(path)
    }

    /// The same path, for the test.
    pub fn outside(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.holder.id().to_string()).join("root/mnt").join(path)
    }

    /// The command, as it finds the disk mounted.
    pub fn put(&self, command: &Command) -> Command {
        let mut nsenter = Command::new("nsenter");
        nsenter.arg("--target").arg(self.holder.id().to_string()).arg("--mount");
        if self.unprivileged {
            nsenter.args(["--user", "--preserve-credentials"]);
        }
        if let Some(directory) = command.get_current_dir() {
            nsenter.arg(format!("--wdns={}", directory.display()));
        }
        nsenter.arg("--");
        hand_on(&mut nsenter, command);
        nsenter
    }

    /// Fills the disk up to the last byte with one file, which is given back: who removes it makes room.
    pub fn fill(&self) -> PathBuf {
        let ballast = self.outside("ballast");
        let mut file = File::create(&ballast).expect("a file");
        let mut piece = vec![7; 1 << 20];
        while piece.len() > 1 {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
