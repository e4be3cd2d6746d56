//! A database that takes nothing more: its disk or its plan is full, or somebody has made it read-only.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::database::Kind;
use crate::support::own_mariadb::OwnMariaDb;
use crate::support::own_postgres::OwnPostgres;
use crate::support::program::{Running, Sandbox, files_beneath, wait_until};
use crate::support::small_disk::SmallDisk;
use crate::{APP, app_is_up, cpu_time, noise};

/// How long the database stays full. Longer by far than the first retries.
const FULL: Duration = Duration::from_secs(12);

/// Files that are uploaded while it is full: together more than any room that was left over.
const UPLOADS: u64 = 60;

/// The program, its uploads, and where its database is.
struct Place {
    sandbox: Sandbox,
    /// The SQLite file's, which only programs see that were put on it.
    disk: Option<SmallDisk>,
}

impl Place {
    fn command(&self, args: &[&str]) -> Command {
        let command = self.sandbox.command(args);
        self.disk.as_ref().map(|disk| disk.put(&command)).unwrap_or(command)
    }

    fn told(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        let (told, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr));
        assert!(!told.is_empty(), "{args:?} ended with {}: {errors}", output.status);
        String::from_utf8(told).unwrap()
    }

    /// Files that the database does not hold as they are.
    fn unsaved(&self) -> u64 {
        let status: Value = serde_json::from_str(&self.told(&["status", "--json"])).unwrap();
        status["unsaved"].as_u64().unwrap()
    }

    /// What the database holds, as a restore gives it.
    fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let empty = tempfile::tempdir().unwrap();
        let mut restore = self.command(&["restore"]);
        let output = restore.env("IMAGECACHED_UPLOAD_DIR", empty.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        files_beneath(empty.path())
    }

    /// Uploads while the database is full, as `fill` and `free` make it, and looks what comes of it.
    fn loses_nothing(&self, shown: &str, fill: impl FnOnce(), free: impl FnOnce()) {
        let mut command = self.command(&["watch", "--set", "scan_interval=1s"]);
        command.env("IMAGECACHED_LOG_LEVEL", "info");
        let mut watch = Running::start(command);
        watch.wait_for_log("event=watching");
        self.sandbox.write("before.jpg", b"before");
        // The tables may not be there yet, and nobody asks for them before the daemon has made them.
        watch.wait_for_log("event=migrated");
        wait_until("the first upload", || self.unsaved() == 0);
        fill();
        for n in 0..UPLOADS {
            self.sandbox.write(&format!("{}/{n}.jpg", n % 5), &noise(n, 400_000));
        }
        let line = watch.wait_for_log("event=database_away");
        assert!(line.contains("TAKES NOTHING MORE"), "{line}");
        assert!(line.contains("free space, raise the plan, or lift the read-only mode"), "{line}");
        let (cpu, lines) = (cpu_time(watch.pid()), watch.log().lines().count());
        thread::sleep(FULL);
        let (cpu, lines) = (cpu_time(watch.pid()) - cpu, watch.log().lines().count() - lines);
        println!("{shown}: full for {FULL:?}: {lines} lines, {:.2} s of CPU", cpu.as_secs_f64());
        assert!(lines <= 10, "{}", watch.log());
        // With this build, which is not optimized. A busy loop takes all of a core and more.
        assert!(cpu < FULL / 4, "it is busy: {cpu:?}");
        assert!(self.unsaved() > 0, "it was not full");
        let status = self.told(&["status"]);
        assert!(status.contains("NOT SAFE") && status.contains("THE DATABASE IS AWAY"), "{status}");
        let doctor = self.told(&["doctor"]);
        assert!(
            doctor.contains("✗ error    daemon.unsaved") && doctor.contains(".jpg"),
            "{doctor}"
        );

        free();
        let room = Instant::now();
        wait_until("all to be safe", || self.unsaved() == 0);
        println!("{shown}: all safe {:.1} s after there was room", room.elapsed().as_secs_f64());
        watch.wait_for_log("event=database_back");
        let (status, log) = watch.stop();
        assert!(status.success(), "{log}");
        assert!(self.contents() == self.sandbox.files());
    }
}

#[test]
fn t32_sqlite_on_a_full_disk() {
    let disk = SmallDisk::new(160 << 20);
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    let url = format!("sqlite://{}", disk.inside("cache.sqlite3").display());
    sandbox.environment.push(("DATABASE_URL".into(), url));
    let place = Place { sandbox, disk: Some(disk) };
    let disk = place.disk.as_ref().unwrap();
    let free = || fs::remove_file(disk.outside("ballast")).unwrap();
    place.loses_nothing("SQLite on a full disk", || drop(disk.fill()), free);
}

#[test]
fn t32_postgres_on_a_full_disk() {
    let disk = SmallDisk::new(160 << 20);
    let server = OwnPostgres::on(&disk);
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.environment.push(("DATABASE_URL".into(), server.url()));
    let place = Place { sandbox, disk: None };
    let free = || fs::remove_file(disk.outside("ballast")).unwrap();
    place.loses_nothing("PostgreSQL on a full disk", || drop(disk.fill()), free);
}

/// As a server is that has become a replica, or whose owner mends something.
#[test]
fn t32_mariadb_that_was_made_read_only() {
    let server = OwnMariaDb::start();
    let mut sandbox = Sandbox::new(Kind::Sqlite);
    sandbox.environment.push(("DATABASE_URL".into(), server.url()));
    let place = Place { sandbox, disk: None };
    let read_only = |value: &str| server.run(&format!("SET GLOBAL read_only = {value}"));
    place.loses_nothing("read-only MariaDB", || read_only("ON"), || read_only("OFF"));
}

#[test]
fn t32_postgres_that_was_made_read_only() {
    let place = Place { sandbox: Sandbox::new(Kind::Postgres), disk: None };
    let sandbox = &place.sandbox;
    let read_only = |value: &str| {
        sandbox.sql(&format!(
            "SET transaction_read_only = off;
            DO $$ BEGIN EXECUTE format(
                'ALTER DATABASE %I SET default_transaction_read_only = {value}', current_database()
            ); END $$"
        ));
        sandbox.block_on(sandbox.database.cut_connections());
    };
    place.loses_nothing("read-only PostgreSQL", || read_only("on"), || read_only("off"));

    // And from the start: what is there is restored, what is new waits.
    let stored = sandbox.files();
    sandbox.wipe();
    let other = sandbox.store();
    sandbox.block_on(other.check()).unwrap();
    read_only("on");
    sandbox.block_on(other.close());
    let app = format!("printf new > new.jpg; {APP}");
    let run = Running::start(sandbox.run(&["database_wait=1s"], &app));
    app_is_up(sandbox);
    wait_until("the uploads", || sandbox.files().len() == stored.len() + 1);
    assert!(place.unsaved() > 0, "it is not read-only");
    read_only("off");
    wait_until("the new one", || place.unsaved() == 0);
    let (status, log) = run.stop();
    assert!(status.success(), "{log}");
    assert_eq!(place.contents(), sandbox.files());
    place.sandbox.remove();
}
