//! A program that is older than the tables that it finds: it says so, with the cure, and changes nothing.

use super::support::program::Running;
use super::*;

/// What a later program would have noted.
fn upgrade_by_a_later_program(sandbox: &Sandbox) -> i64 {
    let version = steps(sandbox.database.kind).len() as i64 + 7;
    sandbox.sql(&format!(
        "INSERT INTO imagecached_schema (version, applied_at) VALUES ({version}, '2030-01-01 00:00:00')"
    ));
    version
}

/// What is in the tables: their sizes, and the entries that have the times that they had.
fn look_of_the_tables(sandbox: &Sandbox) -> Vec<i64> {
    [
        "SELECT id FROM image_cache WHERE last_accessed < '2020-06-02 00:00:00' AND updated_at < '2020-06-02 00:00:00' ORDER BY id",
        "SELECT count(*) FROM image_cache",
        "SELECT count(*) FROM image_cache_chunk",
        "SELECT version FROM imagecached_schema ORDER BY version",
    ]
    .iter()
    .flat_map(|sql| sandbox.numbers(sql))
    .collect()
}

fn an_older_program_says_so(kind: Kind) {
    let sandbox = sandbox_of_the_first_version(kind);
    sandbox.ok(&["migrate"]);
    let version = upgrade_by_a_later_program(&sandbox);
    let before = look_of_the_tables(&sandbox);
    let known = steps(kind).len();
    let cause = format!("the tables have version {version}, and this program knows up to {known}");
    sandbox.write("new.jpg", b"uploaded meanwhile");
    let commands: [&[&str]; 14] = [
        &["restore"],
        &["restore", "--dry-run"],
        &["cache-all"],
        &["cache", "new.jpg"],
        &["get", "odd/case.txt"],
        &["status"],
        &["status", "--json"],
        &["list"],
        &["move", "--to", "inline"],
        &["cleanup", "--days", "1", "--yes"],
        &["cleanup", "--orphans", "--yes"],
        &["self-test"],
        &["migrate"],
        &["run", "--set", "database_required=true", "--", "true"],
    ];
    for command in commands {
        let output = sandbox.output(command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{kind:?}, {command:?}: {said}");
        assert!(said.contains(&cause), "{kind:?}, {command:?}: {said}");
        assert!(said.contains("use a newer imagecached"), "{kind:?}, {command:?}: {said}");
        assert!(output.stdout.is_empty(), "{kind:?}, {command:?}");
    }
    let output = sandbox.output(&["doctor"]);
    let found = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(6), "{kind:?}: {found}");
    assert!(found.contains(&cause) && found.contains("newer imagecached"), "{kind:?}: {found}");

    // The app comes first: it starts, and what it is without is said as loudly as can be.
    // And nothing is waited for at the end that can never be: ten minutes are longer than this test waits.
    let (status, log) =
        Running::start(sandbox.run(&["shutdown_limit=10m"], "echo > late.jpg; exit 7")).wait();
    assert_eq!(status.code(), Some(7), "{kind:?}: {log}");
    let alarm = log.lines().find(|line| line.contains("event=database_away"));
    let alarm = alarm.unwrap_or_else(|| panic!("{kind:?}: no alarm in\n{log}"));
    assert!(alarm.contains("level=error") && alarm.contains(&cause), "{kind:?}: {alarm}");
    assert!(alarm.contains("THE APP STARTS WITHOUT ITS UPLOADS"), "{kind:?}: {alarm}");
    let end = log.lines().find(|line| line.contains("event=drained")).unwrap_or_default();
    assert!(end.contains("level=error") && end.contains("unsaved="), "{kind:?}: {log}");
    assert!(end.contains("newer than this program"), "{kind:?}: {end}");

    assert_eq!(look_of_the_tables(&sandbox), before, "{kind:?}");
    // Once the newer program has come, nothing stands in its way.
    sandbox.sql(&format!("DELETE FROM imagecached_schema WHERE version = {version}"));
    sandbox.ok(&["cache-all"]);
    assert_eq!(sandbox.content("new.jpg"), b"uploaded meanwhile", "{kind:?}");
    sandbox.remove();
}

#[test]
fn an_older_program_says_that_the_tables_are_newer() {
    for kind in DATABASES {
        an_older_program_says_so(kind);
    }
}

/// During a deploy the new container upgrades the tables while the old one still takes uploads.
#[test]
fn a_program_that_runs_goes_on_storing_when_a_newer_one_comes() {
    for kind in DATABASES {
        let sandbox = sandbox_of_the_first_version(kind);
        let mut running = sandbox.watch();
        running.wait_for_log("event=migrated");
        upgrade_by_a_later_program(&sandbox);
        sandbox.write("late.jpg", b"uploaded while the new container starts");
        // The program of this test is as old as the one that runs, so it cannot be asked.
        support::program::wait_until("the upload of the old container", || {
            let found = "SELECT count(*) FROM image_cache WHERE original_path = 'late.jpg'";
            sandbox.numbers(found) == [1]
        });
        let (status, log) = running.stop();
        assert_eq!(status.code(), Some(0), "{kind:?}: {log}");
        sandbox.remove();
    }
}
