//! The platform: what becomes of the disk, how much time it gives, and what the system allows.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::doctor::finding::Finding;
use crate::doctor::{Patient, probe_name};
use crate::model::Target;
use crate::model::secret::{Secret, withstands_guessing};
use crate::model::shell_word::shell_word;
use crate::process::{Platform, limits};
use crate::settings::Settings;
use crate::uploads::{Disk, UploadDir};

/// Fewer open files than this and the database, the pictures and the log get in each other's way.
const OPEN_FILES: u64 = 256;

/// As much of the time before the kill is left to the platform's own doings.
const STOP_MARGIN: Duration = Duration::from_secs(2);

/// As much of the time to boot an app needs for itself at least.
const APP_START: Duration = Duration::from_secs(15);

pub fn examine(patient: &Patient, tell: &mut (dyn FnMut(Finding) + Send)) {
    let settings = &patient.settings;
    let platform = patient.platform.as_ref();
    tell(judge_platform(platform));
    if let Target::Sqlite(file) = &settings.database.target {
        let root = patient.upload_dir.here().map(UploadDir::root);
        let disk = file.parent().and_then(|directory| Disk::under(directory).ok());
        tell(judge_sqlite(file, root, platform, disk.as_ref()));
    }
    // The daemon's start and stop, and below what it writes down about itself.
    let has_daemon = !patient.upload_dir.is_elsewhere();
    if has_daemon && let Some(platform) = platform {
        times(platform, settings).into_iter().for_each(&mut *tell);
    }
    tell(judge_open_files(limits::open_files()));
    settings.http.token.as_ref().map(judge_token).into_iter().for_each(&mut *tell);
    if has_daemon {
        let state_dir = &settings.state_dir;
        tell(judge_state_dir(state_dir, try_state_dir(state_dir).err().as_ref()));
    }
}

fn judge_platform(platform: Option<&Platform>) -> Finding {
    let Some(platform) = platform else {
        return Finding::ok("platform.name", "no platform that is known by its variables");
    };
    let disk = match platform.ephemeral_disk {
        Some(true) => "its disk is thrown away at every deploy and restart",
        Some(false) => "its disk stays",
        None => "its disk is thrown away unless a volume is mounted at the upload directory",
    };
    Finding::ok("platform.name", format!("{}: {disk}", platform.name))
}

fn judge_sqlite(
    file: &Path,
    root: Option<&Path>,
    platform: Option<&Platform>,
    disk: Option<&Disk>,
) -> Finding {
    const SET_IT: &str = "set DATABASE_URL to a PostgreSQL or MySQL database of the platform";
    let shown = file.display();
    let error = |message| Finding::error("platform.sqlite", message);
    if root.is_some_and(|root| file.starts_with(root)) {
        let message = format!("{shown} is inside the upload directory, and is lost with it");
        return error(message).cure("name a file elsewhere in DATABASE_URL");
    }
    match platform {
        Some(Platform { ephemeral_disk: Some(true), name, .. }) => {
            error(format!("THIS PROTECTS NOTHING: {shown} is thrown away with the disk of {name}"))
                .cure(SET_IT)
        }
        Some(Platform { ephemeral_disk: None, .. }) => Finding::warning(
            "platform.sqlite",
            format!("{shown} is thrown away with the container unless it is on a volume"),
        )
        .cure("put the file on a volume, or set DATABASE_URL to a database of the platform"),
        _ if disk.is_some_and(Disk::is_ephemeral) => {
            let kind = disk.and_then(|disk| disk.file_system).unwrap_or_default();
            let message = format!(
                "{shown} is on {kind}, which does not outlive the machine or \
                                   the container: it protects nothing then"
            );
            error(message).cure("put the file on a disk that stays, or set DATABASE_URL")
        }
        _ => Finding::note(
            "platform.sqlite",
            format!("files are kept in {shown}, and are as safe as that file's disk"),
        ),
    }
}

/// The limits of the platform beside our own.
fn times(platform: &Platform, settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let seconds = |time: Duration| time.as_secs();
    if let Some(grace) = platform.stop_grace {
        let limit = settings.shutdown_limit;
        let message = format!(
            "shutdown_limit is {} s, and {} kills {} s after the signal to end",
            seconds(limit),
            platform.name,
            seconds(grace)
        );
        findings.push(if limit + STOP_MARGIN <= grace {
            Finding::ok("platform.stop", message)
        } else {
            let fitting = seconds(grace.saturating_sub(STOP_MARGIN)).max(1);
            Finding::warning("platform.stop", format!("{message}: the last uploads may be lost"))
                .cure(format!("set IMAGECACHED_SHUTDOWN_LIMIT={fitting}s"))
        });
    }
    if let Some(boot_limit) = platform.boot_limit {
        let deadline = settings.boot_deadline;
        let message = format!(
            "boot_deadline is {} s, and {} wants the app to answer within {} s",
            seconds(deadline),
            platform.name,
            seconds(boot_limit)
        );
        findings.push(if deadline + APP_START <= boot_limit {
            Finding::ok("platform.boot", message)
        } else {
            let fitting = seconds(boot_limit.saturating_sub(APP_START + Duration::from_secs(5)));
            Finding::warning("platform.boot", message)
                .cure(format!("set IMAGECACHED_BOOT_DEADLINE={fitting}s"))
        });
    }
    findings
}

fn judge_open_files(most: Option<u64>) -> Finding {
    match most {
        Some(most) if most < OPEN_FILES => {
            let message = format!("a process may have {most} files open only");
            Finding::warning("platform.open_files", message)
                .cure("before the start: ulimit -n 1024 (LimitNOFILE=1024 for systemd)")
        }
        Some(most) => {
            Finding::ok("platform.open_files", format!("a process may have {most} files open"))
        }
        None => Finding::ok("platform.open_files", "a process may have any number of files open"),
    }
}

