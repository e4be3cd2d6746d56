//! The real program on the round's upload directory and database, through a proxy that cuts.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::support::program::Running;

/// Longer than the `shutdown_limit` of a round: then a platform kills.
const TERM_LIMIT: Duration = Duration::from_secs(10);

/// What every command of a round is given.
pub struct Program {
    /// The executable.
    pub file: PathBuf,
    pub uploads: PathBuf,
    /// Through the proxy, where there is one.
    pub url: String,
    /// For logs and the state file.
    pub directory: PathBuf,
    pub settings: Vec<String>,
}

impl Program {
    /// A command, which ends when we do.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&self.file);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("IMAGECACHED_") {
                command.env_remove(name);
            }
        }
        command
            .arg(args[0])
            .args(self.settings.iter().flat_map(|setting| ["--set", setting]))
            .args(&args[1..])
            .current_dir(&self.directory)
            .env("DATABASE_URL", &self.url)
            .env("IMAGECACHED_UPLOAD_DIR", &self.uploads)
            .env("IMAGECACHED_STATE_DIR", &self.directory)
            .env("IMAGECACHED_LOG_FORMAT", "logfmt")
            .env("IMAGECACHED_LOG_LEVEL", "debug");
        command
    }

    pub fn output(&self, args: &[&str]) -> Output {
        let output = self.command(args).output().expect("the program starts");
        self.keep_log(&String::from_utf8_lossy(&output.stderr), args[0]);
        output
    }

    /// What `status` says is unsaved, if it can say it.
    pub fn unsaved(&self) -> Option<u64> {
        let output = self.command(&["status", "--json"]).output().expect("the program starts");
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        status["unsaved"].as_u64()
    }

    /// Writes a log down, beside those of before.
    pub fn keep_log(&self, log: &str, name: &str) {
        let number = fs::read_dir(&self.directory).map_or(0, Iterator::count);
        let file = self.directory.join(format!("{number:03}-{name}.log"));
        fs::write(file, log).expect("a log");
    }
}

/// The daemon of a round, which runs or not.
#[derive(Default)]
pub struct Daemon {
    running: Option<Running>,
    /// It was asked to end, at that time.
    asked: Option<Instant>,
    frozen: bool,
}

impl Daemon {
    /// Starts it, unless it runs. One that was asked to end is given its time.
    pub fn start(&mut self, program: &Program, with_app: bool) {
        if self.asked.is_some() {
            self.wait(program);
        }
        if self.running.is_some() {
            return;
        }
        // An app that ends when the daemon asks it to, or when the daemon is gone.
        let app = "trap 'exit 0' TERM; while kill -0 $PPID; do sleep 0.1; done";
        let args: &[&str] = match with_app {
            true => &["run", "--", "sh", "-c", app],
            false => &["watch"],
        };
        self.running = Some(Running::start(program.command(args)));
    }

    pub fn term(&mut self) {
        if let Some(running) = self.running.as_mut()
            && self.asked.is_none()
            && running.try_wait().is_none()
        {
            running.signal(15);
            self.asked = Some(Instant::now());
        }
    }

    /// Kills it, with its app; says whether there was anything to kill.
    pub fn kill(&mut self, program: &Program) -> bool {
        let Some(mut running) = self.running.take() else { return false };
        if running.try_wait().is_none() {
            running.signal_group(9);
        }
        (self.asked, self.frozen) = (None, false);
        let (_, log) = running.wait();
        program.keep_log(&log, "killed");
        true
    }

    pub fn freeze(&mut self) {
        if let Some(running) = self.running.as_mut()
            && running.try_wait().is_none()
        {
            running.signal(19);
            self.frozen = true;
        }
    }

    pub fn thaw(&mut self) {
        if let Some(running) = self.running.as_mut()
            && self.frozen
            && running.try_wait().is_none()
        {
            running.signal(18);
        }
        self.frozen = false;
    }

    /// Waits for the end of one that was asked to end, and kills it where a platform would; says whether
    /// it has said that every upload is safe.
    pub fn wait(&mut self, program: &Program) -> bool {
        self.thaw();
        let Some(asked) = self.asked.take() else { return false };
        let Some(mut running) = self.running.take() else { return false };
        while running.try_wait().is_none() {
            if asked.elapsed() > TERM_LIMIT {
                self.running = Some(running);
                self.kill(program);
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let (_, log) = running.wait();
        program.keep_log(&log, "ended");
        log.lines().any(|line| line.contains("event=drained") && line.contains("unsaved=0"))
    }

    /// Why it has ended, if it has ended by itself.
    pub fn ended_by_itself(&mut self) -> Option<String> {
        let running = self.running.as_mut().filter(|_| self.asked.is_none())?;
        let status = running.try_wait()?;
        Some(format!("the daemon ended by itself with {status}:\n{}", running.log()))
    }
}
