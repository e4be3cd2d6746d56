//! The signals that a terminal, an operator or a platform sends us, as values in a channel.

use std::io;
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::exfiltrator::origin::Origin;
use signal_hook::iterator::{Handle, SignalsInfo};
use signal_hook::low_level::siginfo::Cause;
use tokio::sync::mpsc;

/// What we listen for. CONT, TSTP, TTIN and TTOU keep their default: Ctrl-Z and `fg` reach the whole
/// foreground group, so the app stops and goes on together with us, and a stopped app with a running
/// sidecar would only confuse the shell's job control.
const LISTENED: [i32; 7] = [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH];

/// Signals that `nohup`, or a shell starting a job with `&`, sets to *ignore* so that the job lives
/// on: where they came to us ignored they stay ignored, for us and for the app.
const KEPT_IGNORED: [i32; 3] = [SIGHUP, SIGINT, SIGQUIT];

/// How many signals may wait to be received. More than this only ever wait when nobody receives.
const WAITING: usize = 64;

/// A signal that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// Its number, such as 15 for TERM.
    pub number: i32,
    /// Whether the terminal sent it to the whole foreground group (Ctrl-C, Ctrl-\, a new window
    /// size): the app, being in the same group, already has it and must not get it twice. Always
    /// false for HUP: at a hang-up the kernel tells the session's leader alone.
    pub from_terminal: bool,
}

impl Signal {
    /// Whether this asks the program to end: TERM, INT or QUIT.
    #[must_use]
    pub fn asks_to_end(self) -> bool {
        matches!(self.number, SIGTERM | SIGINT | SIGQUIT)
    }

    /// The name as people say it, without `SIG`.
    #[must_use]
    pub fn name(self) -> &'static str {
        let name = signal_hook::low_level::signal_name(self.number).unwrap_or("SIG?");
        name.trim_start_matches("SIG")
    }
}

/// Listens for TERM, INT, QUIT, HUP, USR1, USR2 and WINCH until it is dropped.
///
/// After the drop these signals do nothing at all: handlers, once set, stay in the process. So drop
/// it only on the way out.
#[derive(Debug)]
pub struct Signals {
    received: mpsc::Receiver<Signal>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// Starts to listen. Every signal that arrives after this returns is kept for [`Signals::recv`].
    ///
    /// # Errors
    ///
    /// When the system refuses a handler, a socket pair or a thread.
    pub fn listen() -> io::Result<Self> {
        let ignored = ignored_at_start();
        let numbers = LISTENED.into_iter().filter(|number| {
            !(KEPT_IGNORED.contains(number) && ignored & (1 << (number - 1)) != 0)
        });
        let mut signals = SignalsInfo::<WithOrigin>::new(numbers)?;
        let handle = signals.handle();
        let (send, received) = mpsc::channel(WAITING);
        let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
            for origin in signals.forever() {
                if send.blocking_send(from_origin(&origin)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { received, handle, thread: Some(thread) })
    }

    /// The next signal. `None` means that the listening thread has died, which is a bug: treat it as
    /// a failure of the program. Cancelling loses nothing.
    pub async fn recv(&mut self) -> Option<Signal> {
        self.received.recv().await
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        // The channel first: a thread that waits for room in it would not see the handle.
        self.received.close();
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was seen as the channel's end; there is nothing left to say.
            let _ = thread.join();
        }
    }
}

fn from_origin(origin: &Origin) -> Signal {
    let from_terminal = origin.cause == Cause::Kernel && origin.signal != SIGHUP;
    Signal { number: origin.signal, from_terminal }
}

/// The signals that we were started with as ignored, bit `n - 1` for signal `n`; none where `/proc`
/// does not tell.
fn ignored_at_start() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    parse_ignored(&status).unwrap_or(0)
}

fn parse_ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::Stdio;

    use rustix::process::{kill_process, test_kill_process};

    use super::super::rerun;
    use super::*;

    fn send_myself(number: i32) {
        let signal = rustix::process::Signal::from_named_raw(number).unwrap();
        kill_process(rustix::process::getpid(), signal).unwrap();
    }

    #[tokio::test]
    async fn a_signal_before_the_first_recv_is_kept() {
        let mut signals = Signals::listen().unwrap();
        send_myself(SIGUSR1);
        // Handlers are the whole process's: another test's signals may come in between.
        loop {
            let signal = signals.recv().await.unwrap();
            if signal.number == SIGUSR1 {
                assert_eq!(signal, Signal { number: SIGUSR1, from_terminal: false });
                assert_eq!(signal.name(), "USR1");
                assert!(!signal.asks_to_end());
                break;
            }
        }
    }

    #[test]
    fn dropping_ends_the_thread_even_with_a_full_channel() {
        let signals = Signals::listen().unwrap();
        for _ in 0..WAITING * 3 {
            send_myself(SIGWINCH);
        }
        drop(signals);
        test_kill_process(rustix::process::getpid()).unwrap();
    }

    #[test]
    fn the_kernel_s_mask_is_read() {
        let status = "Name:\tcat\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert_eq!(parse_ignored(status), Some(1 << 12 | 1));
        assert_eq!(parse_ignored("Name:\tcat\n"), None);
    }

    const PRINT_ONE: &str = "process::signals::tests::print_one_signal";

    #[tokio::test]
    #[ignore = "run by the tests below as a process of its own"]
    async fn print_one_signal() {
        let mut signals = Signals::listen().unwrap();
        println!("\nlistening {}", std::process::id());
        println!("\n{:?}", signals.recv().await.unwrap());
    }

    /// Everything up to the line that the helper prints when it listens, and the pid in it.
    fn await_listening(output: &mut impl BufRead) -> i32 {
        loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "the helper ended too early");
            if let Some(pid) = line.trim().strip_prefix("listening ") {
                return pid.parse().unwrap();
            }
        }
    }

    #[test]
    fn t30_ctrl_c_is_known_to_come_from_the_terminal() {
        // Run from a background job we have INT ignored ourselves.
        let inner = rerun::arguments(&["env", "--default-signal=INT"], PRINT_ONE);
        let inner = inner.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
        // `script` gives the helper a terminal of its own and passes what we write as typed.
        let mut script = std::process::Command::new("script")
            .args(["-qec", &inner, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(script.stdout.take().unwrap());
        await_listening(&mut output);
        let mut keyboard = script.stdin.take().unwrap();
        keyboard.write_all(b"\x03").unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        drop(keyboard);
        script.wait().unwrap();
        assert!(rest.contains("Signal { number: 2, from_terminal: true }"), "{rest}");
    }

    #[test]
    fn under_nohup_a_hang_up_is_still_ignored() {
        let mut helper =
            rerun::command(&["nohup"], PRINT_ONE).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(helper.stdout.take().unwrap());
        let pid = rustix::process::Pid::from_raw(await_listening(&mut output)).unwrap();
        kill_process(pid, rustix::process::Signal::HUP).unwrap();
        kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        helper.wait().unwrap();
        assert!(rest.contains("Signal { number: 15, from_terminal: false }"), "{rest}");
    }
}
