//! Those who write into the upload directory, each in its own way, as apps, people and programs do.
//!
//! A writer tells the model what it is about to write before the first byte, and that it is done after the
//! last. No path has two writers, so that after all are done each has one content that is the last.

mod arrivals;
mod editors;
mod git;
mod in_place;
mod patience;
mod programs;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use crate::content::{self, Seal};
use crate::model::Model;
use crate::random::Random;
use patience::patiently;

/// A way to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Django: a temporary file elsewhere, renamed or copied in.
    DjangoTemporary,
    /// Django: `O_EXCL`, chunks under a lock, unlocked before the end, chmod.
    DjangoChunks,
    RenameIn,
    HardLink,
    /// A directory full of files is moved in, and perhaps renamed there.
    DirectoryIn,
    /// Kept open, a bit at a time.
    AppendSlowly,
    /// Opened and closed for each bit; whole each time.
    AppendAgain,
    TruncateAndRewrite,
    Mmap,
    Rsync,
    CopyArchive,
    Tar,
    Unzip,
    GitCheckout,
    /// A new file renamed over the old one.
    EditorRename,
    /// The old file renamed to `…~`, a new one written.
    EditorBackup,
    DeleteAndCreate,
}

/// All of them.
pub const WAYS: [Way; 17] = [
    Way::DjangoTemporary,
    Way::DjangoChunks,
    Way::RenameIn,
    Way::HardLink,
    Way::DirectoryIn,
    Way::AppendSlowly,
    Way::AppendAgain,
    Way::TruncateAndRewrite,
    Way::Mmap,
    Way::Rsync,
    Way::CopyArchive,
    Way::Tar,
    Way::Unzip,
    Way::GitCheckout,
    Way::EditorRename,
    Way::EditorBackup,
    Way::DeleteAndCreate,
];

/// Where writers work.
#[derive(Debug)]
pub struct Scene {
    pub uploads: PathBuf,
    /// On the file system of the upload directory, and not in it.
    pub near: PathBuf,
    /// On the disk, which is another file system where the upload directory is in memory.
    pub far: PathBuf,
    pub model: Model,
    /// The daemon is neither killed nor asked to end while the writers are at work.
    pub daemon_stays: bool,
}

/// One writer.
pub struct Writer {
    scene: Arc<Scene>,
    way: Way,
    /// Nobody else's.
    name: String,
    random: Random,
    /// The files that it has written.
    own: Vec<String>,
    count: u32,
}

impl Writer {
    /// `number` is nobody else's.
    pub fn new(scene: Arc<Scene>, way: Way, number: &str, random: Random) -> Self {
        let name = format!("{way:?}-{number}").to_lowercase();
        Self { scene, way, name, random, own: Vec::new(), count: 0 }
    }

    /// Writes so many times, with pauses.
    pub fn work(mut self, steps: u64) {
        for _ in 0..steps {
            self.step();
            thread::sleep(self.random.millis(0..160));
        }
    }

    fn step(&mut self) {
        match self.way {
            Way::DjangoTemporary => self.django_temporary(),
            Way::DjangoChunks => self.django_chunks(),
            Way::RenameIn => self.rename_in(),
            Way::HardLink => self.hard_link(),
            Way::DirectoryIn => self.directory_in(),
            Way::AppendSlowly => self.append_slowly(),
            Way::AppendAgain => self.append_again(),
            Way::TruncateAndRewrite => self.truncate_and_rewrite(),
            Way::Mmap => self.mmap(),
            Way::Rsync | Way::CopyArchive | Way::Tar | Way::Unzip => self.run_a_program(),
            Way::GitCheckout => self.git_checkout(),
            Way::EditorRename => self.editor_rename(),
            Way::EditorBackup => self.editor_backup(),
            Way::DeleteAndCreate => self.delete_and_create(),
        }
    }

    /// A path that was never there: among those of others, or in directories that are new as well.
    fn fresh_path(&mut self) -> String {
        self.count += 1;
        let directory = match self.random.between(0..4) {
            0 => String::new(),
            1 => "products/2026/".to_owned(),
            2 => format!("by/{}/", self.name),
            _ => format!("new/{}/{}/deep/", self.name, self.count),
        };
        let name = self.random.pick(&["photo", "عکس", "a b", "-x", "café"]);
        let path = format!("{directory}{name} {} {}.jpg", self.name, self.count);
        self.own.push(path.clone());
        path
    }

    /// A path of its own, old or new.
    fn any_path(&mut self) -> String {
        if self.own.is_empty() || self.random.chance(50) {
            return self.fresh_path();
        }
        let index = self.random.index(self.own.len());
        self.own[index].clone()
    }

    /// A new content, announced for these paths.
    fn begin(&mut self, paths: &[&str]) -> (Vec<u8>, Seal) {
        let (content, seal) = content::fresh(&mut self.random);
        for path in paths {
            self.scene.model.begin(path, seal);
        }
        (content, seal)
    }

    fn done(&self, path: &str, seal: Seal) {
        self.scene.model.done(path, seal);
    }

    /// The file of an upload path, in a directory that is there.
    fn file(&self, path: &str) -> PathBuf {
        let file = self.scene.uploads.join(path);
        let parent = file.parent().expect("the upload directory at least");
        patiently(|| fs::create_dir_all(parent));
        file
    }

    /// A name of its own in a directory beside the upload directory.
    fn aside(&mut self, place: &Path) -> PathBuf {
        self.count += 1;
        place.join(format!("{}-{}", self.name, self.count))
    }
}
