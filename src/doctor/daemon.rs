//! The running daemon, by what it says about itself.

use crate::doctor::Patient;
use crate::doctor::finding::{Finding, count};
use crate::model::health::{LastError, Watcher};
use crate::process::shell_without_exec_above;

/// What a running daemon says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    pub pid: u32,
    /// Files that are seen and not yet safe.
    pub unsaved: u64,
    pub watcher: Watcher,
    /// Why the database is away, when it is.
    pub database_away: Option<String>,
    pub restore_finished: bool,
    /// What the restore has left undone, and why it stopped, when it has.
    pub restore_stopped: Option<String>,
    pub damaged_entries: u64,
    /// Entries that its own verifying has found not to be as they should, and could not mend.
    pub not_mended: u64,
    /// Former contents that it has found damaged.
    pub damaged_versions: u64,
    pub last_errors: Vec<LastError>,
}

pub fn examine(patient: &Patient, tell: &mut (dyn FnMut(Finding) + Send)) {
    let Some(daemon) = &patient.daemon else {
        let message = "none guards this upload directory from here: what is uploaded now is not \
                       stored";
        return tell(Finding::note("daemon.running", message).cure(
            "in a one-off container this is as it should be; else start the app with \
             `imagecached run -- CMD`",
        ));
    };
    judge(daemon).into_iter().for_each(&mut *tell);
    if let Some(shell) = shell_without_exec_above(daemon.pid) {
        tell(judge_shell(&shell));
    }
}

fn judge(daemon: &Daemon) -> Vec<Finding> {
    let Daemon { pid, unsaved, .. } = daemon;
    let mut findings = vec![if *pid == 1 {
        Finding::ok("daemon.running", "it is process 1: it gets the platform's signals itself")
    } else {
        Finding::ok("daemon.running", format!("it is process {pid}"))
    }];
    let files = count(*unsaved, "file is", "files are");
    findings.push(match &daemon.database_away {
        Some(reason) => Finding::error(
            "daemon.unsaved",
            format!("{files} NOT SAFE, and the daemon cannot reach the database: {reason}"),
        )
        .cure("see database.reachable; do not stop the container before the database is back"),
        None if *unsaved > 0 => {
            Finding::note("daemon.unsaved", format!("{files} on the way to the database"))
        }
        None => Finding::ok("daemon.unsaved", "every upload that it has seen is safe"),
    });
    match &daemon.watcher {
        Watcher::Watching => findings.push(Finding::ok("daemon.watcher", "it watches")),
        Watcher::Off => findings.push(Finding::note("daemon.watcher", "it is still starting")),
        Watcher::Degraded(reason) => {
            let message = format!("DEGRADED, files are found by scanning only: {reason}");
            findings.push(
                Finding::warning("daemon.watcher", message)
                    .cure("see watcher.limits and watcher.probe; it tries again every minute"),
            );
        }
    }
    match &daemon.restore_stopped {
        Some(reason) => findings.push(
            Finding::error("daemon.restore", format!("its restore has stopped: {reason}"))
                .cure("once that is mended it goes on by itself, within ten minutes at most"),
        ),
        None if !daemon.restore_finished => {
            findings.push(Finding::note("daemon.restore", "its restore is not finished"));
        }
        None => {}
    }
    if daemon.damaged_entries > 0 {
        let entries = count(daemon.damaged_entries, "damaged entry", "damaged entries");
        let message = format!("its restore has met {entries}");
        findings.push(
            Finding::warning("daemon.damaged", message)
                .cure("imagecached doctor --deep names them"),
        );
    }
    if daemon.not_mended > 0 {
        let entries = count(daemon.not_mended, "entry", "entries");
        let message = format!("verifying has found {entries} that it could not mend");
        findings
            .push(Finding::error("daemon.verify", message).cure("imagecached verify names them"));
    }
    if daemon.damaged_versions > 0 {
        let contents = count(daemon.damaged_versions, "former content", "former contents");
        let message = format!("verifying has found {contents} damaged, which cannot be given back");
        findings
            .push(Finding::error("daemon.verify", message).cure("imagecached verify names them"));
    }
    for LastError { at, text } in &daemon.last_errors {
        findings.push(Finding::note("daemon.last_errors", format!("{at}: {text}")));
    }
    findings
}

fn judge_shell(shell: &str) -> Finding {
    let message = format!(
        "its parent is {shell}, the container's start, which keeps the signal to end to itself: \
         the last uploads are lost at a stop"
    );
    Finding::warning("daemon.parent", message)
        .cure("in the start script write: exec imagecached run -- CMD")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(daemon: &Daemon) -> String {
        let findings = judge(daemon);
        findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_the_daemon_says_becomes_findings() {
        let well = Daemon {
            pid: 1,
            unsaved: 0,
            watcher: Watcher::Watching,
            database_away: None,
            restore_finished: true,
            restore_stopped: None,
            damaged_entries: 0,
            not_mended: 0,
            damaged_versions: 0,
            last_errors: Vec::new(),
        };
        assert!(!judge(&well).iter().any(Finding::is_bad));
        let at = "2026-01-01T00:00:00Z".to_owned();
        let ill = Daemon {
            pid: 7,
            unsaved: 3,
            watcher: Watcher::Degraded("no inotify instance is left".into()),
            database_away: Some("connection refused".into()),
            restore_finished: false,
            restore_stopped: Some("the disk is full".into()),
            damaged_entries: 1,
            not_mended: 2,
            damaged_versions: 1,
            last_errors: vec![LastError { at, text: "cannot read a.jpg".into() }],
        };
        insta::assert_snapshot!(format!(
            "{}\n{}\n{}",
            shown(&well),
            shown(&ill),
            judge_shell("sh")
        ), @r"
        ✓ ok       daemon.running        it is process 1: it gets the platform's signals itself
        ✓ ok       daemon.unsaved        every upload that it has seen is safe
        ✓ ok       daemon.watcher        it watches
        ✓ ok       daemon.running        it is process 7
        ✗ error    daemon.unsaved        3 files are NOT SAFE, and the daemon cannot reach the database: connection refused
                                         cure: see database.reachable; do not stop the container before the database is back
        ! warning  daemon.watcher        DEGRADED, files are found by scanning only: no inotify instance is left
                                         cure: see watcher.limits and watcher.probe; it tries again every minute
        ✗ error    daemon.restore        its restore has stopped: the disk is full
                                         cure: once that is mended it goes on by itself, within ten minutes at most
        ! warning  daemon.damaged        its restore has met 1 damaged entry
                                         cure: imagecached doctor --deep names them
        ✗ error    daemon.verify         verifying has found 2 entries that it could not mend
                                         cure: imagecached verify names them
        ✗ error    daemon.verify         verifying has found 1 former content damaged, which cannot be given back
                                         cure: imagecached verify names them
        • note     daemon.last_errors    2026-01-01T00:00:00Z: cannot read a.jpg
        ! warning  daemon.parent         its parent is sh, the container's start, which keeps the signal to end to itself: the last uploads are lost at a stop
                                         cure: in the start script write: exec imagecached run -- CMD
        ");
    }
}
