//! The real program on a real upload directory and a real database.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use imagecached::store::{ListQuery, Store, Target};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::database::{Database, Kind};

/// How long anything may take before a test gives up. A machine that is merely slow stays below it.
const PATIENCE: Duration = Duration::from_secs(120);

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

/// Waits until something holds; fails, saying what, when it does not come about.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How many lines of a log hold all of these texts.
pub fn count_lines(log: &str, texts: &[&str]) -> usize {
    log.lines().filter(|line| texts.iter().all(|text| line.contains(text))).count()
}

/// The command, started by another program that takes a command as its last arguments.
pub fn started_by(before: &[&str], command: &Command) -> Command {
    let mut started = Command::new(before[0]);
    started.args(&before[1..]);
    hand_on(&mut started, command);
    if let Some(directory) = command.get_current_dir() {
        started.current_dir(directory);
    }
    started
}

/// Gives a command's words and environment to the one that is to start it.
pub fn hand_on(starter: &mut Command, command: &Command) {
    starter.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => starter.env(name, value),
            None => starter.env_remove(name),
        };
    }
}

/// The program while it runs, with its log.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
}

impl Running {
    /// Starts a command in a process group of its own and reads its standard error.
    pub fn start(mut command: Command) -> Self {
        command.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null()).process_group(0);
        let mut child = command.spawn().expect("the program starts");
        let stderr = child.stderr.take().expect("standard error is a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, log: Vec::new() }
    }

    /// The program's process id; its group has the same number.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a pid")
    }

    /// Sends the program a signal.
    pub fn signal(&self, number: i32) {
        send(self.pid(), number);
    }

    /// Stops it where it stands; returns once none of its threads goes on.
    pub fn freeze(&self) {
        self.signal(19);
        let tasks = format!("/proc/{}/task", self.pid());
        wait_until("the program to stand still", || {
            fs::read_dir(&tasks).expect("it runs").flatten().all(|task| {
                let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
                // The state follows the name, which may hold anything. A thread that has ended has none.
                stat.is_empty() || stat.rsplit_once(')').is_some_and(|it| it.1.starts_with(" T"))
            })
        });
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(18);
    }

    /// Sends every process of the program's group a signal.
    pub fn signal_group(&self, number: i32) {
        send(-self.pid(), number);
    }

    /// Waits for a log line that contains `text` and has not been waited for before; gives it.
    pub fn wait_for_log(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.log.push(line.clone());
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("waited in vain for {text:?} in the log:\n{}", self.log.join("\n"))
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the log ended without {text:?}:\n{}", self.log.join("\n"))
                }
            }
        }
    }

    /// The log so far.
    pub fn log(&mut self) -> String {
        self.log.extend(self.lines.try_iter());
        self.log.join("\n")
    }

    /// How many lines of the log so far contain `text`; quick, also where the log is long.
    pub fn count_log(&mut self, text: &str) -> usize {
        self.log.extend(self.lines.try_iter());
        self.log.iter().filter(|line| line.contains(text)).count()
    }

    /// The program's end, if it has ended.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for the program's end; gives how it ended and its whole log.
    pub fn wait(mut self) -> (ExitStatus, String) {
        wait_until("the program's end", || self.try_wait().is_some());
        let status = self.try_wait().expect("it has ended");
        // A process that the program has left behind would keep its log open.
        try_send(-self.pid(), 9);
        self.log.extend(self.lines.iter());
        (status, std::mem::take(&mut self.log).join("\n"))
    }

    /// Asks the program to end, and waits for it; gives how it ended and its whole log.
    pub fn stop(self) -> (ExitStatus, String) {
        self.signal(15);
        self.wait()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal_group(9);
            let _ = self.child.wait();
        }
    }
}

/// Sends a process, or the group of a negative number, a signal.
pub fn send(pid: i32, signal: i32) {
    assert!(try_send(pid, signal), "no process {pid}");
}

fn try_send(pid: i32, signal: i32) -> bool {
    let signal = Signal::from_named_raw(signal).expect("a signal with a name");
    let process = Pid::from_raw(pid.abs()).expect("not 0");
    let sent = match pid {
        ..0 => kill_process_group(process, signal),
        _ => kill_process(process, signal),
    };
    sent.is_ok()
}
