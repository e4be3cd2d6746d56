//! Programs that bring many files at once: rsync, cp, tar, unzip.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::patience::write_all;
use super::{Way, Writer};
use crate::content::Seal;

/// A program has so long to succeed, however often it must be started.
const PATIENCE: Duration = Duration::from_secs(120);

/// Files that a program is to bring to the upload directory.
pub struct Delivery {
    /// Where they are.
    pub source: PathBuf,
    /// Their upload paths.
    files: Vec<(String, Seal)>,
}

impl Writer {
    pub(super) fn run_a_program(&mut self) {
        let delivery = self.pack();
        let (source, target) = (&delivery.source, self.file(&self.name).join("in"));
        fs::create_dir_all(&target).expect("a directory needs no room");
        let archive = source.with_extension("archive");
        let mut command = match self.way {
            Way::Rsync => {
                let mut command = Command::new("rsync");
                command.args(["--archive", "--ignore-times"]);
                if self.random.chance(30) {
                    command.arg("--inplace");
                }
                command.arg(source.join("")).arg(&target);
                command
            }
            Way::CopyArchive => {
                let mut command = Command::new("cp");
                command.arg("--archive").arg(source.join(".")).arg(&target);
                command
            }
            Way::Tar => {
                let mut pack = Command::new("tar");
                succeed(pack.arg("-cf").arg(&archive).arg("-C").arg(source).arg("."));
                let mut command = Command::new("tar");
                command.arg("-xf").arg(&archive).arg("-C").arg(&target);
                command
            }
            _ => {
                // Debian has unzip without zip; Python can make what it takes.
                let mut pack = Command::new("python3");
                pack.args(["-m", "zipfile", "-c"]).arg(&archive).arg(".").current_dir(source);
                succeed(&mut pack);
                let mut command = Command::new("unzip");
                command.args(["-qq", "-o"]).arg(&archive).arg("-d").arg(&target);
                command
            }
        };
        self.deliver(&delivery, &mut command);
    }

    /// New files, and some of before with another content. They will be in the writer's own directory.
    pub(super) fn pack(&mut self) -> Delivery {
        let place = self.scene.far.clone();
        let source = self.aside(&place);
        let mut files = Vec::new();
        let first = self.random.between(0..12);
        for number in first..first + self.random.between(1..6) {
            let file = format!("{}/{number}.jpg", number % 3);
            let path = format!("{}/in/{file}", self.name);
            let (content, seal) = self.begin(&[&path]);
            let file = source.join(file);
            fs::create_dir_all(file.parent().expect("a directory")).expect("directories");
            write_all(&File::create_new(file).expect("a file"), &content);
            files.push((path, seal));
        }
        Delivery { source, files }
    }

    /// Runs a program until it succeeds: where the disk is full or a file is put back under its
    /// hands, it fails, and leaves what it leaves.
    pub(super) fn deliver(&mut self, delivery: &Delivery, command: &mut Command) {
        let began = Instant::now();
        while let Err(why) = run(command) {
            assert!(began.elapsed() < PATIENCE, "{why}");
            for (path, _) in &delivery.files {
                self.scene.model.torn(path);
            }
            thread::sleep(Duration::from_millis(50));
        }
        for (path, seal) in &delivery.files {
            self.done(path, *seal);
        }
        remove(&delivery.source);
    }
}

/// Runs a program that has no reason to fail.
pub fn succeed(command: &mut Command) {
    run(command).unwrap_or_else(|why| panic!("{why}"));
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{name} is needed here: {error}"));
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr)))
}

fn remove(source: &Path) {
    fs::remove_dir_all(source).expect("it is ours");
    // There is an archive where one was made.
    let _ = fs::remove_file(source.with_extension("archive"));
}
