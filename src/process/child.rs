//! The app that `run` starts: started word for word, signalled while it lives, awaited to its end.

use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, WaitStatus, kill_process, waitid, waitpid,
};
use signal_hook::SigId;
use signal_hook::consts::SIGCHLD;
use tokio::sync::watch;

use super::SpawnError;

/// How the app ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// Killed by the signal of this number.
    Signal(i32),
    /// It has ended, and something else in this process took its exit code: a bug, not a state.
    Lost,
}

impl Exit {
    /// The code to exit with in its place, as a shell would: 128 + n for signal n.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => 128 + number,
            Self::Lost => 1,
        }
    }
}

/// The running app.
///
/// When we are PID 1, the orphans of the whole container become our children: they are reaped too,
/// also after the app's end. No other part of the program may then start processes with
/// [`std::process`], since it would find their exit codes taken.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    /// False from the moment at which the pid may belong to somebody else. The lock is held while
    /// signalling and while reaping, so that no signal ever goes to a stranger.
    ours: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<Exit>>,
    #[cfg(test)]
    reaper: std::thread::JoinHandle<()>,
}

impl Child {
    /// Starts the program that is the first word with the others as its arguments: word for word, no
    /// shell, with our standard streams, environment, directory and process group. Signals stand in
    /// it as they came to us: those that we listen for are back at their default, none is blocked.
    ///
    /// # Errors
    ///
    /// When the program can't be found or executed; the error knows the exit code for it.
    pub fn spawn(program_and_args: &[OsString]) -> Result<Self, SpawnError> {
        let (program, args) = program_and_args.split_first().ok_or_else(SpawnError::no_command)?;
        let failed = |cause| SpawnError::new(program, cause);
        keep_exit_codes().map_err(failed)?;
        // The standard library empties the signal mask and sets PIPE back to its default.
        let started = Command::new(program).args(args).spawn().map_err(failed)?;
        let pid = Pid::from_child(&started);
        let ours = Arc::new(Mutex::new(true));
        let (send, exit) = watch::channel(None);
        let reaper = Reaper { pid, ours: Arc::clone(&ours), exit: send };
        let everybody = std::process::id() == 1;
        let thread = std::thread::Builder::new()
            .name("reaper".into())
            .spawn(move || if everybody { reaper.reap_everybody() } else { reaper.reap_the_app() });
        match thread {
            #[cfg(not(test))]
            Ok(_) => Ok(Self { pid, ours, exit }),
            #[cfg(test)]
            Ok(reaper) => Ok(Self { pid, ours, exit, reaper }),
            Err(cause) => {
                // An app that nobody can wait for must not run on. Nobody has reaped it, so the pid
                // is still its own.
                let mut started = started;
                let _ = started.kill();
                let _ = started.wait();
                Err(failed(cause))
            }
        }
    }

    /// The app's process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Sends the app the signal of this number. `Ok(false)` when it has already ended.
    ///
    /// # Errors
    ///
    /// When there is no signal of that number, or the app now runs as another user.
    pub fn signal(&self, number: i32) -> io::Result<bool> {
        let signal = Signal::from_named_raw(number).ok_or(Errno::INVAL)?;
        let ours = lock(&self.ours);
        if *ours {
            kill_process(self.pid, signal)?;
        }
        Ok(*ours)
    }

    /// Waits for the app's end. Can be cancelled and called again, also after the end.
    pub async fn wait(&mut self) -> Exit {
        match self.exit.wait_for(Option::is_some).await {
            Ok(exit) => exit.unwrap_or(Exit::Lost),
            // The reaper is gone without a word.
            Err(_) => Exit::Lost,
        }
    }
}

/// Waits for processes on a thread of its own.
///
/// Both loops first wait *without* reaping: an ended process keeps its pid until it is reaped, and
/// that is done under the lock.
struct Reaper {
    pid: Pid,
    ours: Arc<Mutex<bool>>,
    exit: watch::Sender<Option<Exit>>,
}

impl Reaper {
    fn reap_the_app(&self) {
        if wait_without_reaping(WaitId::Pid(self.pid)).is_ok() {
            let mut ours = lock(&self.ours);
            if let Ok(Some((_, status))) = waitpid(Some(self.pid), WaitOptions::NOHANG) {
                self.ended(&mut ours, status);
            }
        }
    }

    /// Ends when there are no children left: then no orphan can come to us any more but through a
    /// process that entered the container from outside, and we are about to exit.
    fn reap_everybody(&self) {
        while wait_without_reaping(WaitId::All).is_ok() {
            let mut ours = lock(&self.ours);
            while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
                if pid == self.pid {
                    self.ended(&mut ours, status);
                }
            }
        }
    }

    fn ended(&self, ours: &mut bool, status: WaitStatus) {
        *ours = false;
        let exit = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(number)) => Exit::Signal(number),
            (None, None) => Exit::Lost,
        };
        self.exit.send_replace(Some(exit));
    }
}

