//! `doctor` through the real program: what is wrong is found, named and cured by what it says, and
//! one trouble does not hide the others.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;
use support::database::Kind;
use support::program::{Sandbox, started_by};

const KINDS: [Kind; 4] = [Kind::Sqlite, Kind::Postgres, Kind::PgBouncer, Kind::MariaDb];

/// What the doctor has said.
struct Examined {
    code: i32,
    findings: Vec<Value>,
}

impl Examined {
    fn of(mut command: Command) -> Self {
        let output = command.output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stdout);
        let log = String::from_utf8_lossy(&output.stderr);
        let json: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}\n{log}"));
        let findings = json["findings"].as_array().expect("findings").clone();
        Self { code: output.status.code().expect("an exit code"), findings }
    }

    /// The findings of one check as `severity: message; cure`.
    fn of_check(&self, check: &str) -> String {
        let texts = self.findings.iter().filter(|finding| finding["check"] == check).map(|f| {
            let text = |key: &str| f[key].as_str().unwrap_or_default().to_owned();
            format!("{}: {}; {}", text("severity"), text("message"), text("cure"))
        });
        texts.collect::<Vec<_>>().join("\n")
    }

    /// The checks that have found something wrong.
    fn bad(&self) -> Vec<&str> {
        let bad =
            |finding: &&Value| matches!(finding["severity"].as_str(), Some("warning" | "error"));
        self.findings.iter().filter(bad).filter_map(|finding| finding["check"].as_str()).collect()
    }

    #[track_caller]
    fn assert_well(&self) {
        assert_eq!((self.bad(), self.code), (vec![], 0), "{:#?}", self.findings);
    }

    /// Checks that this check has found something of this severity, in these words, and that the
    /// exit code tells.
    #[track_caller]
    fn assert_found(&self, check: &str, words: &[&str]) {
        let said = self.of_check(check);
        assert_eq!(self.code, 6, "{:#?}", self.findings);
        for word in words {
            assert!(said.contains(word), "{check} does not say {word:?}:\n{said}");
        }
    }
}

/// A command of the doctor without anything of a platform in its environment.
fn command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.command(args);
    for name in ["DYNO", "RENDER", "CONTAINER", "FLY_APP_NAME", "KUBERNETES_SERVICE_HOST"] {
        command.env_remove(name);
    }
    command.env("IMAGECACHED_DATABASE_WAIT", "2s");
    command
}

fn doctor(sandbox: &Sandbox) -> Examined {
    Examined::of(command(sandbox, &["doctor", "--json"]))
}

fn deep_doctor(sandbox: &Sandbox) -> Examined {
    Examined::of(command(sandbox, &["doctor", "--deep", "--json"]))
}

/// A sandbox with two files, both of them safe: one in its row, one in chunks.
fn healthy(kind: Kind) -> Sandbox {
    let sandbox = Sandbox::new(kind);
    sandbox.write("a cat.jpg", b"a picture in its row");
    sandbox.ok(&["cache-all"]);
    sandbox.write("large/it's.jpg", &[7; 3_000_000]);
    sandbox.ok(&["cache-all", "--set", "inline_limit=1KiB"]);
    sandbox
}

#[test]
fn all_is_well() {
    for kind in KINDS {
        let sandbox = healthy(kind);
        let before = (sandbox.files(), sandbox.paths());
        let examined = deep_doctor(&sandbox);
        examined.assert_well();
        for check in ["database.probe", "watcher.probe", "cache.unsaved", "deep.verified"] {
            assert!(examined.of_check(check).starts_with("ok: "), "{kind:?}: {check}");
        }
        assert_eq!(examined.of_check("database.pooler").is_empty(), kind != Kind::PgBouncer);
        assert_eq!(examined.of_check("database.packet").is_empty(), kind != Kind::MariaDb);
        assert!(examined.of_check("deep.verified").contains("2 payloads"));
        assert_eq!((sandbox.files(), sandbox.paths()), before, "the doctor has left something");
        let text = command(&sandbox, &["doctor"]).output().unwrap();
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains("✓ ok       database.probe "), "{text}");
        sandbox.remove();
    }
}

