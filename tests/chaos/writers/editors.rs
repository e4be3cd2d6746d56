//! How editors save, and who deletes a file to write it anew.

use std::fs::{self, File};
use std::io;
use std::thread;

use super::Writer;
use super::patience::{patiently, write_all, write_slowly};

impl Writer {
    /// A new file beside the old one, renamed over it. Some editors use names that are excluded.
    pub(super) fn editor_rename(&mut self) {
        let path = self.any_path();
        let (content, seal) = self.begin(&[&path]);
        let target = self.file(&path);
        let name = match self.random.chance(50) {
            true => format!(".goutputstream-{}", self.name),
            false => format!("{}.new", self.name),
        };
        let temporary = target.with_file_name(name);
        write_slowly(&patiently(|| File::create(&temporary)), &content, &mut self.random);
        patiently(|| fs::rename(&temporary, &target));
        self.done(&path, seal);
    }

    /// The old file becomes the backup, and a new one takes its name.
    pub(super) fn editor_backup(&mut self) {
        let path = self.any_path();
        let (content, seal) = self.begin(&[&path]);
        let target = self.file(&path);
        let mut backup = target.clone().into_os_string();
        backup.push("~");
        gone_or(fs::rename(&target, backup));
        // A restore may have put the old content back by now, under the name that was free.
        write_slowly(&patiently(|| File::create(&target)), &content, &mut self.random);
        self.done(&path, seal);
    }

    pub(super) fn delete_and_create(&mut self) {
        let path = self.any_path();
        let target = self.file(&path);
        if self.random.chance(15) {
            self.scene.model.removed(&path);
            gone_or(fs::remove_file(&target));
            return;
        }
        let (content, seal) = self.begin(&[&path]);
        gone_or(fs::remove_file(&target));
        thread::sleep(self.random.millis(0..50));
        write_all(&patiently(|| File::create(&target)), &content);
        self.done(&path, seal);
    }
}

/// That there was nothing is no failure.
fn gone_or(done: io::Result<()>) {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        done => done.expect("a file of its own"),
    }
}
