//! A checkout by git, whose repository is elsewhere.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Writer;
use super::programs::succeed;

impl Writer {
    /// Commits some files in one tree and checks them out in the upload directory.
    pub(super) fn git_checkout(&mut self) {
        let repository = self.scene.far.join(format!("{}.git", self.name));
        if !repository.exists() {
            succeed(git(&repository, &self.scene.far).args(["init", "--quiet"]));
        }
        let delivery = self.pack();
        let target = self.file(&self.name).join("in");
        fs::create_dir_all(&target).expect("a directory needs no room");
        // The index holds these files alone: others of before are left as they are.
        let _ = fs::remove_file(repository.join("index"));
        succeed(git(&repository, &delivery.source).args(["add", "--all", "."]));
        let mut commit = git(&repository, &delivery.source);
        succeed(commit.args(["commit", "--quiet", "--allow-empty", "--message", "uploads"]));
        let mut checkout = git(&repository, &target);
        checkout.args(["checkout", "--quiet", "--force", "HEAD", "--", "."]);
        self.deliver(&delivery, &mut checkout);
    }
}

/// git without the settings of whoever runs this.
fn git(repository: &Path, tree: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(tree).env("GIT_DIR", repository).env("GIT_WORK_TREE", tree);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "chaos");
        command.env(format!("GIT_{role}_EMAIL"), "chaos@example.org");
    }
    command
}