#[test]
fn a_database_that_is_away_is_one_finding_among_the_others() {
    let sandbox = Sandbox::new(Kind::Sqlite);
    symlink("/etc/passwd", sandbox.uploads.join("link.jpg")).unwrap();
    for url in ["postgres://me:secret@127.0.0.1:1/db", "mysql://me:secret@127.0.0.1:1/db"] {
        let mut command = command(&sandbox, &["doctor", "--json", "--deep"]);
        let examined = Examined::of({
            command.env("DATABASE_URL", url).env("IMAGECACHED_DATABASE_WAIT", "1s");
            command
        });
        examined.assert_found("database.reachable", &["error: ", "127.0.0.1:1", "DATABASE_URL"]);
        examined.assert_found("directory.skipped", &["warning: ", "link.jpg", "symlink"]);
        assert!(examined.of_check("watcher.probe").starts_with("ok: "));
        assert!(examined.of_check("cache.compared").starts_with("note: "));
        assert!(!format!("{:?}", examined.findings).contains("secret"));
    }
    sandbox.remove();
}

#[test]
fn missing_tables_name_the_command_that_makes_them() {
    for kind in KINDS {
        let sandbox = Sandbox::new(kind);
        let examined = doctor(&sandbox);
        examined.assert_found("database.tables", &["warning: ", "imagecached migrate"]);
        assert_eq!(examined.bad(), ["database.tables"], "{kind:?}");
        sandbox.ok(&["migrate"]);
        doctor(&sandbox).assert_well();
        sandbox.remove();
    }
}

#[test]
fn files_that_are_not_safe_are_cured_by_cache_all() {
    for kind in KINDS {
        let sandbox = healthy(kind);
        sandbox.write("new\nline.jpg", b"nobody has stored me");
        sandbox.write("a cat.jpg", b"another picture by now");
        sandbox.write("scratch.tmp", b"excluded");
        let examined = doctor(&sandbox);
        examined.assert_found("cache.unsaved", &["error: 1 file", r"new\nline.jpg", "cache-all"]);
        examined.assert_found("cache.changed", &["warning: 1 file", "a cat.jpg", "cache-all"]);
        examined.assert_found("directory.excluded", &["note: 1 file", "scratch.tmp"]);
        sandbox.ok(&["cache-all"]);
        doctor(&sandbox).assert_well();
        sandbox.remove();
    }
}

#[test]
fn entries_that_are_not_on_disk_are_cured_by_restore() {
    let sandbox = healthy(KINDS[0]);
    fs::remove_file(sandbox.uploads.join("a cat.jpg")).unwrap();
    doctor(&sandbox).assert_found("cache.missing", &["warning: 1 entry", "a cat.jpg", "restore"]);
    sandbox.ok(&["restore"]);
    doctor(&sandbox).assert_well();
    // A fresh container is no reason to worry.
    sandbox.wipe();
    let examined = doctor(&sandbox);
    examined.assert_well();
    assert!(examined.of_check("cache.missing").starts_with("note: 2 entries"));
    sandbox.remove();
}

#[test]
fn a_damaged_former_content_is_named_too() {
    let sandbox = healthy(Kind::Sqlite);
    for content in ["one", "two"] {
        sandbox.write("changed.jpg", content.as_bytes());
        sandbox.ok(&["cache", "--", "changed.jpg"]);
    }
    assert!(deep_doctor(&sandbox).of_check("deep.verified").contains("4 payloads"));
    sandbox.block_on(sandbox.database.run("UPDATE image_cache_history SET image_data = 'AAAA'"));
    let examined = deep_doctor(&sandbox);
    assert_eq!(examined.bad(), ["deep.damaged_version"]);
    examined.assert_found("deep.damaged_version", &["changed.jpg", "present content", "backup"]);
    sandbox.remove();
}

