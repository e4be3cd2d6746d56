//! The watcher: a probe is written into the upload directory, and the watch must see it.

use std::io;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::doctor::directory::Tree;
use crate::doctor::finding::{Finding, count};
use crate::doctor::{Patient, probe_name};
use crate::model::UploadPath;
use crate::model::health::Watcher;
use crate::uploads::{Event, Inotify, Share, UploadDir, Watch, WatchError};

/// The kernel tells within microseconds; a machine that is merely slow stays below this.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of the probe.
enum Seen {
    After(Duration),
    Not,
    /// It could not be written.
    Unwritten(io::Error),
    Unwatched(WatchError),
}

pub async fn examine(
    patient: &Patient,
    tree: Option<&Tree>,
    tell: &mut (dyn FnMut(Finding) + Send),
) {
    let (Some(upload_dir), Some(tree)) = (patient.upload_dir.here(), tree) else {
        return tell(Finding::note("watcher.probe", "not tried without an upload directory"));
    };
    let scans = humantime::format_duration(patient.settings.scan_interval).to_string();
    let inotify = tokio::task::spawn_blocking(Inotify::look)
        .await
        .expect("counting what is watched does not panic");
    let watched_here =
        patient.daemon.as_ref().is_some_and(|daemon| daemon.watcher == Watcher::Watching);
    let limits = judge_limits(&inotify, tree.directories, watched_here);
    let tight = limits.is_bad();
    tell(limits);
    if tight && watched_here {
        // A second watch would take from the daemon what it has.
        return tell(Finding::note("watcher.probe", "not tried, for the daemon's sake"));
    }
    let name = match probe_name().map(|name| UploadPath::parse(&name)) {
        Ok(Ok(name)) => name,
        _ => return tell(Finding::note("watcher.probe", "no random name can be made for a probe")),
    };
    if patient.settings.patterns.takes(&name) {
        let message = "not tried: the setting exclude lacks .imagecached*, so that a probe would \
                       be stored as an upload";
        return tell(
            Finding::note("watcher.probe", message)
                .cure("add .imagecached* to IMAGECACHED_EXCLUDE"),
        );
    }
    let upload_dir = upload_dir.clone();
    let seen = tokio::task::spawn_blocking(move || write_and_watch(&upload_dir, &name)).await;
    tell(judge(&seen.expect("watching a directory does not panic"), &scans));
}

fn write_and_watch(upload_dir: &UploadDir, name: &UploadPath) -> Seen {
    let (sink, events) = channel();
    let watch = match Watch::start(upload_dir.root(), move |event| drop(sink.send(event))) {
        Ok(watch) => watch,
        Err(error) => return Seen::Unwatched(error),
    };
    let file = upload_dir.root().join(name.as_path());
    let began = Instant::now();
    let _probe = match Probe::write(&file) {
        Ok(probe) => probe,
        Err(error) => return Seen::Unwritten(error),
    };
    loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        match events.recv_timeout(left) {
            Ok(Event::Closed(path)) if path == *name => {
                drop(watch);
                return Seen::After(began.elapsed());
            }
            Ok(_) => {}
            Err(_) => return Seen::Not,
        }
    }
}

/// A file that is gone when this is dropped.
struct Probe<'a>(&'a Path);

