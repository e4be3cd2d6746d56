//! The app beside us: its words, its signals, its exit code, and being PID 1.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::database::Kind;
use crate::support::program::{Running, Sandbox, send, started_by, wait_until};

/// The one child of a process.
pub fn child_of(pid: i32) -> i32 {
    let children = || fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    wait_until("a child", || children().is_ok_and(|list| list.split(' ').count() > 1));
    children().unwrap().trim().parse().expect("one child")
}

/// The command as PID 1 of a container.
fn as_pid_1(command: &Command) -> Command {
    started_by(&["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"], command)
}

fn ends_with(sandbox: &Sandbox, script: &str, code: i32) {
    for pid_1 in [false, true] {
        let mut run = sandbox.run(&[], script);
        if pid_1 {
            run = as_pid_1(&run);
        }
        let (status, log) = Running::start(run).wait();
        assert_eq!(status.code(), Some(code), "PID 1: {pid_1}, {script:?}:\n{log}");
    }
}

#[test]
fn t30_the_exit_code_is_the_app_s() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    ends_with(&sandbox, "exit 0", 0);
    ends_with(&sandbox, "exit 3", 3);
    ends_with(&sandbox, "exit 255", 255);
    ends_with(&sandbox, "kill -9 $$", 137);
    ends_with(&sandbox, "kill -15 $$", 143);
}

#[test]
fn t30_not_found_is_127_and_not_executable_126() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let script = sandbox.beside().join("script");
    fs::write(&script, "exit 0\n").unwrap();
    let script = script.to_str().unwrap();
    let code = |word: &str| {
        let output = sandbox.output(&["run", "--", word]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("cannot start"), "{told}");
        output.status.code()
    };
    assert_eq!(code("no-such-program-anywhere"), Some(127));
    assert_eq!(code("/no/such/program"), Some(127));
    assert_eq!(code(script), Some(126), "no right to execute");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code(script), Some(126), "no first line that names an interpreter");
    assert_eq!(code("/usr"), Some(126), "a directory");
    assert_eq!(sandbox.output(&["run"]).status.code(), Some(2), "no command at all");
}

#[test]
fn t30_words_reach_the_app_as_they_are() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    let words: [&[u8]; 13] = [
        b"a  b",
        b"",
        b"*",
        b"$HOME `id` $(id)",
        b"'single' \"double\"",
        b"back\\slash",
        b"--help",
        b"--",
        b"--set=quiet=1h",
        b"line\nbreak",
        b"caf\xe9 \xff\xfe",
        "گربه 🐈".as_bytes(),
        b"-",
    ];
    let print = "out=$1; shift; printf '%s\\0' \"$@\" > \"$out\"";
    let out = sandbox.beside().join("words");
    let mut run = sandbox.command(&["run", "--", "sh", "-c", print, "sh"]);
    run.arg(&out).args(words.map(OsStr::from_bytes)).env("ODD_VALUE", OsStr::from_bytes(b"\xff"));
    let (status, log) = Running::start(run).wait();
    assert_eq!(status.code(), Some(0), "{log}");
    let written = fs::read(out).unwrap();
    let mut read: Vec<&[u8]> = written.split(|byte| *byte == 0).collect();
    assert_eq!(read.pop(), Some(&b""[..]));
    assert_eq!(read, words);
}

#[test]
fn t30_signals_are_passed_on() {
    const SIGNALS: [(i32, &str); 4] = [(1, "HUP"), (10, "USR1"), (12, "USR2"), (28, "WINCH")];
    let traps = SIGNALS.map(|(_, name)| format!("trap ': > \"$BESIDE/{name}\"' {name}\n")).concat();
    let script =
        format!("{traps} trap 'exit 42' TERM; : > \"$BESIDE/up\"; while :; do sleep 0.05; done");
    for pid_1 in [false, true] {
        let sandbox = Sandbox::new(Kind::Sqlite);
        // A shell cannot trap what is ignored from the start on, as HUP is below `nohup`.
        let mut run = started_by(&["env", "--default-signal"], &sandbox.run(&[], &script));
        if pid_1 {
            run = as_pid_1(&run);
        }
        let run = Running::start(run);
        let program = if pid_1 { child_of(run.pid()) } else { run.pid() };
        let came = |name: &str| wait_until(name, || sandbox.beside().join(name).exists());
        came("up");
        for (number, name) in SIGNALS {
            send(program, number);
            came(name);
        }
        send(program, 15);
        let (status, log) = run.wait();
        assert_eq!(status.code(), Some(42), "{log}");
    }
}

#[test]
fn t30_orphans_are_reaped_as_pid_1() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    // Orphans become children of PID 1; the dead among them are zombies until it asks for them.
    // The app's own children do not count: a shell reaps those itself.
    let script =
        "for n in 1 2 3 4 5 6 7 8 9 10; do (sh -c 'sleep 0.1; : > \"$BESIDE/ran\"' &); done
        until [ -e \"$BESIDE/ran\" ]; do sleep 0.05; done
        while grep -l '^State:.[ZS].*' /proc/[0-9]*/status 2>/dev/null | while read status; do
            [ \"$(sed -n 's/^PPid:.//p' $status 2>/dev/null)\" = 1 ] || continue
            [ $status = /proc/$$/status ] || echo there
        done | grep -q there; do sleep 0.05; done
        [ $PPID = 1 ] || exit 98
        exit 3";
    let (status, log) = Running::start(as_pid_1(&sandbox.run(&[], script))).wait();
    assert_eq!(status.code(), Some(3), "{log}");
}