#[test]
fn t34_damaged_entries_are_named_and_cured_as_it_says() {
    for kind in KINDS {
        let sandbox = healthy(kind);
        sandbox.block_on(async {
            let sql = "UPDATE image_cache SET image_data = 'AAAA' WHERE image_data IS NOT NULL";
            sandbox.database.run(sql).await;
            sandbox.database.run("DELETE FROM image_cache_chunk WHERE seq = 1").await;
        });
        doctor(&sandbox).assert_well();
        let examined = deep_doctor(&sandbox);
        assert_eq!(examined.bad(), ["deep.damaged", "deep.damaged"], "{kind:?}");
        examined.assert_found(
            "deep.damaged",
            &["a cat.jpg", "cache -- 'a cat.jpg'", "it's.jpg", r"'large/it'\''s.jpg'", "bytes"],
        );
        sandbox.ok(&["cache", "--", "a cat.jpg", "large/it's.jpg"]);
        deep_doctor(&sandbox).assert_well();
        // Without the file there is no such cure, and none is invented.
        sandbox.block_on(sandbox.database.run(
            "UPDATE image_cache SET image_data = 'AAAA' \
            WHERE image_data IS NOT NULL",
        ));
        fs::remove_file(sandbox.uploads.join("a cat.jpg")).unwrap();
        deep_doctor(&sandbox).assert_found("deep.damaged", &["a cat.jpg", "backup"]);
        sandbox.remove();
    }
}

#[test]
fn entries_without_bytes_or_with_hostile_paths_are_told() {
    let sandbox = healthy(Kind::Postgres);
    for path in ["hostile", "empty", "remote"] {
        sandbox.write(path, path.as_bytes());
    }
    sandbox.ok(&["cache-all"]);
    for path in ["hostile", "empty", "remote"] {
        fs::remove_file(sandbox.uploads.join(path)).unwrap();
    }
    for sql in [
        "UPDATE image_cache SET original_path = '../../hostile' WHERE original_path = 'hostile'",
        "UPDATE image_cache SET image_data = NULL WHERE original_path IN ('empty', 'remote')",
        "UPDATE image_cache SET image_url = 'https://x/y' WHERE original_path = 'remote'",
    ] {
        sandbox.block_on(sandbox.database.run(sql));
    }
    let examined = doctor(&sandbox);
    examined.assert_found("cache.hostile", &["warning: ", "../../hostile", "DELETE FROM"]);
    examined.assert_found("cache.without_data", &["warning: 1 entry", "empty"]);
    examined.assert_found("cache.by_url", &["error: 1 entry", "remote"]);
    sandbox.remove();
}

#[test]
fn an_upload_directory_that_cannot_be_meant_is_one_finding_too() {
    let sandbox = healthy(KINDS[0]);
    let mut refused = command(&sandbox, &["doctor", "--json", "--deep"]);
    refused.env("IMAGECACHED_UPLOAD_DIR", "/etc");
    let examined = Examined::of(refused);
    examined.assert_found("directory.root", &["error: ", "/etc", "IMAGECACHED_UPLOAD_DIR"]);
    assert_eq!(examined.bad(), ["directory.root"]);
    assert!(examined.of_check("database.probe").starts_with("ok: "));
    assert!(examined.of_check("deep.verified").starts_with("ok: "));
    // A directory that is still to be made is none.
    let mut missing = command(&sandbox, &["doctor", "--json"]);
    missing.env("IMAGECACHED_UPLOAD_DIR", sandbox.beside().join("none"));
    let examined = Examined::of(missing);
    examined.assert_well();
    assert!(examined.of_check("directory.root").starts_with("note: "));
    assert!(!sandbox.beside().join("none").exists());
    sandbox.remove();
}