impl<'a> Probe<'a> {
    fn write(file: &'a Path) -> io::Result<Self> {
        let made = std::fs::File::create_new(file)?;
        let probe = Self(file);
        io::Write::write_all(&mut &made, b"imagecached doctor\n")?;
        Ok(probe)
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}

fn judge(seen: &Seen, scans: &str) -> Finding {
    match seen {
        Seen::After(took) => {
            let micros = took.as_micros();
            Finding::ok("watcher.probe", format!("a new file was seen after {micros} µs"))
        }
        Seen::Not => {
            let message = format!(
                "a new file was not seen within {} s: this file system (or sandbox) tells \
                 nothing; uploads are found by scanning only, every {scans}",
                PATIENCE.as_secs()
            );
            Finding::warning("watcher.probe", message).cure(
                "put the upload directory on a local disk, or set IMAGECACHED_SCAN_INTERVAL=5s",
            )
        }
        Seen::Unwritten(error) => {
            Finding::error("watcher.probe", format!("no file can be written: {error}"))
                .cure("see directory.root")
        }
        // The error's own text has the command.
        Seen::Unwatched(error) => Finding::warning("watcher.probe", error.to_string()).cure(
            "where the host is not yours, nothing: a scan every few seconds finds new files, \
             which are not safe for so long",
        ),
    }
}

/// `watched_here`: a daemon watches these directories already.
fn judge_limits(inotify: &Inotify, directories: u64, watched_here: bool) -> Finding {
    let free = |share: &Share| share.limit.map(|limit| limit.saturating_sub(share.used));
    let share = |share: &Share| {
        let limit = share.limit.map_or("an unknown number".to_owned(), |limit| limit.to_string());
        format!("{} of {limit}", share.used)
    };
    let message = format!(
        "{} watched directories and {} inotify instances of this user are in use, as far as can \
         be seen; {} to watch",
        share(&inotify.watches),
        share(&inotify.instances),
        count(directories, "directory", "directories"),
    );
    // A deploy has the old and the new container side by side, and each new directory takes one more.
    let needed = if watched_here { directories / 2 } else { directories + directories / 2 };
    let raise = |name: &str, limit: Option<u64>, least: u64| {
        let enough = limit.unwrap_or(0).saturating_mul(2).max(least);
        format!(
            "on the host: sysctl -w fs.inotify.{name}={enough} (and in /etc/sysctl.d); without \
             it, new files are found by a scan every few seconds"
        )
    };
    let short = |finding: Finding, cure| {
        Finding { severity: super::Severity::Warning, ..finding }.cure(cure)
    };
    let finding = Finding::ok("watcher.limits", message);
    if free(&inotify.watches).is_some_and(|free| free < needed) {
        let least = (4 * directories).max(1 << 20).next_multiple_of(1 << 10);
        return short(finding, raise("max_user_watches", inotify.watches.limit, least));
    }
    if free(&inotify.instances).is_some_and(|free| free == 0) {
        return short(finding, raise("max_user_instances", inotify.instances.limit, 1_024));
    }
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_judged_before_they_are_met() {
        let share = |used, limit| Share { used, limit: Some(limit) };
        let plenty = Inotify { instances: share(3, 128), watches: share(40, 65_536) };
        let few = Inotify { watches: share(65_000, 65_536), ..plenty };
        let none = Inotify { instances: share(128, 128), ..plenty };
        let texts = [
            judge_limits(&plenty, 40, false),
            judge_limits(&few, 1_000, false),
            judge_limits(&none, 40, true),
            judge_limits(&Inotify::default(), 1, false),
        ];
        insta::assert_snapshot!(texts.map(|finding| finding.to_string()).join("\n"), @r"
        ✓ ok       watcher.limits        40 of 65536 watched directories and 3 of 128 inotify instances of this user are in use, as far as can be seen; 40 directories to watch
        ! warning  watcher.limits        65000 of 65536 watched directories and 3 of 128 inotify instances of this user are in use, as far as can be seen; 1000 directories to watch
                                         cure: on the host: sysctl -w fs.inotify.max_user_watches=1048576 (and in /etc/sysctl.d); without it, new files are found by a scan every few seconds
        ! warning  watcher.limits        40 of 65536 watched directories and 128 of 128 inotify instances of this user are in use, as far as can be seen; 40 directories to watch
                                         cure: on the host: sysctl -w fs.inotify.max_user_instances=1024 (and in /etc/sysctl.d); without it, new files are found by a scan every few seconds
        ✓ ok       watcher.limits        0 of an unknown number watched directories and 0 of an unknown number inotify instances of this user are in use, as far as can be seen; 1 directory to watch
        ");
    }

    #[test]
    fn a_silent_watch_is_told() {
        let other = WatchError::Other("Function not implemented".into());
        let texts = [
            judge(&Seen::After(Duration::from_micros(300)), "1m"),
            judge(&Seen::Not, "1m"),
            judge(&Seen::Unwatched(other), "1m"),
        ];
        insta::assert_snapshot!(texts.map(|finding| finding.to_string()).join("\n"), @r"
        ✓ ok       watcher.probe         a new file was seen after 300 µs
        ! warning  watcher.probe         a new file was not seen within 5 s: this file system (or sandbox) tells nothing; uploads are found by scanning only, every 1m
                                         cure: put the upload directory on a local disk, or set IMAGECACHED_SCAN_INTERVAL=5s
        ! warning  watcher.probe         the upload directory cannot be watched: Function not implemented; meanwhile it is scanned
                                         cure: where the host is not yours, nothing: a scan every few seconds finds new files, which are not safe for so long
        ");
    }

    #[test]
    fn the_probe_is_seen_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let upload_dir = UploadDir::new(dir.path().to_owned());
        let name = UploadPath::parse(&probe_name().unwrap()).unwrap();
        assert!(matches!(write_and_watch(&upload_dir, &name), Seen::After(_)));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        let gone = UploadDir::new(dir.path().join("none"));
        assert!(matches!(write_and_watch(&gone, &name), Seen::Unwatched(WatchError::Gone)));
    }
}
