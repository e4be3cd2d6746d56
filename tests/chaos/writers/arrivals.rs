//! Files that are new in the upload directory: from a form, from outside, by a second name.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::Writer;
use super::patience::{patiently, write_all, write_slowly};

impl Writer {
    /// `FileSystemStorage` with a file that came in by `TemporaryFileUploadHandler`.
    pub(super) fn django_temporary(&mut self) {
        let path = self.fresh_path();
        let (content, seal) = self.begin(&[&path]);
        let place = self.scene.far.clone();
        let temporary = self.aside(&place);
        write_all(&File::create_new(&temporary).expect("a temporary file"), &content);
        let target = self.file(&path);
        // As `file_move_safe` does: a rename, or else a copy and a removal.
        match fs::rename(&temporary, &target) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                write_slowly(&patiently(|| File::create_new(&target)), &content, &mut self.random);
                fs::remove_file(&temporary).expect("it is ours");
            }
            renamed => renamed.expect("a rename"),
        }
        set_mode(&target, 0o644);
        self.done(&path, seal);
    }

    /// `FileSystemStorage` with an upload in memory: it unlocks before it closes.
    pub(super) fn django_chunks(&mut self) {
        let path = self.fresh_path();
        let (content, seal) = self.begin(&[&path]);
        let target = self.file(&path);
        let file = patiently(|| File::create_new(&target));
        file.lock().expect("a lock");
        let half = content.len() / 2;
        write_slowly(&file, &content[..half], &mut self.random);
        file.unlock().expect("it was locked");
        // Python's buffer is written when the file is closed, which is after the lock is gone.
        write_all(&file, &content[half..]);
        drop(file);
        set_mode(&target, 0o644);
        self.done(&path, seal);
    }

    pub(super) fn rename_in(&mut self) {
        let path = self.any_path();
        let (content, seal) = self.begin(&[&path]);
        let outside = self.written_aside(&content);
        patiently(|| fs::rename(&outside, self.file(&path)));
        self.done(&path, seal);
    }

    /// A file gets a second name, and is then changed by one of them: no event tells of the other.
    pub(super) fn hard_link(&mut self) {
        let (path, second) = (self.fresh_path(), self.fresh_path());
        let (content, seal) = self.begin(&[&path, &second]);
        let outside = self.written_aside(&content);
        for path in [&path, &second] {
            patiently(|| fs::hard_link(&outside, self.file(path)));
            self.done(path, seal);
        }
        fs::remove_file(outside).expect("its first name");
        if self.random.chance(50) {
            let (content, seal) = self.begin(&[&path, &second]);
            let file = patiently(|| File::create(self.file(&path)));
            write_slowly(&file, &content, &mut self.random);
            drop(file);
            self.done(&path, seal);
            self.done(&second, seal);
        }
        // Neither is written again by one name alone.
        self.own.clear();
    }

    /// A whole directory is moved in; no event tells of its files.
    pub(super) fn directory_in(&mut self) {
        let place = self.scene.near.clone();
        let outside = self.aside(&place);
        let name = format!("moved {} {}", self.name, self.count);
        let mut files = Vec::new();
        for number in 0..self.random.between(1..6) {
            let file = format!("{}/{number}.png", if number % 2 == 0 { "even" } else { "odd" });
            let path = format!("{name}/{file}");
            let (content, seal) = self.begin(&[&path]);
            let file = outside.join(file);
            patiently(|| fs::create_dir_all(file.parent().expect("a directory")));
            write_all(&patiently(|| File::create(&file)), &content);
            files.push((path, seal));
        }
        patiently(|| fs::rename(&outside, self.file(&name)));
        for (path, seal) in &files {
            self.done(path, *seal);
        }
        if self.random.chance(40) {
            let renamed = format!("{name} again");
            for (path, seal) in &files {
                self.scene.model.begin(&path.replace(&name, &renamed), *seal);
            }
            patiently(|| fs::rename(self.file(&name), self.file(&renamed)));
            for (path, seal) in &files {
                self.scene.model.removed(path);
                self.done(&path.replace(&name, &renamed), *seal);
            }
        }
    }

    /// A finished file beside the upload directory.
    pub(super) fn written_aside(&mut self, content: &[u8]) -> std::path::PathBuf {
        let place = self.scene.near.clone();
        let outside = self.aside(&place);
        write_all(&patiently(|| File::create_new(&outside)), content);
        outside
    }
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, Permissions::from_mode(mode)).expect("a chmod");
}