#[test]
fn each_missing_right_has_its_grant() {
    let sandbox = healthy(Kind::Postgres);
    let role = format!("imagecached_reader_{}", std::process::id());
    let run = |sql: &str| sandbox.block_on(sandbox.database.run(sql));
    run(&format!("CREATE ROLE {role} LOGIN"));
    run(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"));
    let mut url = url::Url::parse(&sandbox.url()).unwrap();
    url.set_username(&role).unwrap();
    let examine = || {
        let mut command = command(&sandbox, &["doctor", "--json"]);
        command.env("DATABASE_URL", url.as_str());
        Examined::of(command)
    };
    let examined = examine();
    let grant = format!("GRANT INSERT ON image_cache TO \"{role}\";");
    examined.assert_found("database.rights", &["error: ", "INSERT on image_cache", &grant]);
    let said = examined.of_check("database.rights");
    // INSERT, UPDATE and DELETE on five tables.
    assert_eq!(said.lines().count(), 15, "{said}");
    for one in said.lines() {
        run(&one[one.find("GRANT ").expect("a statement")..]);
    }
    examine().assert_well();
    run(&format!("DROP OWNED BY {role}"));
    run(&format!("DROP ROLE {role}"));
    sandbox.remove();
}

#[test]
fn a_platforms_limits_and_its_disk_are_known() {
    let sandbox = healthy(Kind::Sqlite);
    let mut heroku = command(&sandbox, &["doctor", "--json"]);
    heroku
        .env("DYNO", "web.1")
        .env("IMAGECACHED_SHUTDOWN_LIMIT", "40s")
        .env("IMAGECACHED_BOOT_DEADLINE", "58s");
    let examined = Examined::of(heroku);
    examined.assert_found("platform.sqlite", &["error: ", "Heroku", "DATABASE_URL"]);
    examined.assert_found("platform.stop", &["warning: ", "IMAGECACHED_SHUTDOWN_LIMIT=28s"]);
    examined.assert_found("platform.boot", &["warning: ", "IMAGECACHED_BOOT_DEADLINE=40s"]);
    assert_eq!(examined.bad(), ["platform.sqlite", "platform.stop", "platform.boot"]);
    sandbox.remove();
}

#[test]
fn t26_a_watcher_that_cannot_work_is_told_with_the_command_that_cures_it() {
    let sandbox = healthy(Kind::Sqlite);
    let program = command(&sandbox, &["doctor", "--json"]);
    // In a user namespace of its own the limit can be lowered without harm to anybody else.
    let script = "echo 0 > /proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\"";
    let there = ["unshare", "--user", "--map-root-user", "sh", "-c", script];
    let lowered = started_by(&there, &program);
    let examined = Examined::of(lowered);
    let sysctl = "sysctl -w fs.inotify.max_user_instances=";
    examined.assert_found("watcher.limits", &["warning: ", sysctl]);
    examined.assert_found("watcher.probe", &["warning: ", "inotify instances", sysctl]);
    assert_eq!(examined.bad(), ["watcher.limits", "watcher.probe"]);
    sandbox.remove();
}

#[test]
fn a_running_daemon_is_looked_at_and_not_disturbed() {
    let sandbox = healthy(KINDS[0]);
    let mut watch = sandbox.watch();
    sandbox.write("fresh.jpg", b"just uploaded");
    watch.wait_for_log("path=fresh.jpg");
    support::program::wait_until("the daemon's state", || {
        doctor(&sandbox).of_check("daemon.running").contains(&watch.pid().to_string())
    });
    let examined = doctor(&sandbox);
    examined.assert_well();
    assert!(examined.of_check("daemon.watcher").starts_with("ok: "));
    // Where a probe would be taken for an upload, none is made.
    let mut all = command(&sandbox, &["doctor", "--json"]);
    all.env("IMAGECACHED_EXCLUDE", ",");
    let examined = Examined::of(all);
    assert!(examined.of_check("watcher.probe").contains(".imagecached*"));
    let (status, log) = watch.stop();
    assert!(status.success(), "{log}");
    assert!(!log.contains(".imagecached-doctor"), "{log}");
    assert_eq!(sandbox.paths(), ["a cat.jpg", "fresh.jpg", "large/it's.jpg"]);
    sandbox.remove();
}

#[test]
fn a_start_script_without_exec_is_told() {
    let sandbox = healthy(Kind::Sqlite);
    let program = command(&sandbox, &[]);
    // The shell is process 1, as a container's start is.
    let script = "\"$0\" watch 2>log & \
        until grep -q event=watching log; do sleep 0.05; done; \
        until ls imagecached-*.json >/dev/null 2>&1; do sleep 0.05; done; \
        \"$0\" doctor --json; code=$?; kill $!; wait $!; exit $code";
    let as_pid_1 = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    let there = [&["unshare"], &as_pid_1[..], &["sh", "-c", script]].concat();
    let start = started_by(&there, &program);
    let examined = Examined::of(start);
    examined.assert_found("daemon.parent", &["warning: ", "exec imagecached run"]);
    assert_eq!(examined.bad(), ["daemon.parent"]);
    sandbox.remove();
}