/// Returns when one of these children has ended, and leaves it to be reaped.
fn wait_without_reaping(which: WaitId<'_>) -> Result<(), Errno> {
    loop {
        match waitid(which.clone(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// A parent can start us with CHLD ignored; the kernel then throws exit codes away. A handler that
/// does nothing of interest ends that, and unlike a default set by hand it needs no unsafe code.
fn keep_exit_codes() -> io::Result<()> {
    static HANDLER: OnceLock<SigId> = OnceLock::new();
    if HANDLER.get().is_none() {
        let id = signal_hook::flag::register(SIGCHLD, Arc::new(AtomicBool::new(false)))?;
        let _ = HANDLER.set(id);
    }
    Ok(())
}

/// A bool under a lock is right whatever happened to the thread that held it.
fn lock(ours: &Mutex<bool>) -> MutexGuard<'_, bool> {
    ours.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;

    use super::super::rerun;
    use super::*;

    fn shell(script: &str) -> Child {
        Child::spawn(&["sh", "-c", script].map(OsString::from)).unwrap()
    }

    #[tokio::test]
    async fn t30_exit_codes_are_the_app_s() {
        assert_eq!(shell("exit 0").wait().await, Exit::Code(0));
        let mut child = shell("exit 3");
        assert_eq!(child.wait().await.code(), 3);
        assert_eq!(child.wait().await.code(), 3, "the end can be asked for again");
        assert!(!child.signal(libc::SIGTERM).unwrap(), "nothing is sent after the end");
    }

    #[tokio::test]
    async fn t30_killed_by_9_is_137() {
        let mut child = shell("kill -9 $$");
        assert_eq!(child.wait().await, Exit::Signal(9));
        assert_eq!(Exit::Signal(9).code(), 137);
    }

    #[tokio::test]
    async fn t30_signals_are_passed_on() {
        let ready = tempfile::tempdir().unwrap();
        for (number, name) in
            [(libc::SIGTERM, "TERM"), (libc::SIGUSR1, "USR1"), (libc::SIGUSR2, "USR2")]
        {
            let file = ready.path().join(name);
            assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
            let file_name = file.display();
            let mut child = shell(&format!(
                "trap 'exit 42' {name}; echo > {file_name}; while :; do sleep 0.01; done"
            ));
            // Reading the pipe returns once the trap is set.
            fs::read(&file).unwrap();
            assert!(child.signal(number).unwrap());
            assert_eq!(child.wait().await, Exit::Code(42), "{name}");
        }
        let child = shell("exit 0");
        assert!(child.signal(0).is_err() && child.signal(1_000).is_err());
    }

    #[tokio::test]
    async fn words_reach_the_app_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("words");
        let print: [OsString; 7] = [
            "sh".into(),
            "-c".into(),
            r#"out=$1; shift; printf '<%s>' "$@" > "$out""#.into(),
            "sh".into(),
            file.clone().into(),
            "a  b; $HOME `id` *".into(),
            "".into(),
        ];
        assert_eq!(Child::spawn(&print).unwrap().wait().await, Exit::Code(0));
        assert_eq!(fs::read_to_string(file).unwrap(), "<a  b; $HOME `id` *><>");
    }

    #[test]
    fn t30_not_found_is_127_and_not_executable_126() {
        let code = |words: &[&str]| {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            Child::spawn(&words).unwrap_err().code()
        };
        assert_eq!(code(&["no-such-program-anywhere"]), 127);
        assert_eq!(code(&["/no/such/program"]), 127);
        assert_eq!(code(&[]), 127);
        assert_eq!(code(&["/usr"]), 126);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("script");
        let path: &Path = &file;
        let name = path.to_str().unwrap();
        fs::write(path, "exit 0\n").unwrap();
        assert_eq!(code(&[name]), 126, "no right to execute");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(code(&[name]), 126, "no `#!`: a shell would guess, we do not");
        fs::write(path, "#!/no/such/interpreter\n").unwrap();
        assert_eq!(code(&[name]), 126, "no interpreter");
    }

    const PRINT_STATE: &str = "process::child::tests::print_the_child_s_signals";

    #[tokio::test]
    #[ignore = "run by the test below as a process of its own"]
    async fn print_the_child_s_signals() {
        let _listening = super::super::Signals::listen().unwrap();
        println!();
        assert_eq!(shell("grep ^Sig[BI] /proc/self/status; exit 5").wait().await, Exit::Code(5));
    }

    /// Started by a parent that ignores CHLD and PIPE, and while we listen for our own signals.
    #[test]
    fn the_app_starts_with_clean_signals() {
        // The tests may run under nohup or in the background; what that ignores stays ignored.
        let parent = ["env", "--default-signal=HUP,INT,QUIT", "--ignore-signal=CHLD,PIPE"];
        let output = rerun::command(&parent, PRINT_STATE).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        let mask = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            // 32 and 33 are the C library's own; its posix_spawn leaves them ignored.
            u64::from_str_radix(line.trim(), 16).unwrap() & 0x7fff_ffff
        };
        assert_eq!(mask("SigBlk:"), 0);
        assert_eq!(mask("SigIgn:"), 0);
    }

    const AS_PID_1: &str = "process::child::tests::reap_as_pid_1";

    #[tokio::test]
    #[ignore = "run by the test below as PID 1"]
    async fn reap_as_pid_1() {
        assert_eq!(std::process::id(), 1);
        // Two orphans: one ends while the app lives, one after it.
        let mut child = shell("(sh -c : &) ; (sleep 0.2 &) ; exit 3");
        assert_eq!(child.wait().await, Exit::Code(3));
        child.reaper.join().unwrap();
        let others = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| *pid != 1)
            .count();
        println!("\nleft over: {others}");
    }

    #[test]
    fn t30_orphans_are_reaped_as_pid_1() {
        let mut prefix = vec!["unshare", "--pid", "--fork", "--mount-proc"];
        if !rustix::process::geteuid().is_root() {
            prefix.extend(["--user", "--map-root-user"]);
        }
        let output = rerun::command(&prefix, AS_PID_1).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("left over: 0"), "{output:?}");
    }
}