fn judge_token(token: &Secret) -> Finding {
    if withstands_guessing(token.expose()) {
        return Finding::ok("platform.token", "the token cannot be guessed");
    }
    let message = "the token is short or plain: after ten wrong ones none from that address is looked at \
                   for a minute, and behind a proxy that address may be everybody's";
    Finding::note("platform.token", message).cure("set IMAGECACHED_TOKEN to: openssl rand -hex 16")
}

fn try_state_dir(directory: &Path) -> io::Result<()> {
    let file = directory.join(probe_name()?);
    std::fs::File::create_new(&file)?;
    std::fs::remove_file(&file)
}

fn judge_state_dir(directory: &Path, error: Option<&io::Error>) -> Finding {
    let shown = directory.display();
    match error {
        None => Finding::ok("platform.state_dir", format!("{shown} can be written")),
        Some(error) => {
            let message =
                format!("{shown} cannot be written ({error}): `status` knows less of the daemon");
            Finding::warning("platform.state_dir", message).cure(format!(
                "make {} writable, or set IMAGECACHED_STATE_DIR to a directory that is",
                shell_word(&shown.to_string())
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(name: &'static str, ephemeral_disk: Option<bool>, grace: u64) -> Platform {
        let stop_grace = Some(Duration::from_secs(grace));
        let boot_limit = Some(Duration::from_secs(60));
        Platform { name, ephemeral_disk, stop_grace, boot_limit }
    }

    #[test]
    fn an_sqlite_file_is_judged_by_where_it_is() {
        let file = Path::new("/app/media/cache.sqlite3");
        let root = Path::new("/app/media");
        let heroku = platform("Heroku", Some(true), 30);
        let render = platform("Render", None, 30);
        let disk = |file_system| Disk { free: 1, total: 1, file_system: Some(file_system) };
        let texts = [
            judge_sqlite(file, Some(root), None, None),
            judge_sqlite(file, None, Some(&heroku), None),
            judge_sqlite(file, None, Some(&render), None),
            judge_sqlite(file, None, None, Some(&disk("overlay"))),
            judge_sqlite(file, None, None, Some(&disk("ext4"))),
        ];
        insta::assert_snapshot!(texts.map(|finding| finding.to_string()).join("\n"), @r"
        ✗ error    platform.sqlite       /app/media/cache.sqlite3 is inside the upload directory, and is lost with it
                                         cure: name a file elsewhere in DATABASE_URL
        ✗ error    platform.sqlite       THIS PROTECTS NOTHING: /app/media/cache.sqlite3 is thrown away with the disk of Heroku
                                         cure: set DATABASE_URL to a PostgreSQL or MySQL database of the platform
        ! warning  platform.sqlite       /app/media/cache.sqlite3 is thrown away with the container unless it is on a volume
                                         cure: put the file on a volume, or set DATABASE_URL to a database of the platform
        ✗ error    platform.sqlite       /app/media/cache.sqlite3 is on overlay, which does not outlive the machine or the container: it protects nothing then
                                         cure: put the file on a disk that stays, or set DATABASE_URL
        • note     platform.sqlite       files are kept in /app/media/cache.sqlite3, and are as safe as that file's disk
        ");
    }

    #[test]
    fn our_times_must_fit_the_platforms() {
        let loaded = crate::settings::load(&crate::settings::Sources::default()).unwrap();
        let mut settings = loaded.settings;
        let heroku = platform("Heroku", Some(true), 30);
        assert!(!times(&heroku, &settings).iter().any(Finding::is_bad));
        let cloud_run = platform("Cloud Run", Some(true), 10);
        settings.boot_deadline = Duration::from_secs(55);
        let texts: Vec<_> = times(&cloud_run, &settings).iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(texts.join("\n"), @r"
        ! warning  platform.stop         shutdown_limit is 25 s, and Cloud Run kills 10 s after the signal to end: the last uploads may be lost
                                         cure: set IMAGECACHED_SHUTDOWN_LIMIT=8s
        ! warning  platform.boot         boot_deadline is 55 s, and Cloud Run wants the app to answer within 60 s
                                         cure: set IMAGECACHED_BOOT_DEADLINE=40s
        ");
    }

    #[test]
    fn limits_and_places_are_judged() {
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let texts = [
            judge_open_files(Some(64)),
            judge_open_files(Some(1_024)),
            judge_state_dir(Path::new("/run/x"), Some(&denied)),
            judge_token(&Secret::new("correct-horse-battery")),
            judge_token(&Secret::new("0123456789abcdef0123456789abcdef")),
            judge_platform(Some(&platform("Render", None, 30))),
        ];
        insta::assert_snapshot!(texts.map(|finding| finding.to_string()).join("\n"), @r"
        ! warning  platform.open_files   a process may have 64 files open only
                                         cure: before the start: ulimit -n 1024 (LimitNOFILE=1024 for systemd)
        ✓ ok       platform.open_files   a process may have 1024 files open
        ! warning  platform.state_dir    /run/x cannot be written (permission denied): `status` knows less of the daemon
                                         cure: make /run/x writable, or set IMAGECACHED_STATE_DIR to a directory that is
        • note     platform.token        the token is short or plain: after ten wrong ones none from that address is looked at for a minute, and behind a proxy that address may be everybody's
                                         cure: set IMAGECACHED_TOKEN to: openssl rand -hex 16
        ✓ ok       platform.token        the token cannot be guessed
        ✓ ok       platform.name         Render: its disk is thrown away unless a volume is mounted at the upload directory
        ");
        assert!(try_state_dir(Path::new("/none")).is_err());
    }
}
