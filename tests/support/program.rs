//! The real program on a real upload directory and a real database.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use imagecached::store::{ListQuery, Store, Target};
use tempfile::TempDir;
use tokio::runtime::Runtime;

pub use super::command::{hand_on, started_by};
use super::database::{Database, Kind};
pub use super::running::{Running, count_lines, send, wait_until};

/// An upload directory and a database of their own, and the program to work on them.
pub struct Sandbox {
    pub database: Database,
    pub uploads: PathBuf,
    /// What else every command finds in its environment.
    pub environment: Vec<(String, String)>,
    runtime: Runtime,
    directory: TempDir,
}

impl Sandbox {
    /// On the file system of the temporary directory.
    pub fn new(kind: Kind) -> Self {
        Self::beneath(kind, &std::env::temp_dir())
    }

    /// On the file system of `parent`: `/dev/shm` is a tmpfs.
    pub fn beneath(kind: Kind, parent: &Path) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let database = runtime.block_on(Database::fresh(kind));
        let directory = TempDir::with_prefix_in("imagecached-", parent).expect("a directory");
        let uploads = directory.path().join("media");
        fs::create_dir(&uploads).expect("an upload directory");
        Self { database, uploads, environment: Vec::new(), runtime, directory }
    }

    /// A directory beside the upload directory, on the same file system.
    pub fn beside(&self) -> &Path {
        self.directory.path()
    }

    /// The database's URL.
    pub fn url(&self) -> String {
        match &self.database.target {
            Target::Postgres(url) | Target::MySql(url) => url.clone(),
            Target::Sqlite(path) => format!("sqlite://{}", path.display()),
        }
    }

    /// The program with these arguments; nothing of the caller's settings reaches it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_imagecached"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("IMAGECACHED_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .current_dir(self.directory.path())
            .env("DATABASE_URL", self.url())
            .env("IMAGECACHED_UPLOAD_DIR", &self.uploads)
            .env("IMAGECACHED_STATE_DIR", self.directory.path())
            .env("IMAGECACHED_LOG_FORMAT", "logfmt")
            .env("IMAGECACHED_LOG_LEVEL", "debug")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program to its end.
    pub fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    /// Runs the program, which must succeed, and gives what it printed.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.output(args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?} ended with {}:\n{stderr}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Starts the program in a process group of its own.
    pub fn start(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// Starts `watch` and waits until it watches.
    pub fn watch(&self) -> Running {
        self.watch_with(&[])
    }

    /// As [`Sandbox::watch`], with settings such as `scan_interval=1s`.
    pub fn watch_with(&self, settings: &[&str]) -> Running {
        let mut command = self.command(&["watch"]);
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        let mut running = Running::start(command);
        running.wait_for_log("event=watching");
        running
    }

    /// `run` with settings such as `boot_deadline=1s`, and an app that is a shell's script. It finds
    /// the upload directory as its working directory, and the one beside it as `$BESIDE`.
    pub fn run(&self, settings: &[&str], script: &str) -> Command {
        let mut command = self.command(&["run"]);
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        // `run` hands its own directory on, and that must not be the one that it guards.
        let script = format!("cd \"$IMAGECACHED_UPLOAD_DIR\" || exit 99\n{script}");
        command.args(["--", "sh", "-c", &script]).env("BESIDE", self.beside());
        command
    }

    /// Runs one statement past the program.
    pub fn sql(&self, sql: &str) {
        self.block_on(self.database.run(sql));
    }

    /// The first column of what a query past the program gives.
    pub fn numbers(&self, sql: &str) -> Vec<i64> {
        self.block_on(self.database.numbers(sql))
    }

    /// Writes a file, and the directories above it, as an app does.
    pub fn write(&self, path: &str, bytes: &[u8]) {
        let file = self.uploads.join(path);
        fs::create_dir_all(file.parent().expect("a directory")).expect("directories");
        fs::write(file, bytes).expect("a file");
    }

    /// Empties the upload directory, as a deploy does.
    pub fn wipe(&self) {
        fs::remove_dir_all(&self.uploads).expect("the upload directory goes");
        fs::create_dir(&self.uploads).expect("an upload directory");
    }

    /// The upload directory's files and their contents.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files_beneath(&self.uploads)
    }

    /// Waits for something asynchronous.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A store on the database, beside the program's.
    pub fn store(&self) -> Arc<dyn Store> {
        let _guard = self.runtime.enter();
        self.database.open()
    }

    /// The paths that the database has entries for; none while the tables are not there.
    pub fn paths(&self) -> Vec<String> {
        let store = self.store();
        let listed = self.block_on(async {
            let listed = store.list(&ListQuery::default()).await;
            store.close().await;
            listed
        });
        let mut paths: Vec<_> =
            listed.unwrap_or_default().into_iter().map(|entry| entry.original_path).collect();
        paths.sort();
        paths
    }

    /// What the database holds: path to content, as a restore into an empty directory gives it.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let empty = TempDir::new_in(self.beside()).expect("a directory");
        let mut restore = self.command(&["restore"]);
        let output = restore.env("IMAGECACHED_UPLOAD_DIR", empty.path()).output();
        let output = output.expect("the program starts");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the restore ended with {}:\n{log}", output.status);
        files_beneath(empty.path())
    }

    /// The content that the database holds for one path.
    pub fn content(&self, path: &str) -> Vec<u8> {
        let output = self.output(&["get", "--", path]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "get {path:?}: {stderr}");
        output.stdout
    }

    /// Waits until the database has this many entries.
    pub fn wait_for_entries(&self, count: usize) {
        wait_until(&format!("{count} entries"), || self.paths().len() == count);
    }

    /// Waits until the database holds this very content for one path.
    pub fn wait_for_content(&self, path: &str, content: &[u8]) {
        wait_until(&format!("the new content of {path}"), || {
            let output = self.output(&["get", "--", path]);
            output.status.success() && output.stdout == content
        });
    }

    /// Removes the database.
    pub fn remove(self) {
        self.runtime.block_on(self.database.remove());
    }
}

/// The files beneath a directory and their contents.
pub fn files_beneath(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root) {
        let entry = entry.expect("a readable tree");
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(root).expect("beneath it");
            let path = path.to_string_lossy().into_owned();
            files.insert(path, fs::read(entry.path()).expect("a readable file"));
        }
    }
    files
}
