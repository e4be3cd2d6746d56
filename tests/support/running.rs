//! The program while it runs: its log, its end, and signals to it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// How long anything may take before a test gives up. A machine that is merely slow stays below it: 600 MiB into a
/// store, with builds that are not optimized and beside others that compute, have taken more than two minutes.
const PATIENCE: Duration = Duration::from_secs(300);

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
